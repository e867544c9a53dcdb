"""The oracle test: what a game adds to maximum likelihood, where the true likelihood of a text is known.

    python examples/benchmarks/oracle.py --seeds 0 1 2
    python examples/benchmarks/oracle.py --vocabulary 5000 --length 20 --hidden 32 --seeds 0

For every seed another oracle writes texts. A language model learns them by maximum likelihood, and its checkpoint
with the best likelihood of held-out texts is kept. SeqGAN begins there and plays a fixed number of batches; its last
state counts. The oracle is asked for nothing but the last measure.

Printed are means over the seeds: the oracle's negative log-likelihood of 10,000 texts of the model, which falls with
better texts but also where variety is lost; the model's own of held-out texts, which rises where variety is lost; and
self-BLEU of 1,000 texts (runs of 1 to 2 and of 1 to 3 words), which rises there too. A plain language model that is
drawn from at a lower temperature stands beside: it is what SeqGAN has to beat. For every seed also what the game's
discriminator knows at the end: the area under the curve between texts of the model and real ones that it has not
learned from; at 0.5 it knows nothing that its generator could learn.
"""

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

import lit_gans
from lit_gans import LanguageModel, OracleLines, SeqGAN
from lit_gans.networks import RecurrentBackbone
from lit_gans.optim import Adam, LinearDecay
from lit_gans.text import self_bleu

COLUMNS = ("NLL by the oracle", "NLL of held-out texts", "self-BLEU-2", "self-BLEU-3")


def fit(model, data, steps, folder, monitor=None):
    """Trains and gives the checkpoint with the best score, or the last."""
    kept = ModelCheckpoint(folder, "{step}", monitor=monitor)
    trainer = Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        callbacks=[kept] if monitor else [],
        enable_checkpointing=monitor is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        val_check_interval=max(1, steps // 20),
        check_val_every_n_epoch=None,
        limit_val_batches=1.0 if monitor else 0,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, data)
    if monitor:
        return kept.best_model_path
    trainer.save_checkpoint(folder / "last.ckpt")
    return folder / "last.ckpt"


@torch.no_grad()
def measured(model, data, **how):
    """The values of a row."""
    texts = torch.cat([model.sample(1000, seed=seed, **how) for seed in range(10)])
    held_out = data.samples("test").values("tokens")
    own = -torch.cat([model.log_likelihoods({"tokens": part}) for part in held_out.split(500)]).mean()
    few = texts[:1000]
    return [float(data.nll(texts).mean()), float(own), self_bleu(few, 2), self_bleu(few, 3)]


@torch.no_grad()
def known(game, data):
    """The area under the curve of the discriminator, between held-out texts and the game's own."""
    real = data.samples("test").values("tokens")
    judge = game.eval().discriminator
    scores = [torch.cat([judge(part) for part in texts.split(500)]) for texts in (real, game.sample(len(real), seed=0))]
    places = torch.cat(scores).argsort().argsort()[: len(real)].double()
    return float((places.mean() - (len(real) - 1) / 2) / len(real))


def one_seed(given, seed):
    """All rows of a seed, by name."""
    seed_everything(seed, verbose=False)
    data = OracleLines(given.vocabulary, given.length, given.hidden, given.count, seed=seed)
    backbone = RecurrentBackbone(cell="lstm", width=given.width, dropout=given.dropout)
    adam = partial(Adam, lr=given.learning_rate, betas=(0.9, 0.999))
    rows, held_out = {}, data.samples("test").values("tokens")
    rows["the oracle itself"] = [float(data.nll(held_out).mean())] * 2 + [self_bleu(held_out[:1000], n) for n in (2, 3)]
    with tempfile.TemporaryDirectory() as folder:
        folder, begun = Path(folder), time.monotonic()
        slower = partial(LinearDecay, steps=given.likelihood_steps, end=0.1)
        language = LanguageModel(text_shape=data.text_shape, backbone=backbone, optimizer=adam, scheduler=slower)
        start = fit(language, data, given.likelihood_steps, folder, "val/nll")
        rows["maximum likelihood"] = measured(lit_gans.load(start), data)
        rows[f"the same, temperature {given.temperature:g}"] = measured(
            lit_gans.load(start), data, temperature=given.temperature
        )
        print(f"seed {seed}: maximum likelihood took {time.monotonic() - begun:.0f} s", flush=True)
        begun = time.monotonic()
        game = SeqGAN(
            text_shape=data.text_shape,
            backbone=backbone,
            start=str(start),
            estimator=given.estimator,
            roll_outs=given.roll_outs,
            discriminator_steps=given.discriminator_steps,
            generator_every=given.generator_every,
            generator_optimizer=partial(Adam, lr=given.generator_rate, betas=(0.9, 0.999)),
            discriminator_optimizer=partial(Adam, lr=given.discriminator_rate, betas=(0.9, 0.999)),
        )
        steps = given.discriminator_steps + given.moves * given.generator_every
        game = lit_gans.load(fit(game, data, steps, folder))
        rows["SeqGAN"] = measured(game, data)
        print(f"seed {seed}: the game took {time.monotonic() - begun:.0f} s", flush=True)
        print(f"seed {seed}: area under the discriminator's curve {known(game, data):.3f}", flush=True)
    for name, values in rows.items():
        print(f"seed {seed}, {name}: {', '.join(f'{value:.3f}' for value in values)}", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=500)
    parser.add_argument("--length", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=16, help="units of the oracle")
    parser.add_argument("--count", type=int, default=10_000, help="training texts")
    parser.add_argument("--width", type=int, default=32, help="units of the generator")
    parser.add_argument("--dropout", type=float, default=0.25)
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="of maximum likelihood")
    parser.add_argument("--likelihood-steps", type=int, default=8000)
    parser.add_argument("--temperature", type=float, default=0.9)
    parser.add_argument("--estimator", choices=("policy", "gumbel"), default="policy")
    parser.add_argument("--roll-outs", type=int, default=4)
    parser.add_argument("--discriminator-steps", type=int, default=1500)
    parser.add_argument("--generator-every", type=int, default=3)
    parser.add_argument("--generator-rate", type=float, default=1e-3)
    parser.add_argument("--discriminator-rate", type=float, default=1e-3)
    parser.add_argument("--moves", type=int, default=300, help="moves of the generator")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    found = [one_seed(given, seed) for seed in given.seeds]
    print(f"\n| | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    for name in found[0]:
        values = [statistics.mean(rows[name][column] for rows in found) for column in range(len(COLUMNS))]
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |")
    gains = [rows["maximum likelihood"][0] - rows["SeqGAN"][0] for rows in found]
    dearer = [rows["SeqGAN"][2] - rows["maximum likelihood"][2] for rows in found]
    print(f"\nby seed, SeqGAN's NLL by the oracle is lower by {', '.join(f'{gain:.3f}' for gain in gains)},")
    print(f"and its self-BLEU-2 higher by {', '.join(f'{more:.3f}' for more in dearer)}")


if __name__ == "__main__":
    main()

"""Weight norm against batch norm, by how near a generator comes to held-out digits (Xiang & Li 2017, arXiv:1704.03971).

    python examples/benchmarks/weight_norm.py --data-root shared/data --output weight_norm.jsonl

Trains WeightNormGAN and DCGAN on MNIST, in turn and from the same seeds, and prints the reconstruction error of test
digits every so many batches: gradient descent from z = 0 by RMSprop with learning rate 0.01, 50 steps, mean squared
error a pixel of values in [-1, 1]. Two recipes:

    paper   both by RMSprop with one learning rate and a short warm-up, in batches of 32, without an average
    own     each by that of its configuration in examples/configs, in batches of 32, with an averaged generator

Every measurement is a line of the output; a run that is there to its end is not run again.
"""

import argparse
import json
import logging
import os
import statistics
import time
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from torch.optim.lr_scheduler import LinearLR

from lit_gans import DCGAN, MNIST, WeightNormGAN
from lit_gans.latents.inversion import XIANG_LI, invert_images
from lit_gans.metrics.features import load_classifier
from lit_gans.metrics.material import drawn, real_images
from lit_gans.metrics.scoring import Scoring
from lit_gans.optim import Adam, LinearDecay, RMSprop

MODELS = {"WeightNormGAN": WeightNormGAN, "DCGAN": DCGAN}
WARM_UP = partial(LinearLR, start_factor=0.1, total_iters=200)


def players(recipe, name, steps, lr):
    """The optimizers, the schedule and the average of a recipe, as a model's arguments."""
    if recipe == "paper":
        return {"optimizer": partial(RMSprop, lr=lr), "scheduler": WARM_UP, "ema_decay": 0.0}
    if name == "DCGAN":
        rates = {"generator_optimizer": partial(Adam, lr=4e-4), "discriminator_optimizer": partial(Adam, lr=2e-4)}
        return {**rates, "scheduler": partial(LinearDecay, steps=steps, end=0.1)}
    return {"optimizer": partial(RMSprop, lr=1e-4), "scheduler": WARM_UP}


class Watch(Callback):
    """Measures before the first batch, every so many batches and after the last."""

    def __init__(self, images, every, write):
        self.images, self.every, self.write = images, every, write
        self.start, self.spent = time.perf_counter(), 0.0

    def on_train_start(self, trainer, model):
        self.measure(model, 0)

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx):
        if trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.measure(model, trainer.global_step)

    def measure(self, model, step):
        before = time.perf_counter()
        with model.inference_generator() as generator, torch.no_grad():
            origin = (generator(torch.zeros(1, model.latent_dim)) - self.images).square().mean()
            found = invert_images(generator, self.images, model.latent_dim, **XIANG_LI)
        self.spent += time.perf_counter() - before
        trained = time.perf_counter() - self.start - self.spent
        self.write(
            step=step,
            origin=round(float(origin), 5),
            reconstruction=round(float(found.errors.mean()), 5),
            length=round(float(found.noise.norm(dim=1).mean()), 2),
            seconds=round(trained, 1),
        )


def score(data, model, count):
    """FID and coverage on the shipped digit features, against as many training digits."""
    scoring = Scoring(["fid", "density_coverage"], load_classifier())
    for images in real_images(data, "train", count):
        scoring.add(images, real=True)
    for images in drawn(model, count, seed=0):
        scoring.add(images, real=False)
    return {name: round(float(value), 4) for name, value in scoring.compute().items()}


def train(name, seed, arguments, settings):
    """One run, whose lines are added to the output as they come."""

    def write(**values):
        record = {**settings, "model": name, "seed": seed, **values}
        with arguments.output.open("a") as file:
            file.write(json.dumps(record) + "\n")
        print(json.dumps(values), flush=True)

    seed_everything(seed, verbose=False)
    data = MNIST(arguments.data_root, batch_size=arguments.batch_size, seed=seed)
    data.setup()
    cls = MODELS[name]
    model = cls(
        image_shape=data.image_shape,
        backbone=replace(cls.default_backbone, width=arguments.width),
        **players(arguments.recipe, name, arguments.steps, arguments.lr),
    )
    images = torch.cat(list(real_images(data, "test", arguments.images)))
    Trainer(
        max_steps=arguments.steps,
        precision=arguments.precision,
        callbacks=[Watch(images, arguments.every, write)],
        accelerator="cpu",
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(model, datamodule=data)
    write(step=arguments.steps, done=True, **(score(data, model, arguments.scored) if arguments.scored else {}))


def table(records, seeds):
    """Markdown: a row every so many batches, a column a model; mean and, of several seeds, standard deviation."""
    names = [name for name in MODELS if any(r["model"] == name for r in records)]
    print(f"\n| batches | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    steps = sorted({r["step"] for r in records if "reconstruction" in r})
    rows = [(f"{step:,}", "reconstruction", step) for step in steps]
    rows += [(f"{key} after {steps[-1]:,}", key, steps[-1]) for key in ("fid", "density", "coverage")]
    for title, key, step in rows:
        cells = []
        for name in names:
            values = [r[key] for r in records if r["model"] == name and r["step"] == step and key in r]
            spread = f" +- {statistics.stdev(values):.3g}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.4g}{spread}" if values else "")
        if any(cells):
            print(f"| {title} | {' | '.join(cells)} |")
    print(f"\n{len(seeds)} seed{'s' * (len(seeds) > 1)}: {', '.join(map(str, seeds))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", default=os.environ.get("LIT_GANS_DATA", "data"))
    parser.add_argument("--output", type=Path, default=Path("weight_norm.jsonl"))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--recipe", choices=("paper", "own"), default="paper")
    parser.add_argument("--lr", type=float, default=5e-5, help="of both players, in the paper's recipe")
    parser.add_argument("--steps", type=int, default=3000, help="batches")
    parser.add_argument("--every", type=int, default=500, help="batches between two measurements")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--images", type=int, default=128, help="test digits to reconstruct")
    parser.add_argument("--scored", type=int, default=10_000, help="samples for the FID at the end; 0 leaves it out")
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--precision", default="32-true")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    free = ("data_root", "output", "models", "seed")
    settings = {key: value for key, value in vars(arguments).items() if key not in free}

    def lines():
        text = arguments.output.read_text() if arguments.output.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def ours(record, name, seed):
        return record["model"] == name and record["seed"] == seed and settings.items() <= record.items()

    for seed in arguments.seed:
        for name in arguments.models:
            if any(ours(record, name, seed) and record.get("done") for record in lines()):
                continue
            kept = [record for record in lines() if not ours(record, name, seed)]  # without what was interrupted
            arguments.output.write_text("".join(json.dumps(record) + "\n" for record in kept))
            print(f"{name}, seed {seed}", flush=True)
            train(name, seed, arguments, settings)
    chosen = [r for r in lines() if any(ours(r, name, seed) for name in arguments.models for seed in arguments.seed)]
    table(chosen, arguments.seed)


if __name__ == "__main__":
    main()

"""What ELECTRA's discriminator finds, and what its features are worth beside a masked language model's.

    python examples/benchmarks/electra.py --seeds 0 1 2 --output electra.jsonl

Sentences of a small grammar (`GrammarLines`), tokens are words. For each seed an ELECTRA is trained, then a MaskedLM
with the discriminator's encoder, for as many steps as cost the same: matrix products of one step, forward and backward,
are counted (``torch.utils.flop_counter``), and both have the same schedule over their own number of steps. Measured on
held-out sentences:

    breaks    area under the curve of the discriminator's score: original tokens against those that the generator drew
              in another's place and that break agreement or tense, as the grammar says
    all       the same for all that the generator replaced, among them many that are as good as the original
    random    the same for tokens that others took the place of at random; words that could stand there too are found
              by nobody, so that ``random*`` leaves out words of the same kind and number
    guesses   share of the generator's best guesses of hidden tokens that are right (of the MaskedLM's: its own)
    probes    share of test sentences whose subject's number, or whose tense, a linear classifier tells from the
              features, after 200 labelled sentences; its penalty is chosen on these by five-fold validation

Every line of the output is one run; a table comes at the end. A run that is in the output is not made again.
"""

import argparse
import json
import statistics
import time
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning.pytorch import Trainer, seed_everything
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.flop_counter import FlopCounterMode

from lit_gans import ELECTRA, GrammarLines, MaskedLM
from lit_gans.models.electra import area, histogram
from lit_gans.networks import TransformerBackbone
from lit_gans.optim import TextAdam
from lit_gans.text import SPECIAL, draw_tokens, gaps, padding_mask

LABELLED, FOLDS, PENALTIES = 200, 5, (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
LABELS = ("number", "tense")


def model_of(name, data, arguments, steps):
    """A model with its schedule."""
    backbone = TransformerBackbone(arguments.width, arguments.layers, arguments.heads, dropout=arguments.dropout)
    cls = {"ELECTRA": ELECTRA, "MaskedLM": MaskedLM}[name]
    own = {"generator_share": arguments.share} if name == "ELECTRA" else {}
    return cls(
        text_shape=data.text_shape,
        backbone=backbone,
        optimizer=partial(TextAdam, lr=arguments.lr),
        scheduler=partial(OneCycleLR, max_lr=arguments.lr, total_steps=steps + 1, pct_start=0.1, cycle_momentum=False),
        **own,
    )


def cost(name, data, arguments):
    """Floating-point operations of one training step, forward and backward."""
    model = model_of(name, data, arguments, 1000)
    batch = next(iter(data.train_dataloader()))
    with FlopCounterMode(display=False) as counter:
        sum(model.loss({"tokens": batch["tokens"]}).values()).backward()
    return counter.get_total_flops()


def trained(name, data, arguments, steps, seed):
    """A model after its training, and the seconds that this took."""
    seed_everything(seed, verbose=False)
    model, start = model_of(name, data, arguments, steps), time.process_time()
    Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator=arguments.accelerator,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    ).fit(model, datamodule=data)
    return model.eval(), time.process_time() - start


# -------------------------------------------------------------------- replaced tokens


def curve(scores, replaced, original):
    """The area under the curve of two sets of tokens, given as masks (N, T)."""
    return float(area(torch.stack([histogram(scores[replaced]), histogram(scores[original])])))


def detection(model, data, tokens, rounds=10):
    """The areas, and the accuracy of the generator, over several draws of gaps."""
    found = {name: [] for name in ("scores", "original", "replaced", "breaks", "random", "other", "random_scores")}
    right = guessed = 0
    there = padding_mask(tokens)
    for seed in range(rounds):
        rng = torch.Generator().manual_seed(seed)
        chosen = gaps(tokens, model.masked, rng=rng)
        with model.inference_generator() as generator, torch.no_grad():
            logits = generator(chosen.tokens, chosen.places)
        truth = tokens.gather(1, chosen.places)
        right += int(((draw_tokens(logits, 0) == truth) & chosen.used).sum())
        guessed += int(chosen.used.sum())
        drawn = chosen.filled(tokens, draw_tokens(logits, model.temperature, rng))
        anything = torch.randint(len(SPECIAL), data.text_shape[1], truth.shape, generator=rng)
        random = chosen.filled(tokens, anything)
        found["scores"].append(model.realness(drawn))
        found["original"].append((drawn == tokens) & there)
        found["replaced"].append(drawn != tokens)
        found["breaks"].append(data.breaks(tokens, drawn))
        found["random_scores"].append(model.realness(random))
        found["random"].append(random != tokens)
        found["other"].append(~data.alike(tokens, random))
    f = {name: torch.cat(parts) for name, parts in found.items()}
    kept = ~f["random"] & there.repeat(rounds, 1)
    return {
        "breaks": curve(f["scores"], f["breaks"], f["original"]),
        "all": curve(f["scores"], f["replaced"], f["original"]),
        "random": curve(f["random_scores"], f["random"], kept),
        "random*": curve(f["random_scores"], f["other"], kept),
        "breaking tokens": int(f["breaks"].sum()),
        "guesses": right / guessed,
    }


# -------------------------------------------------------------------- probes


def fitted(features, labels, classes, penalty):
    """Weights (width + 1, classes) of a linear classifier with a penalty on their squares."""
    rows = torch.cat([features, torch.ones(len(features), 1)], 1)
    weights = torch.zeros(rows.shape[1], classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(rows @ weights, labels) + penalty * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach()


def accuracy(weights, features, labels):
    rows = torch.cat([features, torch.ones(len(features), 1)], 1)
    return float(((rows @ weights).argmax(1) == labels).float().mean())


def probe(model, data, arguments, label, seed):
    """The accuracy of a linear classifier on the features of the test sentences."""
    labelled = GrammarLines(count=arguments.count, label=label, seed=data.seed)
    labelled.setup()
    rows = torch.randperm(len(labelled.samples("train")), generator=torch.Generator().manual_seed(seed))[:LABELLED]
    sets = {}
    for split, chosen in (("train", rows), ("test", torch.arange(min(2000, len(labelled.samples("test")))))):
        batch = labelled.splits[split][chosen]
        texts = model.decode_text(batch["tokens"])
        sets[split] = model.encode_texts(texts), batch["label"]
    mean, spread = sets["train"][0].mean(0), sets["train"][0].std(0) + 1e-6
    (features, labels), (others, truth) = (((f - mean) / spread, y) for f, y in sets.values())
    classes, fold = labelled.num_classes, torch.arange(LABELLED) % FOLDS

    def held_out(penalty):
        return sum(
            accuracy(
                fitted(features[fold != k], labels[fold != k], classes, penalty), features[fold == k], labels[fold == k]
            )
            for k in range(FOLDS)
        )

    best = max(PENALTIES, key=held_out)
    return accuracy(fitted(features, labels, classes, best), others, truth)


# -------------------------------------------------------------------- runs


def run(name, arguments, steps, seed):
    data = GrammarLines(count=arguments.count, batch_size=arguments.batch_size, seed=0)
    data.setup()
    model, seconds = trained(name, data, arguments, steps, seed)
    model = model.cpu()
    found = {"model": name, "seed": seed, "steps": steps, "seconds": round(seconds), "width": arguments.width}
    tokens = data.splits["test"][torch.arange(min(1000, len(data.samples("test"))))]["tokens"]
    if name == "ELECTRA":
        found |= detection(model, data, tokens)
    else:
        chosen = gaps(tokens, model.masked, rng=torch.Generator().manual_seed(0))
        with model.inference_generator() as generator, torch.no_grad():
            guess = draw_tokens(generator(chosen.tokens, chosen.places), 0)
        found["guesses"] = float((guess == tokens.gather(1, chosen.places))[chosen.used].float().mean())
    return found | {f"probe {label}": probe(model, data, arguments, label, seed) for label in LABELS}


def table(records):
    """Means over the seeds, with the least and the largest value."""
    columns = ["breaks", "all", "random", "random*", "guesses", *(f"probe {label}" for label in LABELS), "seconds"]
    lines = ["| model | steps | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for name in dict.fromkeys(record["model"] for record in records):
        rows = [record for record in records if record["model"] == name]
        cells = []
        for column in columns:
            values = [row[column] for row in rows if column in row]
            spread = f" ({min(values):.3f}-{max(values):.3f})" if len(values) > 1 and column != "seconds" else ""
            shown = "" if not values else f"{statistics.mean(values):.{0 if column == 'seconds' else 3}f}{spread}"
            cells.append(shown)
        lines.append(f"| {name} | {rows[0]['steps']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=20_000, help="of ELECTRA; the masked model's cost the same")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--share", type=float, default=0.125, help="width of the generator, of the discriminator's")
    parser.add_argument("--count", type=int, default=50_000, help="training sentences")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--models", nargs="+", default=["ELECTRA", "MaskedLM"])
    parser.add_argument("--output", type=Path, default=Path("electra.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = GrammarLines(count=arguments.count, batch_size=arguments.batch_size, seed=0)
    data.setup()
    costs = {name: cost(name, data, arguments) for name in ("ELECTRA", "MaskedLM")}
    print(", ".join(f"{name}: {flops / 1e6:.0f} million operations a step" for name, flops in costs.items()))
    steps = {name: round(arguments.steps * costs["ELECTRA"] / flops) for name, flops in costs.items()}
    records = [json.loads(line) for line in arguments.output.open()] if arguments.output.exists() else []
    for seed in arguments.seeds:
        for name in arguments.models:
            key = {"model": name, "seed": seed, "steps": steps[name], "width": arguments.width}
            if not any(key.items() <= record.items() for record in records):
                records.append(run(name, arguments, steps[name], seed))
                with arguments.output.open("a") as file:
                    file.write(json.dumps(records[-1]) + "\n")
                print(json.dumps(records[-1]), flush=True)
    print(table(records))


if __name__ == "__main__":
    main()

"""How many modes each game finds: the table of docs/measures.md.

    python examples/benchmarks/mode_coverage.py --results coverage.jsonl --data ring grid --seeds 0 1 2 3 4
    python examples/benchmarks/mode_coverage.py --results coverage.jsonl --data stacked --seeds 0 1 2
    python examples/benchmarks/mode_coverage.py --results coverage.jsonl --table

Every game plays with the same networks, batches and steps on eight Gaussians on a ring, 25 on a grid, and stacked
MNIST, unless `MODELS` says otherwise. The averaged generator draws 2,500 points or 26,000 images: the protocol of
VEEGAN and PacGAN. Each result is appended to the results file as soon as it is there; what the file already has, by the
same settings, is not done again.
"""

import argparse
import json
import logging
import statistics
import time
import warnings
from functools import partial
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything

import lit_gans
from lit_gans.errors import NonFiniteLoss
from lit_gans.metrics.coverage import measure_coverage
from lit_gans.networks import DCGANBackbone, MLPBackbone
from lit_gans.optim import Adam, LinearDecay

# What every game gets. `end` is the last learning rate as a share of the first; what `backbone` and `arguments` do not
# take goes to the model's class.
PLANE = {
    "steps": 8_000,
    "batch_size": 256,
    "precision": "32-true",
    "latent_dim": 2,
    "generator_hidden": (256,) * 6,
    "discriminator_hidden": (128, 128, 128),
    "octaves": 0,
    "optimizer": Adam,
    "betas": (0.0, 0.99),
    "lr": 1e-3,
    "end": 0.05,
}
IMAGES = {**PLANE, "batch_size": 64, "precision": "bf16-mixed", "latent_dim": 100, "width": 48, "betas": (0.5, 0.99)}
DATA = {"ring": PLANE, "grid": PLANE, "stacked": IMAGES}

# What a game has of its own, on all sets or on one: {"all": {...}, "ring": {...}, "grid": {...}, "stacked": {...}}.
# Beside the settings above there are `discriminator_lr`, `generator_norm`, `discriminator_norm`, and `packing`, the
# images that the discriminator sees at once. A discriminator that is kept flat sees Fourier features of the point,
# `octaves` of them, so that it can tell what is near; against one that nothing bounds they let it win at once.
PENALISED = {"octaves": 5, "betas": (0.0, 0.99)}
MODELS = {
    "GAN": {},
    "LSGAN": {},
    "WGAN": {"all": {"optimizer": torch.optim.RMSprop, "lr": 5e-4, "clamp": 0.1}, "stacked": {"clamp": 0.03}},
    "WGANGP": {"all": {**PENALISED, "penalty": 0.1, "generator_every": 2}, "stacked": {"penalty": 10.0, "lr": 5e-4}},
    "DRAGAN": {"all": {**PENALISED, "penalty": 0.1}, "stacked": {"penalty": 10.0}},
    "SNGAN": {"all": {**PENALISED, "octaves": 2, "discriminator_norm": "spectral"}},
    "UnrolledGAN": {"all": {"unrolled_steps": 2, "discriminator_lr": 1e-4}},
    "PacGAN": {"all": {"packing": 2}},
    "R3GAN": {"all": {**PENALISED, "penalty": 0.02, "penalty_every": 8}, "stacked": {"penalty": 1.0}},
}
SCORES = ("modes", "high_quality", "kl", "confidence")


def settings_of(name, data, steps=None):
    """All settings of a game on a set."""
    own = MODELS[name]
    return {**DATA[data], **own.get("all", {}), **own.get(data, {}), **({"steps": steps} if steps else {})}


def backbone(given):
    """The networks' options, of the settings that describe them, which are taken out."""
    latent_dim, width, octaves = given.pop("latent_dim"), given.pop("width", None), given.pop("octaves")
    hidden = given.pop("generator_hidden"), given.pop("discriminator_hidden")
    norms = given.pop("generator_norm", None), given.pop("discriminator_norm", None)
    if width is None:
        return MLPBackbone(*hidden, latent_dim, norms[0] or "none", norms[1] or "none", octaves=octaves)
    return DCGANBackbone(width, latent_dim, generator_norm=norms[0] or "batch", discriminator_norm=norms[1])


def arguments(given, steps):
    """The optimizers and the schedule, of the settings that describe them, which are taken out."""
    optimizer, betas, lr = given.pop("optimizer"), given.pop("betas"), given.pop("lr")
    rest = {"betas": betas} if issubclass(optimizer, torch.optim.Adam) else {}
    return {
        "generator_optimizer": partial(optimizer, lr=lr, **rest),
        "discriminator_optimizer": partial(optimizer, lr=given.pop("discriminator_lr", lr), **rest),
        "scheduler": partial(LinearDecay, steps=steps, end=given.pop("end")),
    }


def run(name, kind, seed, settings, root, accelerator):
    """Trains and measures one model; its scores, or why there are none."""
    given = dict(settings)
    steps, size, precision = (given.pop(key) for key in ("steps", "batch_size", "precision"))
    seed_everything(seed, verbose=False)
    if kind == "stacked":
        data = lit_gans.StackedMNIST(root, batch_size=size, seed=seed)
        data.prepare_data()
    else:
        data = lit_gans.Gaussians(kind, batch_size=size, seed=seed)
    cls = getattr(lit_gans, name)
    networks = backbone(given)
    model = cls(image_shape=data.image_shape, backbone=networks, **arguments(given, steps), **given)
    trainer = Trainer(
        max_steps=steps,
        max_epochs=-1,
        precision=precision,
        accelerator=accelerator,
        devices=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    start = time.process_time()
    try:
        trainer.fit(model, datamodule=data)
    except NonFiniteLoss as error:
        return {"failed": str(error)}
    seconds = round(time.process_time() - start, 1)
    return {"seconds": seconds, **{k: float(v) for k, v in measure_coverage(model, data, seed).items()}}


def read(file):
    """The results so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(results):
    """Markdown, a table for each set and number of steps; of what was done twice, the last."""
    latest = {(r["data"], r["steps"], r["model"], r["seed"]): r for r in results}
    for kind, steps in dict.fromkeys((r["data"], r["steps"]) for r in latest.values()):
        rows = {m: [r for key, r in latest.items() if key[:3] == (kind, steps, m)] for m in MODELS}
        names = [n for n in SCORES if any(n in r for done in rows.values() for r in done)]
        header = [f"{kind}, {steps:,} steps", *(n.replace("_", " ") for n in names)]
        header += ["worst seed's modes and kl", "CPU seconds", "seeds"]
        print(f"\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
        for model, done in rows.items():
            ended = [r for r in done if "failed" not in r]
            if done:
                worst = max(ended, key=lambda r: (-r["modes"], r["kl"]), default=None)
                cells = [spread([r[n] for r in ended], n) for n in names]
                cells.append(f"{worst['modes']:.0f}, {worst['kl']:.3f}" if worst else "-")
                cells.append(f"{statistics.mean(r['seconds'] for r in ended):.0f}" if ended else "-")
                failed = f", {len(done) - len(ended)} diverged" if len(ended) < len(done) else ""
                print(f"| {model} | {' | '.join(cells)} | {len(done)}{failed} |")


def spread(values, name):
    """Mean and standard deviation."""
    if not values:
        return "-"
    digits = 1 if name == "modes" else 3
    deviation = statistics.stdev(values) if len(values) > 1 and max(values) < float("inf") else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f}"


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="instead of what the settings say")
    parser.add_argument("--results", type=Path, default=Path("coverage.jsonl"))
    parser.add_argument("--data-root", help="the folder that holds MNIST")
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--table", action="store_true", help="print what the results file has, and do nothing")
    given = parser.parse_args(words)
    if given.table:
        table(read(given.results))
        return
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    jobs = [(kind, seed, name) for kind in given.data for seed in given.seeds for name in given.models]
    for kind, seed, name in jobs:
        settings = settings_of(name, kind, given.steps)
        card = {"model": name, "data": kind, "seed": seed, "steps": settings["steps"]}
        card["settings"] = {k: getattr(v, "__name__", str(v)) for k, v in settings.items()}
        if any(all(done[key] == value for key, value in card.items()) for done in read(given.results)):
            continue
        result = {**card, **run(name, kind, seed, settings, given.data_root, given.accelerator)}
        with given.results.open("a") as file:
            file.write(json.dumps(result) + "\n")
        print({key: value for key, value in result.items() if key != "settings"}, flush=True)


if __name__ == "__main__":
    main()

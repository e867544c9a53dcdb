"""What games that are told a sentence draw of it, for equal processor time each.

    python examples/benchmarks/captions.py glyphs --minutes 8 --seeds 0 1 2
    python examples/benchmarks/captions.py celeba --minutes 24 --seeds 0 --models GANCLS

Glyphs: combinations of size, colour, character and ground that no training image has (``held_out``). A classifier of
all attributes, which has learned from real images of all combinations, reads samples of those captions: printed is how
many show each attribute, and all four at once, beside the same for real images of the same captions; the Fréchet
distance (FD) of the classifier's features; and the sharpness, for StackGAN that of its first stage enlarged
too.

CelebA: sentences of five attributes. Printed is the balanced accuracy of each attribute and their mean, of samples and,
by the same reader, of real faces that it has not learned from.

Minutes are of the process's own time, training alone, so that what else a machine does changes nothing; on a GPU they
are minutes of the clock. StackGAN's second stage begins after half of them. DFGAN-DCGAN is DFGAN's game with the
networks of the others.
"""

import argparse
import statistics
import time
from functools import partial
from pathlib import Path

import torch
from lightning.pytorch import Callback, seed_everything
from torch.nn.functional import interpolate

import lit_gans
from lit_gans.files import refuse_taken
from lit_gans.images.photos import write_picture
from lit_gans.images.shape import to_float
from lit_gans.images.sheet import captioned
from lit_gans.metrics import AttributeReader, FrechetDistance, Sharpness
from lit_gans.networks import DCGANBackbone, FusionBackbone
from lit_gans.optim import Adam

NEVER = 10**9
PLAIN = {"backbone": DCGANBackbone(width=32), "optimizer": partial(Adam, lr=1e-3, betas=(0.0, 0.99))}
MODELS = {
    "GANCLS": (lit_gans.GANCLS, PLAIN),
    "StackGAN": (lit_gans.StackGAN, {**PLAIN, "stage_one_steps": NEVER}),
    "DFGAN": (lit_gans.DFGAN, {**PLAIN, "backbone": FusionBackbone(width=16, hidden=64), "penalty_every": 16}),
    "DFGAN-DCGAN": (lit_gans.DFGAN, {**PLAIN, "penalty_every": 16}),  # the game with the others' networks
}


class Budget(Callback):
    """Ends a run after so many minutes; after half of them the second stage begins, if there is one."""

    def __init__(self, minutes):
        self.seconds, self.spent = 60 * minutes, 0.0
        self.clock = time.monotonic if torch.cuda.is_available() else time.process_time

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.began = self.clock()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.spent += self.clock() - self.began
        if getattr(pl_module, "stage_one_steps", 0) == NEVER and self.spent > self.seconds / 2:
            pl_module.stage_one_steps = trainer.global_step
        trainer.should_stop = trainer.should_stop or self.spent > self.seconds


def facts(data, split):
    """What a split's images show: the values (N,) of each attribute."""
    rows = data.read_captions(data.splits[split].values("caption"))
    return dict(zip(data.caption_attributes, rows.unbind(1), strict=True))


def some(data, split, count, seed=0):
    """Images uint8, tokens, captions and facts of at most ``count`` samples of a split."""
    samples = data.splits[split]
    rows = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))[:count]
    values = {name: known[rows] for name, known in facts(data, split).items()}
    picked = samples[rows]
    return picked["image"], picked["tokens"], picked["caption"], values


def open_data(given, stage=None, **more):
    """The data of a setting, loaded: all of it, or what a stage needs."""
    if given.setting == "celeba":
        data = lit_gans.CelebA(size=64, crop=140, captions=True, batch_size=64, **more)
    else:
        data = lit_gans.CaptionedGlyphs(size=32, **{"count": given.images, "held_out": 0.2, "batch_size": 64, **more})
    data.prepare_data()
    data.setup(stage)
    return data


def learn_reader(given, data):
    """A classifier of real images: of all combinations of glyphs, drawn anew, or of the training faces."""
    known = data if given.setting == "celeba" else open_data(given, "fit", count=given.readers, held_out=0.0, seed=9)
    images, _, _, values = some(known, "train", given.readers)
    return AttributeReader.learn(images, values, epochs=given.epochs)


def train(name, data, given, seed):
    """A model after its minutes, and how many batches it has seen."""
    seed_everything(seed, verbose=False)
    cls, options = MODELS[name]
    model = cls(image_shape=data.image_shape, text_shape=data.text_shape, **options)
    trainer = lit_gans.Trainer(
        max_epochs=-1,
        precision=given.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        default_root_dir=given.output,
        callbacks=[Budget(given.minutes)],
    )
    trainer.fit(model, data)
    return model.eval(), trainer.global_step


def distance(network, real, fake):
    """The Fréchet distance between features of a classifier."""
    metric = FrechetDistance()
    for images, is_real in ((real, True), (fake, False)):
        for part in images.split(500):
            metric.update(network(part), is_real)
    return float(metric.compute())


def sharpness(images):
    metric = Sharpness()
    metric.update(images)
    return float(metric.compute())


def scores(reader, images, values, balanced):
    """The shares of a reader, with the mean of its attributes where they are not about equally frequent."""
    found = reader.score(images, values, balanced)
    return {**found, "mean": statistics.mean(found[name] for name in values)} if balanced else found


def measure(model, reader, held, balanced):
    """All values of a model by name, and its samples."""
    images, tokens, _, values = held
    fakes = model.sample(seed=0, text=tokens).cpu()
    found = scores(reader, fakes, values, balanced)
    found["FD"] = distance(reader.network, to_float(images), fakes)
    found["sharpness"] = sharpness(fakes)
    if model.stages > 1:
        small = model.sample(seed=0, text=tokens, stage=1).cpu()
        enlarged = interpolate(small, size=fakes.shape[2:], mode="bilinear").clamp(-1, 1)
        found["sharpness of stage I enlarged"] = sharpness(enlarged)
        found["all, of stage I enlarged"] = reader.score(enlarged, values, balanced)["all"]
    return found, fakes


def row(name, runs):
    """A line of a table: mean and deviation over the runs."""
    cells = []
    for key in runs[0]:
        values = [run[key] for run in runs]
        spread = f" ± {statistics.stdev(values):.3g}" if len(values) > 1 else ""
        cells.append(f"{statistics.mean(values):.3g}{spread}")
    return f"| {name} | {' | '.join(cells)} |"


def header(runs):
    return f"| model | {' | '.join(runs[0])} |\n|---|{'---|' * len(runs[0])}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=("glyphs", "celeba"))
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--images", type=int, default=20_000, help="training images of the glyphs")
    parser.add_argument("--readers", type=int, default=20_000, help="images that the reader learns from")
    parser.add_argument("--epochs", type=int, default=8, help="of the reader")
    parser.add_argument("--count", type=int, default=2000, help="samples that are read")
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--output", type=Path, default=Path("captions"), help="where pictures and checkpoints go")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    given = parser.parse_args()
    names = [f"{name}-{given.setting}-{seed}.ckpt" for name in given.models for seed in given.seeds]
    refuse_taken(*(given.output / name for name in names), force=given.force)
    data = open_data(given)
    reader = learn_reader(given, data)
    balanced = given.setting == "celeba"
    if balanced:
        held, others = (some(data, split, given.count) for split in ("test", "val"))
    else:  # drawn anew, since the test split has a tenth of the images of training
        sets = (open_data(given, "test", count=10 * given.count, seed=seed) for seed in (1, 2))
        held, others = (some(each, "test", given.count) for each in sets)
    apart = distance(reader.network, to_float(held[0]), to_float(others[0]))
    real = scores(reader, held[0], held[3], balanced) | {"FD": apart, "sharpness": sharpness(to_float(held[0]))}
    print(f"{header([real])}\n{row(f'{len(held[0])} real images', [real])}\n", flush=True)
    given.output.mkdir(parents=True, exist_ok=True)
    for name in given.models:
        runs = []
        for seed in given.seeds:
            model, steps = train(name, data, given, seed)
            found, fakes = measure(model, reader, held, balanced)
            runs.append({**found, "batches": steps})
            lit_gans.save(model, given.output / f"{name}-{given.setting}-{seed}.ckpt", force=given.force)
            picture = captioned(fakes[:32], held[2][:32], columns=8)
            write_picture(picture, given.output / f"{name}-{given.setting}-{seed}.png")
            print(f"seed {seed}: {row(name, runs[-1:])}", flush=True)
        print(f"\n{header(runs)}\n{row(name, runs)}\n", flush=True)


if __name__ == "__main__":
    main()

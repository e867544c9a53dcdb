"""How well the transformer that draws does what it is told, and how fast; what its tokenizer keeps of images.

    python examples/benchmarks/drawing.py --minutes 6 20 --seeds 0 1 2

Captioned glyphs: a fifth of the combinations of size, colour, character and ground is in no training image
(``held_out``). First a DiscreteVAE is trained on the training images, then a TextToImageTransformer on its codes, each
for so many minutes of the process's own time, training alone (on a GPU, of the clock).

Printed is, of the tokenizer: the mean squared error of held-out images, the share of the codes that are chosen for the
validation split, and their perplexity. Of the transformer: the share of samples of held-out captions in which a
classifier of real images reads each attribute as told, and all four at once; the same for real images of those captions
and for what the tokenizer makes of these, which no transformer can exceed by much. Then the images that it draws in a
second, 64 at a time, with and without the cache of keys and values.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import torch
from captions import Budget, header, learn_reader, open_data, row, some
from lightning.pytorch import seed_everything

import lit_gans
from lit_gans.core.image_tokens import code_use
from lit_gans.files import refuse_taken
from lit_gans.images.grid import beside, grid
from lit_gans.images.photos import write_picture
from lit_gans.images.shape import to_float
from lit_gans.images.sheet import captioned
from lit_gans.networks import TransformerBackbone
from lit_gans.optim import LinearDecay, TextAdam

ALL = "all"


def fit(model, data, minutes, given):
    """Trains for so many minutes; how many batches that were."""
    trainer = lit_gans.Trainer(
        max_epochs=-1,
        precision=given.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        default_root_dir=given.output,
        callbacks=[Budget(minutes)],
    )
    trainer.fit(model, data)
    model.eval()
    return trainer.global_step


def batches_in(make, data, minutes, given):
    """How many batches so many minutes have: schedules have to know it."""
    seed_everything(0, verbose=False)
    share = 0.05
    return max(20, int(fit(make(1000), data, share * minutes, given) / share))


def tokenizer(data, given, seed):
    """A DiscreteVAE after its minutes, and its values by name."""

    def make(steps):
        return lit_gans.DiscreteVAE(
            image_shape=data.image_shape,
            codes=given.codes,
            width=given.tokenizer_width,
            kl=given.kl,
            temperature_steps=steps,
            ema_decay=0.99,
            optimizer=partial(TextAdam, lr=3e-3),
            scheduler=partial(LinearDecay, steps=steps, end=0.05),
        )

    steps = batches_in(make, data, given.minutes[0], given)
    seed_everything(seed, verbose=False)
    model = make(steps)
    done = fit(model, data, given.minutes[0], given)
    images = to_float(some(data, "val", given.count)[0])
    codes = model.encode(images)
    use = code_use(torch.bincount(codes.flatten(), minlength=model.codes))
    error = (model.decode(codes) - images).square().mean()
    return model, {"MSE": float(error), **{name: float(value) for name, value in use.items()}, "batches": done}


def transformer(tokens, data, given, seed):
    """A TextToImageTransformer after its minutes, and how many batches it has seen."""

    def make(steps):
        return lit_gans.TextToImageTransformer(
            tokenizer=tokens,
            image_shape=data.image_shape,
            text_shape=data.text_shape,
            backbone=TransformerBackbone(given.width, given.layers, 4, given.dropout),
            ema_decay=0.995,
            scheduler=partial(LinearDecay, steps=steps, end=0.02),
        )

    steps = batches_in(make, data, given.minutes[1], given)
    seed_everything(seed, verbose=False)
    model = make(steps)
    return model, fit(model, data, given.minutes[1], given)


def speed(model, count=64):
    """Images a second that are drawn with the cache, and without it."""
    found = {}
    for name, cache in (("with the cache", True), ("without", False)):
        model.sample(count, seed=0, cache=cache)
        began, drawn = time.perf_counter(), 0
        while drawn < 3 * count or time.perf_counter() - began < 5:
            model.sample(count, seed=drawn, cache=cache)
            drawn += count
        found[name] = drawn / (time.perf_counter() - began)
    return {**found, "times": found["with the cache"] / found["without"]}


def table(name, runs):
    print(f"\n{header(runs)}\n{row(name, runs)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", nargs=2, type=float, default=[6.0, 20.0], help="tokenizer, transformer")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=16_000, help="training images")
    parser.add_argument("--codes", type=int, default=128)
    parser.add_argument("--tokenizer-width", type=int, default=64)
    parser.add_argument("--kl", type=float, default=6e-3, help="of the tokenizer: more of it, more codes are used")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0.0, help="of the transformer; it costs a sixth of a step")
    parser.add_argument("--guidance", nargs="+", type=float, default=[1.0, 2.0])
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=None)
    parser.add_argument("--readers", type=int, default=20_000, help="images that the readers learn from")
    parser.add_argument("--epochs", type=int, default=5, help="of the readers")
    parser.add_argument("--count", type=int, default=2000, help="samples that are read")
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--output", type=Path, default=Path("drawing"), help="where pictures and checkpoints go")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    given = parser.parse_args()
    given.setting = "glyphs"
    names = [f"{kind}-{seed}.ckpt" for kind in ("tokenizer", "transformer") for seed in given.seeds]
    refuse_taken(*(given.output / name for name in names), force=given.force)
    given.output.mkdir(parents=True, exist_ok=True)
    data = open_data(given, batch_size=32)
    readers = learn_reader(given, data)
    held = some(open_data(given, "test", count=10 * given.count, seed=1), "test", given.count)
    images, words, texts, values = to_float(held[0]), *held[1:]
    tokens_of, real, told, pace = [], [], {s: [] for s in given.guidance}, []
    for seed in given.seeds:
        first, found = tokenizer(data, given, seed)
        lit_gans.save(first, given.output / f"tokenizer-{seed}.ckpt", force=given.force)
        tokens_of.append(found)
        kept = first.reconstruct(images)
        write_picture(grid(beside([images[:32], kept[:32]])), given.output / f"tokenizer-{seed}.png")
        real.append(readers.score(kept, values))
        model, done = transformer(first, data, given, seed)
        lit_gans.save(model, given.output / f"transformer-{seed}.ckpt", force=given.force)
        for guidance in given.guidance:
            options = {"guidance": guidance, "temperature": given.temperature, "top_k": given.top_k}
            drawn = model.sample(seed=0, text=words, **options).cpu()
            told[guidance].append({**readers.score(drawn, values), "batches": done})
            name = f"transformer-{seed}-guidance-{guidance:g}.png"
            write_picture(captioned(drawn[:32], texts[:32], columns=8), given.output / name)
        pace.append(speed(model))
        print(f"seed {seed}: {found} {real[-1]} {told} {pace[-1]}", flush=True)
    table("DiscreteVAE", tokens_of)
    table("real images", [readers.score(images, values)])
    table("real images through the tokenizer", real)
    for guidance, runs in told.items():
        table(f"TextToImageTransformer, guidance {guidance:g}", runs)
    table("images a second, 64 at a time", pace)


if __name__ == "__main__":
    main()

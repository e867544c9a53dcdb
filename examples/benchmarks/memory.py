"""What a training step holds at its fullest, here and in a bare PyTorch loop.

    python examples/benchmarks/memory.py [--models DCGAN CycleGAN] [--size 64] [--batch 8] [--precision bf16-mixed]

Both have the same networks, losses, optimizers and averaged generator, and get the same batches of noise. PyTorch's
profiler writes down every tensor that is made and let go, from the first weight on; the figures are the most megabytes
that are alive at once in the first batches of a run, weights and optimizers included. Translators get one image a
batch. ``--recompute`` compares a bare loop with one whose networks compute their maps again, in memory and processor
time, for the models whose backbone has that option.
"""

import argparse
import gc
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import accumulate

from lightning.pytorch import Trainer, seed_everything
from loops import MODELS, Loop, made, noise
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader

from lit_gans import BaseGAN

Steps = Callable[[BaseGAN, list[dict[str, Tensor]], str, str], None]


def ours(model: BaseGAN, batches: list[dict[str, Tensor]], precision: str, folder: str) -> None:
    """A run of Lightning's loop."""
    trainer = Trainer(
        max_steps=len(batches),
        accelerator="cpu",
        devices=1,
        precision=precision,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(model, DataLoader(batches, batch_size=None))


def bare(model: BaseGAN, batches: list[dict[str, Tensor]], precision: str, folder: str) -> None:
    """The same steps without Lightning."""
    Loop(model, batches, precision).run(len(batches))


def peak(loop: Steps, name: str, given: argparse.Namespace, folder: str, **options: bool) -> float:
    """The most megabytes of tensors that are alive at once, from the making of the model to the end of the loop."""
    seed_everything(0, verbose=False)
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        model = made(name, given.size, **options)
        loop(model, noise(model, given.size, given.batch, given.steps), given.precision, folder)
    events = [e for e in watched.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(accumulate(changes)) / 1e6


def slowdown(name: str, given: argparse.Namespace, folder: str) -> float:
    """Processor time with recomputed maps over that with kept ones, the median of three rounds."""
    models = [made(name, given.size, recompute=recompute) for recompute in (False, True)]
    batches = noise(models[0], given.size, given.batch, given.steps)
    ratios = []
    for _ in range(3):
        times = []
        for model in models:
            start = time.process_time()
            bare(model, batches, given.precision, folder)
            times.append(time.process_time() - start)
        ratios.append(times[1] / times[0])
    return statistics.median(ratios)


def row(name: str, given: argparse.Namespace, folder: str) -> str:
    """A line of the table."""
    if given.recompute:
        kept, again = (peak(bare, name, given, folder, recompute=recompute) for recompute in (False, True))
        return f"| {name} | {kept:.1f} | {again:.1f} | {again / kept:.2f} | {slowdown(name, given, folder):.2f} |"
    theirs, mine = (peak(loop, name, given, folder) for loop in (bare, ours))
    return f"| {name} | {theirs:.1f} | {mine:.1f} | {mine / theirs:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="MODEL")
    parser.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    parser.add_argument("--batch", type=int, default=8, help="images a batch; translators get one")
    parser.add_argument("--steps", type=int, default=2, help="batches of a run")
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed"), default="32-true")
    parser.add_argument("--recompute", action="store_true", help="compare kept maps with recomputed ones instead")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    print(f"{given.size}x{given.size}, {given.batch} images a batch, {given.precision}")
    if given.recompute:
        print("| model | maps kept, MB | recomputed, MB | memory | time |\n|---|---|---|---|---|", flush=True)
    else:
        print("| model | bare loop, MB | lit_gans, MB | ratio |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in given.models:
            print(row(name, given, folder), flush=True)


if __name__ == "__main__":
    main()

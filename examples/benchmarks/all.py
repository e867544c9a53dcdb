"""One table of what things cost here, each against something else in the same run.

    python examples/benchmarks/all.py [--models DCGAN CycleGAN] [--size 32] [--batch 64] [--output all.json]

For each of ten models, in turns, block by block, so that whatever else happens on the machine happens to all of them:

    step        time of a training step in our Trainer, every default on, over that of a bare PyTorch loop
    tutorial    images a second here over those of the usual tutorial loop (see `loops.py`), both in float32
    best        the same with bf16-mixed here, and the tutorial loop in float32 as before
    bf16        the bare loop's time in float32 over that in bf16-mixed
    compiled    the same for compiled players (only with --compiled: it takes a minute a model)
    sampling    ``model.sample(64)``, over a plain forward of the generator
    memory      most bytes of tensors that are alive at once in a step, over the bare loop's

Then, for the machine: start-up (``from lit_gans import DCGAN``, over ``import torch, lightning``), evaluation (density
and coverage of samples, over distances in float64), and, with two cores, two runs at once and one beside a busy
process, over one alone.

A figure is the median of the ratios of all rounds, and their quartiles. ``--output`` writes all of it as JSON, too.
"""

import argparse
import itertools
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from busy import CASES, steps_a_second
from lightning.pytorch import Callback, seed_everything
from loops import MODELS, Loop, made, noise
from memory import bare as bare_steps
from memory import ours as our_steps
from memory import peak
from torch.utils.data import DataLoader

import lit_gans
from lit_gans.metrics.manifold import DensityCoverage

OURS = "ours"


class Turns(Callback):
    """Lets other loops run whenever the Trainer has run as many batches."""

    def __init__(self, loops, steps, rounds):
        self.loops, self.steps, self.rounds = loops, steps, rounds
        self.times, self.start = [], None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step % self.steps:
            return
        block = {} if self.start is None else {OURS: time.perf_counter() - self.start}
        with torch.enable_grad():
            block |= {name: loop.run(self.steps) for name, loop in self.loops.items()}
        if self.start is not None:  # the first round warms up
            self.times.append(block)
        trainer.should_stop = len(self.times) >= self.rounds
        self.start = time.perf_counter()


def steps_of(name, given, folder):
    """The ratios of all loops of a model, by what they are called in the table."""
    kinds = {"bare": {}, "tutorial": {"tutorial": True}, "bf16": {"precision": "bf16-mixed"}}
    if given.compiled:
        kinds["compiled"] = {"compiled": True}
    times = beside(name, given, folder, "32-true", kinds)
    mixed = beside(name, given, folder, "bf16-mixed", {"tutorial": {"tutorial": True}})
    model = made(name, given.size, **given.options)
    return {
        "step": [block[OURS] / block["bare"] for block in times],
        "tutorial": [block["tutorial"] / block[OURS] for block in times],
        "best": [block["tutorial"] / block[OURS] for block in mixed],
        **{kind: [block["bare"] / block[kind] for block in times] for kind in list(kinds)[2:]},
        "sampling": sampling(model, model.generator, given.turns[1]) if model.draws else [],
    }


def beside(name, given, folder, precision, kinds):
    """Seconds of each block of our Trainer and of other loops, one dict a round."""
    model = made(name, given.size, **given.options)
    batches = noise(model, given.size, given.batch, 4)
    turns = Turns(
        {kind: Loop(made(name, given.size, **given.options), batches, **own) for kind, own in kinds.items()},
        *given.turns,
    )
    count = given.turns[0] * (given.turns[1] + 1)
    trainer = lit_gans.Trainer(
        max_epochs=1,
        limit_val_batches=0,
        callbacks=[turns],
        accelerator="cpu",
        devices=1,
        precision=precision,
        default_root_dir=folder,
        report=False,
    )
    trainer.fit(model, DataLoader([*itertools.islice(itertools.cycle(batches), count)], batch_size=None))
    return turns.times


def sampling(model, network, rounds):
    """Time of ``sample(64)`` over that of the network alone, which gets noise and labels."""
    network.eval()
    condition = [torch.eye(10)[torch.arange(64) % 10]] if model.num_classes else []
    ratios = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        model.sample(64, seed=0)
        middle = time.perf_counter()
        with torch.inference_mode():
            network(torch.randn(64, model.latent_dim), *condition)
        ratios.append((middle - began) / (time.perf_counter() - middle))
    return ratios[1:]


def start_up(rounds):
    """Time of an import of ours over that of what it stands on."""

    def seconds(words):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", words], check=True)
        return time.perf_counter() - began

    return [seconds("from lit_gans import DCGAN") / seconds("import torch, lightning.pytorch") for _ in range(rounds)]


def evaluation(rounds, count=4_000, size=128):
    """Time of density and coverage over that of three matrices of distances in float64 and their fifth neighbours."""
    real, fake = torch.randn(2, count, size, generator=torch.Generator().manual_seed(0))
    ratios = []
    for _ in range(rounds):
        began = time.perf_counter()
        metric = DensityCoverage()
        metric.update(real, real=True)
        metric.update(fake, real=False)
        metric.compute()
        middle = time.perf_counter()
        radii = torch.cdist(real.double(), real.double()).kthvalue(6, 1).values
        inside = torch.cdist(real.double(), fake.double()) < radii[:, None]
        assert 0 < inside.any(1).double().mean() <= 1
        ratios.append((middle - began) / (time.perf_counter() - middle))
    return ratios


def company(rounds, seconds=8.0):
    """Steps a second beside a busy process and of two runs together, over those of one alone."""
    found = [{case: steps_a_second("1000", case, seconds) for case in CASES} for _ in range(rounds)]
    return {case: [each[case] / each[CASES[0]] for each in found] for case in CASES[1:]}


def summary(ratios):
    """Median and quartiles."""
    if len(ratios) < 2:
        return {"median": ratios[0], "low": ratios[0], "high": ratios[0]} if ratios else None
    low, _, high = statistics.quantiles(ratios, n=4)
    return {"median": statistics.median(ratios), "low": low, "high": high}


def shown(figure):
    return "" if figure is None else f"{figure['median']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="MODEL")
    parser.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    parser.add_argument("--width", type=int, help="of the networks, by default the model's, 16 or 32 for translators")
    parser.add_argument("--batch", type=int, default=64, help="images a batch; translators get one")
    parser.add_argument("--turns", type=int, nargs=2, default=(5, 8), metavar=("STEPS", "ROUNDS"))
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--output", type=Path, help="JSON file")
    given = parser.parse_args()
    given.options = {} if given.width is None else {"width": given.width}
    if given.output and given.output.exists():
        parser.error(f"{given.output} is there already: name another file")
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    columns = ["step", "tutorial", "best", "bf16", *(["compiled"] if given.compiled else []), "sampling", "memory"]
    threads = torch.get_num_threads()
    found = {"cores": os.cpu_count(), "threads": threads, "torch": torch.__version__, "size": given.size}
    found |= {"batch": given.batch, "models": {}, "machine": {}}
    print(f"{given.size}x{given.size}, {given.batch} images a batch, {threads} threads; median (quartiles)\n")
    print(f"| model | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}", flush=True)
    for name in given.models:
        seed_everything(0, verbose=False)
        with tempfile.TemporaryDirectory() as folder:
            ratios = steps_of(name, given, folder)
            few = argparse.Namespace(size=given.size, batch=min(given.batch, 8), steps=2, precision="32-true")
            peaks = [peak(loop, name, few, folder) for loop in (our_steps, bare_steps)]
        figures = {kind: summary(each) for kind, each in {**ratios, "memory": [peaks[0] / peaks[1]]}.items()}
        found["models"][name] = figures
        print(f"| {name} | {' | '.join(shown(figures[kind]) for kind in columns)} |", flush=True)
    rounds = max(3, given.turns[1] // 2)
    machine = {"start-up": start_up(rounds), "evaluation": evaluation(rounds)}
    machine |= company(rounds) if len(os.sched_getaffinity(0)) > 1 else {}  # on one core nothing is beside another
    print("\n| machine | ratio |\n|---|---|")
    for kind, ratios in machine.items():
        found["machine"][kind] = summary(ratios)
        print(f"| {kind} | {shown(found['machine'][kind])} |", flush=True)
    if given.output:
        given.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

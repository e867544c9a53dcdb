"""Images a second of one process and of two that train together, and whether several processes keep the same weights.

    python examples/benchmarks/devices.py [--model DCGAN] [--size 64] [--batch 64] [--rounds 10] [--steps 5]
    python examples/benchmarks/devices.py --equal [DCGAN,VAE] [--steps 100]

The first command takes two cores. One process, pinned to a core of its own, and two (gloo), pinned to a core each, take
turns, block by block, so that whatever else happens on the machine happens to both. Every process has batches of
``--batch`` images and one thread. The two take turns with themselves, too: gradients that travel while backward runs,
and gradients that travel after it. So the table also says which share of the travelling time is hidden. A process that
waits for gradients waits for the slower process, too, so that this share means something on a quiet machine alone.
Figures are medians over the rounds, with the range from the 10th to the 90th percentile; ratios are taken within a
round.

The second command trains every model (as small as the tests have it) on two processes, and compares all their tensors
at the end. ``--steps 100`` takes minutes.
"""

import argparse
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

CASES = ("one process", "two processes", "two, gradients sent after backward")
TESTS = Path(__file__).parents[2] / "tests"
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "limit_val_batches": 0,
    "accelerator": "cpu",
}


def join(rank, world, port):
    """Makes this process one of a run, as torchrun or SLURM would."""
    import torch

    torch.set_num_threads(1)
    if world > 1:
        places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": world, "NODE_RANK": 0}
        os.environ.update({name: str(value) for name, value in {**places, "LOCAL_RANK": rank}.items()})


def train(rank, world, port, cores, pipe, options):
    """A process that trains a block of steps whenever it is told to, and reports what the block took."""
    join(rank, world, port)
    import torch.distributed as dist
    from lightning.pytorch import Callback, Trainer

    import lit_gans
    from lit_gans.core import game, reduction
    from lit_gans.training.quiet import quiet

    spent = {"exposed": 0.0, "bytes": 0, "messages": 0}
    all_reduce = dist.all_reduce

    def counted(tensor, *arguments, **named):
        spent["bytes"] += tensor.nbytes
        spent["messages"] += 1
        return all_reduce(tensor, *arguments, **named)

    class Timed(reduction.MeanGradients):
        early = True

        def __enter__(self):
            return super().__enter__() if self.early else self

        def __exit__(self, *error):
            begun = time.perf_counter()
            super().__exit__(*error)
            spent["exposed"] += time.perf_counter() - begun

    dist.all_reduce, game.MeanGradients = counted, Timed

    class Blocks(Callback):
        def begin(self):
            turn = pipe.recv()
            if turn is None:
                return False
            os.sched_setaffinity(0, {cores[(rank + turn["round"]) % len(cores)]})
            Timed.early = turn["early"]
            spent.update(dict.fromkeys(spent, 0))
            self.begun = time.perf_counter()
            return True

        def on_train_start(self, trainer, model):
            self.begin()

        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step % options.steps == 0:
                pipe.send({"seconds": time.perf_counter() - self.begun, **spent})
                trainer.should_stop = not self.begin()

    count = max(100, 10 * options.batch * world)
    data = lit_gans.Glyphs("01", size=options.size, count=count, batch_size=options.batch)
    model = getattr(lit_gans, options.model)(image_shape=(1, options.size, options.size))
    with quiet():
        Trainer(max_epochs=-1, devices=world, callbacks=[Blocks()], **QUIET).fit(model, data)


def speeds(options):
    """Lets the processes take turns and prints the table."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    assert len(cores) == 2, "this takes two cores"
    one, two = started(1, train, cores, options), started(2, train, cores, options)
    rounds = []
    for number in range(options.rounds + 1):
        rounds.append([block(one, number, True), block(two, number, True), block(two, number, False)])
    for _, pipe in (*one, *two):
        pipe.send(None)
    for process, _ in (*one, *two):
        process.join()
    rounds = rounds[1:]  # the first one warms up
    images = options.steps * options.batch
    print(f"{options.model} {options.size}x{options.size}, batches of {options.batch}, one thread a process")
    found = [[images * world / row[case]["seconds"] for row in rounds] for case, world in enumerate((1, 2, 2))]
    for name, values in zip(CASES, found, strict=True):
        print(f"{name:42} {spread(values)} images a second")
    for name, values in zip(CASES[1:], found[1:], strict=True):
        ratios = [both / alone for both, alone in zip(values, found[0], strict=True)]
        print(f"{name + ' / one':42} {spread(ratios, 2)}")
    shown = rounds[0][1]
    print(f"{shown['bytes'] / options.steps / 1e6:.1f} MB a step in {shown['messages'] / options.steps:.0f} reductions")
    waits = [[1000 * row[case]["exposed"] / options.steps for row in rounds] for case in (1, 2)]
    hidden = 1 - statistics.median(waits[0]) / statistics.median(waits[1])
    print(f"waiting for gradients: {spread(waits[0])} ms a step, {spread(waits[1])} ms for those sent after backward")
    print(f"{hidden:.0%} of the time of travelling is hidden")


def started(world, work, *arguments):
    """The processes of a run, each with the pipe to it."""
    context = multiprocessing.get_context("spawn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    members = []
    for rank in range(world):
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(rank, world, port, *arguments[:-1], theirs, arguments[-1]))
        process.start()
        members.append((process, ours))
    return members


def block(members, number, early):
    """Lets a run do its next block; what its slowest process reports."""
    for _, pipe in members:
        pipe.send({"round": number, "early": early})
    reports = [pipe.recv() for _, pipe in members]
    return max(reports, key=lambda report: report["seconds"])


def spread(values, digits=1):
    """The median, and the range of the middle four fifths."""
    tenths = statistics.quantiles(values, n=10, method="inclusive") if len(values) > 1 else [values[0]]
    return f"{statistics.median(values):.{digits}f} ({tenths[0]:.{digits}f} to {tenths[-1]:.{digits}f})"


def keep(rank, world, port, folder, pipe, options):
    """A process that trains small models, one after the other, and keeps their tensors."""
    join(rank, world, port)
    sys.path.insert(0, str(TESTS))
    import torch
    from conftest import EVERY_MODEL, data_for, small
    from lightning.pytorch import Trainer, seed_everything

    from lit_gans.training.quiet import quiet

    wanted = options.equal.split(",") if options.equal else [cls.__name__ for cls in EVERY_MODEL]
    for cls in EVERY_MODEL:
        if cls.__name__ in wanted:
            seed_everything(0, verbose=False)
            model, data = small(cls), data_for(cls, count=160)
            with quiet():
                Trainer(max_steps=options.steps, devices=world, default_root_dir=folder, **QUIET).fit(model, data)
            torch.save(model.state_dict(), f"{folder}/{cls.__name__}.{rank}")
            pipe.send(cls.__name__)
    pipe.send(None)


def compare(options):
    """Prints for every model whether the processes ended with the same tensors."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        members = started(2, keep, folder, options)
        worst = 0
        while names := {pipe.recv() for _, pipe in members} - {None}:
            (name,) = names
            first, second = (torch.load(f"{folder}/{name}.{rank}", weights_only=True) for rank in (0, 1))
            unlike = [key for key in first if not torch.equal(first[key], second[key])]
            own = [key for key in unlike if key.startswith("pool_")]  # every process keeps fakes of its own
            worst += len(unlike) - len(own)
            said = f"{len(unlike) - len(own)} differ: {unlike[:3]}" if len(unlike) > len(own) else "all equal"
            print(f"{name:24} {options.steps} steps, {len(first)} tensors, {said}", flush=True)
    for process, _ in members:
        process.join()
    sys.exit(bool(worst))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="DCGAN")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=5, help="of a block; with --equal, of a run")
    parser.add_argument("--equal", nargs="?", const="", default=None, help="names of models, by default all")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    (speeds if given.equal is None else compare)(given)

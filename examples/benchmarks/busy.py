"""Steps a second where the machine is not alone, by how long threads that wait keep their cores.

    python examples/benchmarks/busy.py
    python examples/benchmarks/busy.py --spins default 20000 1000 --seconds 20 --rounds 3

A thread that has done its part waits for the others. It spins: it asks again and again, so that it is there at once
when it is needed. Where another process wants the core, the thread that works waits for the one that spins.
``GOMP_SPINCOUNT`` (Linux) says how often a thread asks before it sleeps.

DCGAN at 32x32, batches of 64, as many threads as cores: alone, beside one process that is always busy, and two runs at
once. All take turns, in every round anew. Printed are steps a second, the medians over the rounds, and each one's ratio
to the same round's default alone; for two runs it is that of both together.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASES = ("alone", "beside a busy process", "two runs at once")


def work():
    """Trains without an end, and prints the time of every batch."""
    from lightning.pytorch import Callback

    import lit_gans
    from lit_gans.networks import DCGANBackbone

    class Times(Callback):
        def on_train_batch_end(self, *_):
            print(time.monotonic(), flush=True)

    data = lit_gans.Glyphs(size=32, count=640, batch_size=64)
    model = lit_gans.DCGAN(image_shape=data.image_shape, backbone=DCGANBackbone(width=32))
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lit_gans.Trainer(max_epochs=-1, limit_val_batches=0, callbacks=[Times()], accelerator="cpu", **off)
    trainer.fit(model, data)


def started(spins):
    """A process that trains."""
    given = {**os.environ} | ({} if spins == "default" else {"GOMP_SPINCOUNT": spins})
    words = [sys.executable, str(Path(__file__)), "--work"]
    return subprocess.Popen(words, env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def steps_a_second(spins, case, seconds):
    """The steps of all runs of a case together, by the time of the clock, after ten steps each."""
    runs = [started(spins) for _ in range(2 if case == CASES[2] else 1)]
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"])] if case == CASES[1] else []
    try:
        for run in runs:
            for _ in range(10):
                while not run.stdout.readline()[:1].isdigit():
                    assert run.poll() is None, "the run has ended"
        began = time.monotonic()
        time.sleep(seconds)
        ended = time.monotonic()
    finally:
        for process in runs + others:
            process.kill()
    times = [float(line) for run in runs for line in run.communicate()[0].splitlines() if line[:1].isdigit()]
    return sum(began < at < ended for at in times) / (ended - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spins", nargs="+", default=["default", "100000", "20000", "5000", "1000", "0"])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work()
        return
    found = {(spins, case): [] for spins in given.spins for case in CASES}
    for number in range(given.rounds):
        for spins, case in found:
            found[spins, case].append(steps_a_second(spins, case, given.seconds))
        print(f"round {number + 1} of {given.rounds} is done", file=sys.stderr, flush=True)
    first = found[given.spins[0], CASES[0]]
    print(f"{os.cpu_count()} cores, {os.getloadavg()[0]:.1f} processes running at the end\n")
    print(f"| GOMP_SPINCOUNT | {' | '.join(CASES)} |\n|---|---|---|---|")
    for spins in given.spins:
        cells = []
        for case in CASES:
            ratios = [value / alone for value, alone in zip(found[spins, case], first, strict=True)]
            cells.append(f"{statistics.median(found[spins, case]):.2f} ({statistics.median(ratios):.2f})")
        print(f"| {spins} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

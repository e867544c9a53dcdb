"""What a training step costs where the C library keeps freed memory, and where it gives it back to the system.

    python examples/benchmarks/allocation.py [--models Pix2Pix GAN DCGAN] [--size 128] [--width 64]

Processor time of steps of a plain loop (`loops.py`), block by block in turns: with the thresholds that GNU's C library
reaches by itself (32 and 64 MiB), and with those that commands set (`lit_gans.cli.waiting.keep_memory`). Then the bytes
a second of the optimizer and of the average of the first model, beside those of a plain copy.
"""

import argparse
import ctypes
import resource
import statistics
import time

import torch
from loops import Loop, made, noise

from lit_gans.cli.waiting import _MMAP, _TRIM, keep_memory


def give_back():
    mallopt = ctypes.CDLL(None).mallopt
    assert mallopt(_MMAP, 2**25) and mallopt(_TRIM, 2**26)


def cost(loop, steps):
    """Seconds of the program, seconds of the system, and page faults, each a step."""

    def now():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime, used.ru_stime, used.ru_minflt

    loop.run(1)
    before = now()
    loop.run(steps)
    return [(after - start) / steps for start, after in zip(before, now(), strict=True)]


def bandwidth(loop):
    """Gigabytes a second of a copy, of the generator's optimizer, and of its average."""

    def seconds(work, rounds=7):
        times = []
        for _ in range(rounds):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
        return statistics.median(times)

    parameters = list(loop.model.generator.parameters())
    count = sum(p.numel() for p in parameters)
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, 1e-3)
    here, there = torch.ones(count), torch.empty(count)
    work = {  # and the bytes of a weight that it reads and writes
        "copy": (lambda: there.copy_(here), 8),
        "optimizer": (loop.optimizers["generator"].step, 28),
        "average": (lambda: loop.model.generator_ema.update_parameters(loop.model.generator), 12),
    }
    return {name: (size * count / 1e9 / seconds(each), seconds(each)) for name, (each, size) in work.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["Pix2Pix"], metavar="MODEL")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    for name in given.models:
        options = {"width": given.width} if name in ("Pix2Pix", "CycleGAN", "CUT") else {}
        model = made(name, given.size, **options)
        loop = Loop(model, noise(model, given.size, 64, 2))
        loop.run(2)
        times = {"given back": [], "kept": []}
        for _ in range(given.rounds):
            for kind, setting in (("given back", give_back), ("kept", keep_memory)):
                setting()
                times[kind].append(cost(loop, given.steps))
        for kind, blocks in times.items():
            user, system, faults = (statistics.median(each) for each in zip(*blocks, strict=True))
            print(f"{name}, {kind}: {1e3 * user:.1f} ms, the system {1e3 * system:.1f} ms, {faults:.0f} faults a step")
        ratios = [sum(kept[:2]) / sum(back[:2]) for back, kept in zip(*times.values(), strict=True)]
        print(f"{name}, kept / given back: {statistics.median(ratios):.3f}", flush=True)
        if name == given.models[0]:
            for what, (rate, seconds) in bandwidth(loop).items():
                print(f"{name}, {what}: {1e3 * seconds:.1f} ms, {rate:.1f} GB/s")


if __name__ == "__main__":
    main()

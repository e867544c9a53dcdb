"""How fast data gets into the model: ours against torchvision's datasets, Pillow transforms and a DataLoader.

    python examples/benchmarks/data.py --data shared/data

Each pair is run in turns, so that whatever else the machine does disturbs both alike, and every run is in a process of
its own, whose peak memory is reported (for torchvision's with its two workers). Images are counted when they are float
tensors in [-1, 1], as a model takes them. The last part trains DCGAN on CelebA and says what share of the time it waits
for data.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import lmdb
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

from lit_gans import LSUN, MNIST, SVHN, CelebA, Horse2Zebra

WORKERS = 2


def normalised(*steps):
    return transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])


class SVHNFile(datasets.SVHN):
    """torchvision's, which refuses a subset because of its checksum."""

    def _check_integrity(self):
        return True


class CelebAFiles(datasets.CelebA):
    """torchvision's, which refuses a set without landmarks and boxes; reading and transforming are unchanged."""

    def __init__(self, root, transform):
        self.root, self.transform = root, transform
        lines = (Path(root) / "celeba" / "list_eval_partition.txt").read_text().split()
        self.names = [name for name, part in zip(lines[::2], lines[1::2], strict=True) if part == "0"]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        path = Path(self.root) / "celeba" / "img_align_celeba" / self.names[index]
        return self.transform(Image.open(path)), 0


class LSUNFile(Dataset):
    """What torchvision's LSUNClass does, without its cache of keys, which it writes beside the data."""

    def __init__(self, root, transform):
        self.path, self.transform, self.env = str(Path(root) / "lsun" / "bedroom_train_lmdb"), transform, None
        with lmdb.open(self.path, readonly=True, lock=False) as env, env.begin() as transaction:
            self.keys = list(transaction.cursor().iternext(values=False))

    def __len__(self):
        return len(self.keys)

    def __getitem__(self, index):
        import io

        if self.env is None:
            self.env = lmdb.open(self.path, readonly=True, lock=False, readahead=False, meminit=False)
        with self.env.begin() as transaction:
            data = transaction.get(self.keys[index])
        return self.transform(Image.open(io.BytesIO(data)).convert("RGB")), 0


class Domains(Dataset):
    """Two folders, as CycleGAN implementations load them: one file of A, a random one of B."""

    def __init__(self, root, transform):
        folder = Path(root) / "horse2zebra"
        self.a, self.b = (sorted((folder / f"train{domain}").glob("*.jpg")) for domain in "AB")
        self.transform = transform

    def __len__(self):
        return max(len(self.a), len(self.b))

    def __getitem__(self, index):
        b = self.b[int(torch.randint(len(self.b), ()))]
        images = (Image.open(path).convert("RGB") for path in (self.a[index % len(self.a)], b))
        return tuple(self.transform(image) for image in images)


def torchvision_loader(name, root):
    face = normalised(transforms.CenterCrop(178), transforms.Resize(64))
    scene = normalised(transforms.Resize(64), transforms.CenterCrop(64))
    horse = normalised(
        transforms.Resize(286, transforms.InterpolationMode.BICUBIC),
        transforms.RandomCrop(256),
        transforms.RandomHorizontalFlip(),
    )
    make = {
        "MNIST": lambda: datasets.MNIST(root, transform=normalised()),
        "SVHN": lambda: SVHNFile(Path(root) / "SVHN", transform=normalised()),
        "CelebA 64": lambda: CelebAFiles(root, face),
        "LSUN 64": lambda: LSUNFile(root, scene),
        "horse2zebra 256": lambda: Domains(root, horse),
    }
    batch = 1 if "horse" in name else 64
    return DataLoader(make[name](), batch, shuffle=True, drop_last=True, num_workers=WORKERS, persistent_workers=True)


def our_data(name, root):
    make = {
        "MNIST": lambda: MNIST(root),
        "SVHN": lambda: SVHN(root),
        "CelebA 64": lambda: CelebA(root),
        "LSUN 64": lambda: LSUN(root),
        "horse2zebra 256": lambda: Horse2Zebra(root, load_size=286),
    }
    return make[name]()


SETS = ("MNIST", "SVHN", "CelebA 64", "LSUN 64", "horse2zebra 256")


def images_in(batch):
    values = batch.values() if isinstance(batch, dict) else batch
    return sum(len(value) for value in values if value.ndim == 4)


def endless(loader):
    while True:
        yield from loader


def measure(name, root, ours, seconds):
    """Images a second after the first pass, and this process's peak memory with its workers', in one process."""
    if ours:
        data = our_data(name, root)
        data.prepare_data()
        data.setup("fit")
        loader, finish = data.train_dataloader(), lambda batch: data.on_after_batch_transfer(batch, 0)
    else:
        loader, finish = torchvision_loader(name, root), lambda batch: batch

    batches = endless(loader)
    for batch in islice(batches, min(len(loader), 50)):  # starts the workers, fills the page cache
        finish(batch)
    count, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        count += images_in(finish(next(batches)))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batches.close()
    del batches, loader  # ends the workers, whose memory is known only then
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    workers = 0 if ours else WORKERS
    print(json.dumps({"rate": count / passed, "memory": (own + workers * children) / 1024}))


def in_turns(name, arguments):
    """The median rates and the largest memories of both, and the median ratio of neighbours."""
    results = {True: [], False: []}
    for _ in range(arguments.rounds):
        for ours in (True, False):
            command = [sys.executable, __file__, "--data", arguments.data, "--seconds", str(arguments.seconds)]
            output = subprocess.check_output([*command, "--one", name, *(["--ours"] if ours else [])], text=True)
            results[ours].append(json.loads(output.splitlines()[-1]))
    rates = {ours: [run["rate"] for run in runs] for ours, runs in results.items()}
    ratio = statistics.median(a / b for a, b in zip(rates[True], rates[False], strict=True))
    memory = {ours: max(run["memory"] for run in runs) for ours, runs in results.items()}
    ours, theirs = (statistics.median(rates[key]) for key in (True, False))
    print(f"{name:16} {ours:10,.0f}/s {theirs:10,.0f}/s {ratio:8.1f} {memory[True]:10,.0f} {memory[False]:10,.0f}")


def waiting(root, steps):
    """The share of DCGAN's training on CelebA 64x64 that Lightning waits for the next batch."""
    from lightning.pytorch import Trainer
    from lightning.pytorch.profilers import SimpleProfiler

    from lit_gans import DCGAN

    data = CelebA(root, flip=True)
    profiler = SimpleProfiler()
    profiler.summary = str  # only the shares are of interest
    trainer = Trainer(
        max_steps=steps,
        accelerator="auto",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        profiler=profiler,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(DCGAN(image_shape=data.image_shape), datamodule=data)
    spent = trainer.profiler.recorded_durations
    fetch = sum(sum(times) for action, times in spent.items() if "train_dataloader_next" in action)
    move = sum(
        sum(times) for action, times in spent.items() if "batch_transfer" in action or "batch_to_device" in action
    )
    epoch = sum(sum(times) for action, times in spent.items() if action == "run_training_epoch")
    print(f"DCGAN on CelebA 64x64, {steps} steps: {100 * fetch / epoch:.2f} % of the time waiting for data, ", end="")
    print(f"{100 * move / epoch:.2f} % moving, flipping and normalising it")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("LIT_GANS_DATA", "data"))
    parser.add_argument("--seconds", type=float, default=4.0, help="a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of DCGAN")
    parser.add_argument("--one", choices=SETS, help=argparse.SUPPRESS)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measure(arguments.one, arguments.data, arguments.ours, arguments.seconds)
        return
    print(f"{torch.get_num_threads()} threads, torchvision with {WORKERS} workers; images a second and MiB\n")
    print(f"{'':16} {'lit_gans':>12} {'torchvision':>12} {'ratio':>8} {'lit_gans':>10} {'torchvision':>10}")
    for name in SETS:
        in_turns(name, arguments)
    waiting(arguments.data, arguments.steps)


if __name__ == "__main__":
    main()

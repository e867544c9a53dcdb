"""A set of small samples in shards: how fast it streams, in how much memory, and whether a run resumes exactly.

    python examples/benchmarks/shards.py --samples 2000000

makes grey images of 8x8 with ten labels in a temporary folder, looks at all of them with 0 and with 2 workers, trains a
small GAN straight and with a stop in the middle, and compares the weights. Memory is the resident set of the process,
and of its workers, at every tenth of an epoch.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything

from lit_gans import GAN, Shards
from lit_gans.callbacks import SaveLast
from lit_gans.data.shard_files import About
from lit_gans.data.shard_writing import write_images, write_labels
from lit_gans.networks import MLPBackbone

SHAPE, CLASSES = (1, 8, 8), 10


def make(folder, samples, shard):
    """Images whose rows and labels are a function of their number."""
    rng = torch.Generator().manual_seed(0)
    label = torch.randint(CLASSES, (samples,), generator=rng)
    blocks = (torch.randint(256, (len(part), *SHAPE), generator=rng, dtype=torch.uint8) for part in label.split(shard))
    sizes, checksums = write_images(folder / "train", blocks)
    write_labels(folder / "train", label)
    names = [str(number) for number in range(CLASSES)]
    About(["train"], list(SHAPE), list(SHAPE[1:]), names, sizes, checksums).write(folder / "train")


def resident(process="self"):
    """Megabytes of a process, without the pages of files that others may drop."""
    status = Path(f"/proc/{process}/status").read_text()
    found = dict(line.split(":\t", 1) for line in status.splitlines() if line.startswith(("RssAnon", "RssShmem")))
    return sum(int(value.split()[0]) for value in found.values()) / 1e3


def stream(folder, workers, batch_size):
    """One epoch: samples a second, and the memory at each tenth."""
    data = Shards(str(folder), batch_size=batch_size, num_workers=workers)
    data.setup("fit")
    loader = data.train_dataloader()
    memory, seen, start, own = [], 0, time.perf_counter(), time.process_time()
    batches = iter(loader)
    for number, batch in enumerate(batches):
        seen += len(data.on_after_batch_transfer(batch, 0)["image"])
        if number % (len(loader) // 10) == len(loader) // 20:
            helpers = [worker.pid for worker in getattr(batches, "_workers", [])]
            memory.append(round(max(map(resident, ["self", *helpers]))))
    seconds, own = time.perf_counter() - start, time.process_time() - own
    said = {"workers": workers, "samples": seen, "samples a second": round(seen / seconds)}
    if not workers:
        said["samples a second of processor time"] = round(seen / own)
    print(json.dumps({**said, "MB at each tenth": memory}), flush=True)


def train(folder, place, steps, resume=None):
    """Trains for some steps and returns the weights."""
    seed_everything(0 if resume is None else 99, verbose=False)
    model = GAN(
        image_shape=SHAPE, latent_dim=8, backbone=MLPBackbone(generator_hidden=(32,), discriminator_hidden=(32,))
    )
    trainer = Trainer(
        max_steps=2 * steps,  # two moves a batch
        default_root_dir=place,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=[SaveLast()],
    )
    trainer.fit(model, datamodule=Shards(str(folder), batch_size=64, num_workers=2), ckpt_path=resume)
    return model.state_dict()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2_000_000)
    parser.add_argument("--shard", type=int, default=15_625, help="samples in a shard: 1 MB")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=600, help="batches of the run that is stopped in its middle")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "shards"
        make(folder, options.samples, options.shard)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(json.dumps({"shards": len(list((folder / "train").glob("*.bin"))), "MB": round(size / 1e6)}), flush=True)
        for workers in (0, 2):
            stream(folder, workers, options.batch_size)
        straight = train(folder, f"{place}/straight", options.steps)
        train(folder, f"{place}/first", options.steps // 2)
        resumed = train(folder, f"{place}/second", options.steps, f"{place}/first/checkpoints/last.ckpt")
        equal = all(torch.equal(value, resumed[name]) for name, value in straight.items())
        print(json.dumps({"batches": options.steps, "stopped after": options.steps // 2, "weights equal": equal}))


if __name__ == "__main__":
    main()

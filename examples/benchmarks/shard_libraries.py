"""Our shards against LitData's own loader and WebDataset: samples a second of processor time, and the disk they take.

    pip install webdataset
    python examples/benchmarks/shard_libraries.py --samples 100000

Grey images of 8x8 with labels, batches of 64, no workers; the three take turns. WebDataset reads a third of its
samples.
"""

import argparse
import io
import statistics
import tempfile
import time
from pathlib import Path

import litdata
import numpy as np
import torch
import webdataset
from litdata.streaming import Cache
from PIL import Image
from shards import make

from lit_gans import Shards


def write(folder, images):
    """The same images for each of the three."""
    make(folder / "ours", len(images), 15_625)
    cache = Cache(str(folder / "litdata"), chunk_bytes=2**20)
    for number, image in enumerate(images):
        cache[number] = {"image": image.tobytes(), "label": number % 10}
    cache.done()
    cache.merge()
    (folder / "webdataset").mkdir()
    with webdataset.ShardWriter(str(folder / "webdataset/%05d.tar"), maxcount=len(images) // 9, verbose=0) as writer:
        for number, image in enumerate(images):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "png")
            writer.write({"__key__": f"{number:07}", "png": file.getvalue(), "cls": str(number % 10)})


def ours(folder, number):
    data = Shards(str(folder), batch_size=64, seed=number)
    data.setup("fit")
    return (batch["image"] for batch in data.train_dataloader())


def theirs(folder, number):
    def collate(rows):
        return torch.from_numpy(np.stack([np.frombuffer(row["image"], np.uint8) for row in rows]))

    data = litdata.StreamingDataset(str(folder), shuffle=True, seed=number)
    return litdata.StreamingDataLoader(data, batch_size=64, collate_fn=collate)


def tars(folder, number):
    def collate(rows):
        return torch.from_numpy(np.stack([np.asarray(image) for image, _ in rows]))

    files = sorted(map(str, folder.glob("*.tar")))[:3]
    data = webdataset.WebDataset(files, shardshuffle=100, seed=number).shuffle(5000).decode("pil")
    return data.to_tuple("png", "cls").batched(64, collation_fn=collate)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    kinds = {"ours": ours, "litdata": theirs, "webdataset": tars}
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), np.random.default_rng(0).integers(0, 256, (options.samples, 8, 8), dtype=np.uint8))
        found = {name: [] for name in kinds}
        for number in range(options.rounds):
            for name, kind in kinds.items():
                start = time.process_time()
                seen = sum(len(batch) for batch in kind(Path(place) / name, number))
                found[name].append(seen / (time.process_time() - start))
        for name, rates in found.items():
            size = sum(file.stat().st_size for file in (Path(place) / name).rglob("*") if file.is_file())
            print(f"{name:<12}{statistics.median(rates):>10,.0f} samples a second, {size / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()

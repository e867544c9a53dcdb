"""Resizing against transposed convolution: how much of a checkerboard a generator draws, before and after training.

    lit-gans fit --config examples/configs/dcgan_mnist.yaml
    lit-gans fit --config examples/configs/dcgan_mnist.yaml --model.backbone.upsampling resize
    python examples/benchmarks/checkerboard.py runs/DCGAN-MNIST/*/checkpoints/last.ckpt --picture checkerboard.png

The score is the mean power at the frequencies that strides leave, over that beside them; photographs have about 1.
Printed is that of untrained DCGANs of each kind, three seeds, and of each checkpoint. The picture has the same four
samples of each, untrained ones stretched to all greys.
"""

import argparse
from pathlib import Path
from typing import get_args

import torch

import lit_gans
from lit_gans.images.grid import grid
from lit_gans.images.photos import write_picture
from lit_gans.metrics.checkerboard import Checkerboard
from lit_gans.networks import DCGANBackbone
from lit_gans.networks.layers import Upsampling

_EACH = 4


def score(images):
    """The checkerboard score of images."""
    metric = Checkerboard()
    metric.update(images)
    return float(metric.compute())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--side", type=int, default=28, help="of the untrained generators' images")
    parser.add_argument("--picture", type=Path, help="a .png file")
    given = parser.parse_args()
    rows, shown = [], []
    for kind in get_args(Upsampling):
        scores = []
        for seed in range(3):
            torch.manual_seed(seed)
            backbone = DCGANBackbone(width=32, upsampling=kind)
            model = lit_gans.DCGAN(image_shape=(1, given.side, given.side), backbone=backbone)
            images = model.sample(given.count, seed=seed)
            scores.append(score(images))
        low, high = images.amin((1, 2, 3), True), images.amax((1, 2, 3), True)
        shown.append(((images - low) / (high - low) * 2 - 1)[:_EACH])
        rows.append((f"untrained, {kind}", ", ".join(f"{value:.2f}" for value in sorted(scores))))
    for path in given.checkpoints:
        images = lit_gans.load(path).sample(given.count, seed=0)
        shown.append(images[:_EACH])
        rows.append((str(path), f"{score(images):.2f}"))
    print("| generator | checkerboard |\n|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    if given.picture:
        write_picture(grid(torch.cat(shown), _EACH), given.picture)


if __name__ == "__main__":
    main()

"""How near translations of pairs come to their targets, on held-out pairs.

    lit-gans fit --config examples/configs/pix2pix_facades.yaml
    python examples/benchmarks/pairs.py runs/Pix2Pix-Facades/version_0/checkpoints/last.ckpt

Printed are L1 of values in [-1, 1], and by each network the squared maximum mean discrepancy of translations and
targets with KID's kernel (Binkowski et al. 2018, arXiv:1801.01401): the unbiased estimate from all pairs of pairs,
without subsets, and the middle 95 % of 2,000 bootstrap samples of the pairs. A drawn pair that comes twice is not
compared with itself, which would make the distance of every bootstrap sample too large.
"""

import argparse
import json
from pathlib import Path

import torch

import lit_gans
from lit_gans.cli.run_data import open_data
from lit_gans.images.shape import to_float, to_uint8
from lit_gans.metrics.features import feature_network
from lit_gans.metrics.material import translated

FEATURES = ("imagenet", "nsfw")  # extras of the same names
DRAWS = 2_000


def seen(network, images):
    """Features (N, d) in float64."""
    return torch.cat([network(part) for part in images.split(25)]).double()


def kernel(x, y):
    """KID's kernel of every feature with every other, (N, M)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def discrepancy(fake, real):
    """The unbiased estimate from pairs, and (low, high) of its bootstrap."""
    crossed = kernel(fake, real)
    pairs = kernel(fake, fake) + kernel(real, real) - crossed - crossed.T
    pairs.fill_diagonal_(0)
    count = len(pairs)
    draws = torch.randint(count, (DRAWS, count), generator=torch.Generator().manual_seed(0))
    weights = torch.stack([torch.bincount(draw, minlength=count) for draw in [torch.arange(count), *draws]]).double()
    sums = (weights @ pairs * weights).sum(1)
    found = sums / (weights.sum(1).square() - weights.square().sum(1))
    return float(found[0]), found[1:].quantile(torch.tensor([0.025, 0.975]).double()).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data-root", help="the folder that holds the data; by default as in training")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    given = parser.parse_args()
    model = lit_gans.load(given.checkpoint)
    data = open_data(str(given.checkpoint), None, given.data_root, model.image_shape)
    data.setup()
    batches = zip(*translated(model, data, given.split, len(data.splits[given.split])), strict=True)
    fake, target = (torch.cat(parts) for parts in batches)
    figures = {"l1": float((fake - target).abs().mean())}
    print(f"| the {len(target)} pairs of the {given.split} split | |\n|---|---|")
    print(f"| L1 | {figures['l1']:.3f} |")
    for name in FEATURES:
        network = feature_network(name)
        found, (low, high) = discrepancy(seen(network, to_float(to_uint8(fake))), seen(network, target))
        print(f"| `kid` by `{name}` | {found:.3f} ({low:.3f} to {high:.3f}) |")
        figures |= {f"kid_{name}": found, f"kid_{name}_low": low, f"kid_{name}_high": high}
    if given.output:
        given.output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

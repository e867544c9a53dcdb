"""What the codes of an InfoGAN that was trained on digits have come to mean.

    lit-gans fit --config examples/configs/info_gan_mnist.yaml
    python examples/infogan_codes.py runs/InfoGAN-MNIST/version_0/checkpoints/last.ckpt

Draws samples of a known category, the first categorical code, has the shipped classifier of digits read them, and
prints how often category and digit agree under the best matching of one to the other, in which no label has had a part.
The picture has a block for each continuous code, swept from -2 to 2 (training knew -1 to 1) along the columns, with the
noise and all other codes fixed; a row is a category.
"""

import argparse
from pathlib import Path

import torch

from lit_gans import InfoGAN
from lit_gans.errors import UsageError
from lit_gans.images.grid import grid
from lit_gans.images.photos import write_picture
from lit_gans.metrics import confusion, matching_accuracy
from lit_gans.metrics.features import feature_network

SWEEP = torch.linspace(-2, 2, 9)
GAP = 12  # white pixels between two blocks


@torch.no_grad()
def read(model, count, seed):
    """The category that each of so many samples was drawn for and the digit that the classifier sees in it."""
    classifier, digits = feature_network("digits"), []
    for image in model.sample(count, seed=seed).split(500):
        digits.append(classifier.logits(image).argmax(1))
    return torch.arange(count) % model.columns, torch.cat(digits)


def report(categories, digits):
    """The agreement and, a row a category, how many samples show which digit."""
    agreement, matching = matching_accuracy(categories, digits)
    counts = confusion(categories, digits)
    width = max(7, len(str(int(counts.max()))) + 1)
    lines = [f"agreement {agreement:.2%} of {len(digits):,} samples, by the best matching", ""]
    lines += ["category  stands for" + "".join(f"{digit:>{width}}" for digit in range(counts.shape[1]))]
    for category, (stands_for, row) in enumerate(zip(matching.tolist(), counts.tolist(), strict=True)):
        name = "-" if stands_for < 0 else stands_for
        lines += [f"{category:>8}  {name:>10}" + "".join(f"{number:>{width}}" for number in row)]
    return "\n".join(lines)


def sweep(model, number, noise):
    """A block: rows are the categories, columns one continuous code from -2 to 2; the other codes are 0."""
    rows = max(model.columns, 1)
    code = torch.zeros(rows, len(SWEEP), sum(model.categories) + model.continuous)
    start = 0
    for place, size in enumerate(model.categories):
        if place == 0:
            code[torch.arange(size), :, torch.arange(size)] = 1
        else:
            code[:, :, start] = 1
        start += size
    code[:, :, start + number] = SWEEP
    code = code.flatten(0, 1)
    return grid(model.sample(noise=noise.expand(len(code), -1), code=code), columns=len(SWEEP))


def picture(model, seed):
    """All blocks side by side, of one noise."""
    noise = torch.randn(1, model.latent_dim, generator=torch.Generator().manual_seed(seed))
    parts = []
    for number in range(model.continuous):
        block = sweep(model, number, noise)
        parts += [block, block.new_full((block.shape[0], block.shape[1], GAP), 255)]
    return torch.cat(parts[:-1], 2)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--output", type=Path, default=Path("codes.png"))
    parser.add_argument("--count", type=int, default=10_000, help="samples to read")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        model = InfoGAN.load_from_checkpoint(options.checkpoint)
    except UsageError as error:
        parser.error(str(error))
    if model.categories:
        if options.count < model.columns:
            parser.error(f"--count must be at least a sample for each of {model.columns} categories")
        print(report(*read(model, options.count, options.seed)))
    if model.continuous:
        write_picture(picture(model, options.seed), options.output)
        print(f"\n{model.continuous} continuous codes from -2 to 2 in {options.output}")


if __name__ == "__main__":
    main()

"""How much nearer to the true colours hints bring a Colorizer, and how well it obeys them.

    python examples/benchmarks/colorization.py runs/Colorizer-CelebA/version_0/checkpoints/last.ckpt

Hints are squares of the true mean colour, spread evenly over test images; the first of many are those of few. For every
number of them:

    psnr            peak signal-to-noise ratio of RGB in dB, a mean over images
    ab              distance of the given colours from the true ones, in units of a and b, over all pixels
    ab at hints     distance from the colour that the hint asks for, where there are hints
    levels at hints the same in RGB, a mean of absolute differences in 255ths
"""

import argparse

import torch

from lit_gans import Colorizer
from lit_gans.checkpoints import load
from lit_gans.cli.run_data import open_data
from lit_gans.images.hints import largest_side, simulate_hints
from lit_gans.images.lab import rgb_to_lab, with_colours
from lit_gans.metrics.material import real_batches
from lit_gans.models.colorizer import psnr

COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)


def measure(model, image, hints, mask):
    """Sums over a batch: of PSNR, of the distances, and of what they are means over."""
    ab = model.colours(image, hints, mask)
    made = with_colours(image, ab)
    asked = with_colours(image, hints)
    known = mask[:, 0] > 0
    levels = 127.5 * (made - asked).abs().mean(1)
    return torch.tensor(
        [
            len(image),
            psnr(made, image).sum(),
            (ab - rgb_to_lab(image)[:, 1:]).norm(dim=1).mean((1, 2)).sum(),
            known.sum(),
            (ab - hints).norm(dim=1)[known].sum(),
            levels[known].sum(),
        ],
        dtype=torch.float64,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--data", help="a data set's name or a .yaml file; by default what the run was trained on")
    parser.add_argument("--root", help="the folder that holds the data")
    parser.add_argument("--images", type=int, default=1000, help="most test images")
    parser.add_argument("--largest", type=int, help="pixels of the largest hint's side; by default as in training")
    parser.add_argument("--seed", type=int, default=0, help="of the hints")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    model = load(arguments.checkpoint, arguments.device)
    if not isinstance(model, Colorizer):
        parser.error(f"{arguments.checkpoint} holds a {type(model).__name__}, not a Colorizer")
    data = open_data(arguments.checkpoint, arguments.data, arguments.root, model.image_shape)
    totals = dict.fromkeys(COUNTS, 0)
    for number, batch in enumerate(real_batches(data, "test", arguments.images)):
        image = batch["image"].to(arguments.device)
        ab = rgb_to_lab(image)[:, 1:]
        for count in COUNTS:
            rng = torch.Generator().manual_seed(1_000 * arguments.seed + number)
            hints, mask = simulate_hints(ab, count, largest=arguments.largest, uniform=True, rng=rng)
            totals[count] = totals[count] + measure(model, image, hints, mask)
    side = arguments.largest or largest_side(*model.image_shape[1:])
    print(f"{int(totals[0][0])} test images of {type(data).__name__}, hints of 1 to {side} pixels a side")
    print("\n| hints | psnr | ab | ab at hints | levels at hints |\n|---|---|---|---|---|")
    for count, (images, decibels, distance, known, at_hints, levels) in totals.items():
        asked = f"{at_hints / known:.1f} | {levels / known:.1f}" if known else "|"
        print(f"| {count} | {decibels / images:.2f} | {distance / images:.1f} | {asked} |")


if __name__ == "__main__":
    main()

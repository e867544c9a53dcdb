"""What the Frechet distance on the shipped features says, and what it costs.

    python examples/benchmarks/scores.py --data shared/data

1. Between the two halves of MNIST's training digits, and between one half and spoilt copies of the other: it must rise
   with every step of noise, blur and dropped digits.
2. The trace of the square root at 2048 dimensions: scipy's sqrtm against the Cholesky factor and symmetric eigenvalues.
3. A validation with 10,000 fakes against an epoch of DCGAN's training on MNIST.
"""

import argparse
import os
import time

import numpy as np
import scipy.linalg
import torch
from torchvision.transforms.v2 import functional as transforms

from lit_gans import DCGAN, MNIST
from lit_gans.metrics.features import load_classifier
from lit_gans.metrics.frechet import frechet_distance
from lit_gans.metrics.material import drawn
from lit_gans.metrics.scoring import Scoring


def halves(data):
    order = torch.randperm(60_000, generator=torch.Generator().manual_seed(0))
    image, label = (data.splits["train"].values(name) for name in ("image", "label"))
    return [(image[rows].float() / 127.5 - 1, label[rows]) for rows in order.split(30_000)]


def spoilt(image, label):
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    yield "the other half", image
    for sigma in (0.1, 0.2, 0.4):
        yield f"noise, sigma {sigma}", image + sigma * noise
    for sigma in (0.5, 1.0, 2.0):
        yield f"blur, sigma {sigma} pixels", transforms.gaussian_blur(image, 13, sigma)
    for dropped in (1, 3, 5):
        yield f"without {dropped} of the ten digits", image[label >= dropped]


def table(data):
    (first, _), (second, label) = halves(data)
    network = load_classifier()
    scoring = Scoring(["fid", "precision_recall", "density_coverage"], network)
    scoring.add(first, real=True)
    print("| 30,000 digits against | fid | normalised | precision | recall | density | coverage |")
    print("|---|---|---|---|---|---|---|")
    tests = data.splits["test"].values("image").float() / 127.5 - 1
    for name, images in [*spoilt(second, label), ("the 10,000 test digits", tests)]:
        scoring.reset()
        scoring.add(images.clamp(-1, 1), real=False)
        v = {key: float(value) for key, value in scoring.compute().items()}
        rest = " | ".join(f"{v[key]:.3f}" for key in ("precision", "recall", "density", "coverage"))
        print(f"| {name} | {v['fid']:.2f} | {v['fid_normalised']:.2f} | {rest} |", flush=True)


def root(dimensions, rounds):
    torch.manual_seed(0)
    samples = [torch.randn(3 * dimensions, dimensions, dtype=torch.float64) for _ in range(2)]
    mix = torch.randn(dimensions, dimensions, dtype=torch.float64) / dimensions**0.5
    (mean1, cov1), (mean2, cov2) = ((x.mean(0), x.T.cov()) for x in (samples[0] @ mix, samples[1] + 0.1))
    times = {"ours": [], "scipy": []}
    for _ in range(rounds):
        start = time.perf_counter()
        ours = float(frechet_distance(mean1, cov1, mean2, cov2))
        times["ours"].append(time.perf_counter() - start)
        start = time.perf_counter()
        trace = np.trace(scipy.linalg.sqrtm((cov1 @ cov2).numpy()).real)
        theirs = float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace()) - 2 * trace
        times["scipy"].append(time.perf_counter() - start)
    ours_s, scipy_s = (min(times[key]) for key in ("ours", "scipy"))
    print(
        f"\n{dimensions} dimensions: {ours_s:.2f} s against scipy's {scipy_s:.2f} s, {scipy_s / ours_s:.1f} times; ",
        end="",
    )
    print(f"they differ by {abs(ours / theirs - 1):.1e}")


def validation(data, steps):
    from lightning.pytorch import Trainer

    model = DCGAN(image_shape=data.image_shape)
    scoring = Scoring(["fid", "density_coverage"], load_classifier())
    scoring.add(data.splits["test"].values("image").float() / 127.5 - 1, real=True)
    start = time.perf_counter()
    for images in drawn(model, 10_000, seed=0):
        scoring.add(images, real=False)
    scoring.compute()
    cost = time.perf_counter() - start
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    for precision in ("32-true", "bf16-mixed"):
        trainer = Trainer(max_steps=steps, accelerator="cpu", precision=precision, limit_val_batches=0, **quiet)
        start = time.perf_counter()
        trainer.fit(DCGAN(image_shape=data.image_shape), datamodule=data)
        epoch = (time.perf_counter() - start) / steps * 937
        print(
            f"10,000 fakes scored in {cost:.1f} s, an epoch ({precision}) takes {epoch:.0f} s: {cost / epoch:.2f} of it"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("LIT_GANS_DATA", "data"))
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100, help="of DCGAN")
    arguments = parser.parse_args()
    data = MNIST(arguments.data)
    data.setup()
    table(data)
    root(arguments.dimensions, arguments.rounds)
    validation(data, arguments.steps)


if __name__ == "__main__":
    main()

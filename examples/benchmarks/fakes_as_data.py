"""Whether fakes are worth something as training data: a classifier of few labelled images, with and without them.

    lit-gans fit --config examples/configs/acgan_mnist.yaml --data.labels_per_class 10
    python examples/benchmarks/fakes_as_data.py runs/ACGAN-MNIST/version_0/checkpoints/last.ckpt

The checkpoint is of a model that draws by label and has seen some labels alone. Three times a classifier is trained by
equally many batches: on the labelled images that the model had, on fakes of it, and on both in equal parts. Printed is
the error on the test split, which none of them has seen: mean and deviation over the seeds.
"""

import argparse
import statistics
from pathlib import Path

import torch

import lit_gans
from lit_gans.cli.run_data import open_data
from lit_gans.images.shape import to_uint8
from lit_gans.metrics.training import accuracy, train_classifier


def fakes_of(model, classes, count, seed):
    """Equally many fakes of every class, uint8, and their labels."""
    label = torch.arange(count) % classes
    return to_uint8(model.sample(count, seed=seed, label=label)), label


def error(images, label, test, classes, batches, seed):
    """The test error of a classifier that was trained by so many batches."""
    size = min(256, len(images))
    network = train_classifier(images, label, classes, max(1, batches * size // len(images)), seed, batch_size=size)
    return 1 - accuracy(network, *test)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data-root", help="the folder that holds the data; by default as in training")
    parser.add_argument("--fakes", type=int, default=20_000)
    parser.add_argument("--batches", type=int, default=600)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    model = lit_gans.load(given.checkpoint)
    data = open_data(str(given.checkpoint), None, given.data_root, model.image_shape)
    data.setup()
    train, test = data.splits["train"], data.splits["test"]
    label = train.values("label")
    shown = (label >= 0).nonzero()[:, 0]
    real, real_label = train[shown]["image"], label[shown]
    held = test[:]["image"], test.values("label")
    classes = data.num_classes
    results = {"real": [], "fakes": [], "both": []}
    for seed in given.seeds:
        images, names = fakes_of(model, classes, given.fakes, seed)
        repeat = torch.arange(given.fakes) % len(real)
        sets = {
            "real": (real, real_label),
            "fakes": (images, names),
            "both": (torch.cat([images, real[repeat]]), torch.cat([names, real_label[repeat]])),
        }
        for name, (pictures, targets) in sets.items():
            results[name].append(error(pictures, targets, held, classes, given.batches, seed))
            print(f"seed {seed}, {name}: {results[name][-1]:.2%}", flush=True)
    print(f"\n| trained on | test error | of {len(held[0]):,} |\n|---|---|---|")
    rows = {"real": f"{len(real)} real images", "fakes": f"{given.fakes:,} fakes", "both": "both, in equal parts"}
    for name, words in rows.items():
        spread = statistics.stdev(results[name]) if len(given.seeds) > 1 else 0.0
        print(f"| {words} | {statistics.mean(results[name]):.2%} ± {spread:.2%} | {len(given.seeds)} seeds |")


if __name__ == "__main__":
    main()

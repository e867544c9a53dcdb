"""What a translator between two domains has learnt, on held-out images.

    lit-gans fit --config examples/configs/cyclegan_horse2zebra.yaml
    python examples/benchmarks/translation.py runs/CycleGAN-Horse2Zebra/version_0/checkpoints/last.ckpt

A classifier learns to tell the real training images of domain a from those of b. Printed is, on the test split or on
held-out training images (`--split val`): how many real images it puts right, how many translations it takes for their
target domain, the kernel distance of the translations to the real target images by its features beside that of the
untouched sources, and what a translation changes elsewhere (L1 of values in [-1, 1]), that is, outside the 30 % of an
image's pixels for which the classifier's decision has the largest gradient. If the model goes both ways, so are the
error of the way back and how much it changes what is of the target domain already. Where the data has classes, the
digits of `SVHN2MNIST` and the shapes of `UnpairedGlyphs`, a classifier of each domain says how many images are still of
their class, there, and there and back.
"""

import argparse
import json
from pathlib import Path

import torch
from torchmetrics.image.kid import KernelInceptionDistance

import lit_gans
from lit_gans.cli.run_data import open_data
from lit_gans.images.shape import to_float, to_uint8
from lit_gans.metrics.frechet import PassThrough
from lit_gans.metrics.training import accuracy, train_classifier


def domain(samples, name, count):
    """(N, C, H, W) uint8 images of a domain and their classes, if it has any."""
    images, label = samples.values(name), samples.values(f"label_{name}")
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count].sort().values
    images = images.index_select(0, rows) if hasattr(images, "index_select") else images[rows]
    return images, None if label is None else label[rows]


def floats(images):
    return to_float(images)


def coloured(images):
    """Grey images as colour, so that one classifier sees both domains."""
    return images.expand(-1, 3, -1, -1)


def fitted(images, side):
    """Cropped to the model's size around the middle, as validation has them."""
    top, left = ((n - s) // 2 for n, s in zip(images.shape[2:], side, strict=True))
    return images[:, :, top : top + side[0], left : left + side[1]]


def kernel_distance(network, real, fake):
    """Unbiased squared maximum mean discrepancy of the network's features."""
    metric = KernelInceptionDistance(
        feature=PassThrough(network.num_features), subset_size=min(len(real), len(fake), 1000)
    )
    for images, is_real in ((real, True), (fake, False)):
        for part in images.split(500):
            metric.update(network(floats(part)), is_real)
    torch.manual_seed(0)
    return float(metric.compute()[0])


def named(network, images, target):
    """The share of images that a classifier puts into a class."""
    return accuracy(network, images, torch.full((len(images),), target))


def elsewhere(judge, source, fake, target):
    """Mean change of images outside the pixels that the classifier's choice between two domains leans on most."""
    pixels = floats(source).requires_grad_()
    with torch.enable_grad():
        logits = judge.logits(coloured(pixels))
        (logits[:, target] - logits[:, 1 - target]).sum().backward()
    leaning = pixels.grad.abs().sum(1)  # (N, H, W)
    rest = leaning <= leaning.flatten(1).quantile(0.7, 1)[:, None, None]
    return float((fake - floats(source)).abs().mean(1)[rest].mean())


def report(model, data, split, count, epochs):
    """Lines of what was measured: a name, what it says, the figure and how it is printed."""
    both_ways = "a" in model.domains
    train, test = ({d: domain(data.splits[s], d, count) for d in "ab"} for s in ("train", split))
    side = model.image_shape[1:]
    images = {d: fitted(test[d][0], side) for d in "ab"}
    learn = [coloured(fitted(train[d][0], side)) for d in "ab"]
    which = torch.cat([torch.full((len(part),), number) for number, part in enumerate(learn)])
    judge = train_classifier(torch.cat(learn), which, 2, epochs, 0)

    def translated(pictures, to):
        return model.translate(floats(pictures), to=to, seed=0)

    fakes = {"b": translated(images["a"], "b")}
    if both_ways:
        fakes["a"] = translated(images["b"], "a")
    for number, name in enumerate("ab"):
        yield f"real_{name}", f"real {name} called {name}", named(judge, coloured(images[name]), number), ".1%"
    for name, fake in fakes.items():
        other, number = "ab".replace(name, ""), "ab".index(name)
        pictures = coloured(to_uint8(fake))
        target, source = coloured(images[name]), coloured(images[other])
        yield f"called_{name}", f"{other} translated, called {name}", named(judge, pictures, number), ".1%"
        before, after = (kernel_distance(judge, target, p) for p in (source, pictures))
        yield f"untouched_{name}", f"kernel distance to {name}, untouched", before, ".3g"
        yield f"distance_{name}", f"kernel distance to {name}, translated", after, ".3g"
        if images["a"].shape[1] == images["b"].shape[1]:
            changed = elsewhere(judge, images[other], fake, number)
            yield f"elsewhere_{name}", f"{other} translated, L1 of the change elsewhere", changed, ".3f"
    if both_ways:
        back = {"a": translated(to_uint8(fakes["b"]), "a"), "b": translated(to_uint8(fakes["a"]), "b")}
        for name, again in back.items():
            error = float((again - floats(images[name])).abs().mean())
            yield f"back_{name}", f"{name} there and back, L1", error, ".3f"
        if images["a"].shape[1] == images["b"].shape[1]:
            for name in "ab":
                change = float((translated(images[name], name) - floats(images[name])).abs().mean())
                yield f"same_{name}", f"{name} as if it were the other, L1 of the change", change, ".3f"
    for name in "ab" if test["a"][1] is not None else "":
        other = "ab".replace(name, "")
        reader = train_classifier(fitted(train[name][0], side), train[name][1], data.num_classes, epochs, 0)
        right = accuracy(reader, images[name], test[name][1])
        yield f"read_{name}", f"classes of {name} named rightly", right, ".1%"
        if name in fakes:
            kept = accuracy(reader, to_uint8(fakes[name]), test[other][1])
            yield f"class_{name}", f"{other} translated, still of its class", kept, ".1%"
        if both_ways:
            kept = accuracy(reader, to_uint8(back[name]), test[name][1])
            yield f"class_back_{name}", f"{name} there and back, still of its class", kept, ".1%"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data-root", help="the folder that holds the data; by default as in training")
    parser.add_argument("--split", choices=("test", "val"), default="test", help="val is what --data.val_size held out")
    parser.add_argument("--count", type=int, default=5_000, help="most images of a domain to learn from, and to test")
    parser.add_argument("--epochs", type=int, default=20, help="of the classifier")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    given = parser.parse_args()
    model = lit_gans.load(given.checkpoint)
    data = open_data(str(given.checkpoint), None, given.data_root, model.image_shape)
    data.setup()
    figures = {}
    print(f"| on the {given.split} split | |\n|---|---|")
    for name, says, figure, form in report(model, data, given.split, given.count, given.epochs):
        print(f"| {says} | {figure:{form}} |")
        figures[name] = figure
    if given.output:
        given.output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

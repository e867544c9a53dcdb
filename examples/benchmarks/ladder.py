"""What the distances by features of photographs say of pictures that are spoilt step by step.

    python examples/benchmarks/ladder.py --data shared/data --output examples/benchmarks/ladder.json

Of the training images of a set --count are drawn at random, and as many others. The first are compared with the others,
and with copies of these with noise, blur, JPEG, grey patches or fewer classes: every distance must rise with every
step. The numbers are 100 FD / tr(S) with S the covariance of the first half's features, so that networks compare.
They are of few images, and larger than those of many. Each set and network is written to the file when it is done, and
is not measured again.
"""

import argparse
import io
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as transforms

from lit_gans import LSUN, SVHN, CelebA, Horse2Zebra
from lit_gans.images.shape import to_float, to_uint8
from lit_gans.metrics.base import features_of
from lit_gans.metrics.features import feature_network
from lit_gans.metrics.frechet import FrechetDistances
from lit_gans.metrics.material import samples_of, shuffled

SETS = {
    "CelebA": (lambda root: CelebA(root, size=64, crop=140), "image"),
    "LSUN": (lambda root: LSUN(root, categories="bedroom", size=64), "image"),
    "SVHN": (SVHN, "image"),
    "horse2zebra": (lambda root: Horse2Zebra(root, size=64), "b"),
}


def halves(name, root, count):
    """``count`` images (uint8), up to four times as many others, and their classes; None where there are none."""
    make, kind = SETS[name]
    data = make(root)
    samples = samples_of(data, "train")
    images, label = samples.values(kind), samples.values("label")
    rows = shuffled(samples.size(kind))[: 5 * count]
    second = rows[count:]
    return (
        images.index_select(0, rows[:count]),
        images.index_select(0, second),
        None if label is None or label.ndim > 1 else label[second],
    )


def spoilt(others, label, count):
    """The kind, the step and the ``count`` images of every rung; only those of fewer classes need more others."""
    image = others[:count]
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(image.shape, generator=generator)
    side = image.shape[-1]
    places = torch.randint(side - side // 4, (4, len(image), 2), generator=generator)
    yield "clean", 0, image
    for sigma in (0.05, 0.1, 0.2, 0.4):
        yield "noise", sigma, to_uint8(to_float(image) + sigma * noise)
    for sigma in (0.5, 1.0, 2.0):
        yield "blur", sigma, transforms.gaussian_blur(image, 13, sigma)
    for quality in (50, 20, 5):
        yield "jpeg", quality, torch.stack([jpeg(each, quality) for each in image])
    for patches in (1, 2, 4):
        yield "patches", patches, patched(image, places[:patches])
    if label is not None:
        for dropped in (1, 3, 5):
            yield "classes dropped", dropped, others[label >= dropped][:count]


def jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)


def patched(image, places):
    """Grey squares of a quarter of the side."""
    spoilt, side = image.clone(), image.shape[-1] // 4
    for place in places:
        for number, (top, left) in enumerate(place.tolist()):
            spoilt[number, :, top : top + side, left : left + side] = 128
    return spoilt


def climb(network, first, others, label):
    """The distances of every rung, and the processor's seconds that 1,000 images take."""
    distances = FrechetDistances(network.distances, strict=False, reset_real_features=False)
    distances.update(features_of(network, first, wide=True), real=True)
    rungs, traces, seconds, looked = [], {}, 0.0, 0
    for kind, step, images in spoilt(others, label, len(first)):
        began = time.process_time()
        features = features_of(network, images, wide=True)
        seconds, looked = seconds + time.process_time() - began, looked + len(images)
        distances.reset()
        distances.update(features, real=False)
        values = distances.compute()
        traces = traces or {name: float(metric.moments()[0][1].trace()) for name, metric in distances.metrics.items()}
        found = {name: round(100 * float(values[name]) / traces[name], 2) for name in traces}
        rungs.append({"kind": kind, "step": step, "images": len(images), **found})
    return {"rungs": rungs, "traces": traces, "seconds": round(1000 * seconds / looked, 1)}


def refuse_unlike(rungs):
    """Says which rungs are not above the one before."""
    clean = rungs[0]
    for kind in dict.fromkeys(rung["kind"] for rung in rungs[1:]):
        steps = [clean, *(rung for rung in rungs if rung["kind"] == kind)]
        for name in clean.keys() - {"kind", "step", "images"}:
            values = [rung[name] for rung in steps]
            if values != sorted(values):
                yield f"{name} does not rise with {kind}: {values}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=None)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--features", nargs="+", default=["imagenet", "nsfw"])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--output", type=Path, default=Path("ladder.json"))
    options = parser.parse_args()
    found = json.loads(options.output.read_text()) if options.output.exists() else {}
    for features in options.features:
        network = feature_network(features).to(memory_format=torch.channels_last)
        for name in options.sets:
            key = f"{name}, {features}, {options.count} images"
            if key in found:
                continue
            found[key] = climb(network, *halves(name, options.data, options.count))
            for message in refuse_unlike(found[key]["rungs"]):
                print(f"{key}: {message}")
            options.output.write_text(json.dumps(found, indent=1) + "\n")
            print(f"{key}: {found[key]['seconds']} s per 1,000 images", flush=True)


if __name__ == "__main__":
    main()

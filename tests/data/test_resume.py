"""A run goes on bit for bit with every kind of data, from the middle of an epoch, with workers."""

import os
from pathlib import Path

import pytest
import torch
from conftest import assert_equal, fit, training_state
from lightning.pytorch import Callback
from torch import Tensor

from lit_gans import (
    DCGAN,
    LSUN,
    MNIST,
    SVHN,
    CelebA,
    Facades,
    Gaussians,
    Glyphs,
    Horse2Zebra,
    ImageFolder,
    Shards,
    data,
)
from lit_gans.cli.main import main
from lit_gans.images.photos import write_picture
from lit_gans.networks import DCGANBackbone

SIZE = 16
COMMON = {"num_workers": 2, "batch_size": 8, "seed": 3}


class Blend(DCGAN):
    """A game on whatever a batch shows: the mean of all its images, so that every pixel counts."""

    needs = ()

    def receive(self, batch):
        images = [value for value in batch.values() if isinstance(value, Tensor) and value.ndim == 4]
        return {"image": torch.stack([image.mean(1, keepdim=True) for image in images]).mean(0)}


class Rest(Callback):
    """What no network has seen: labels, attributes and captions."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        shown = {k: v for k, v in batch.items() if not isinstance(v, Tensor) or v.ndim != 4}
        self.seen.append({k: v.tolist() if isinstance(v, Tensor) else v for k, v in shown.items()})


def real(cls, folder, **arguments):
    def make():
        root = os.environ.get("LIT_GANS_DATA")
        if not root:
            pytest.skip("set LIT_GANS_DATA to the folder that holds the real data sets")
        if not (Path(root) / folder).exists():
            pytest.skip(f"LIT_GANS_DATA has no {folder}")
        return cls(root if cls is not ImageFolder else str(Path(root) / folder), **{**settings, **COMMON})

    settings = {"size": SIZE, **arguments}
    return make


def sharded():
    pytest.importorskip("litdata", reason="LitData is not installed: pip install 'lit_gans[shards]'")
    place = Path(os.environ["LIT_GANS_CACHE"]).with_name("sharded")
    if not place.exists():
        images = Glyphs("01", size=SIZE + 2, count=120).samples("train")[:]["image"]
        for number, image in enumerate(images):
            write_picture(image, place.with_name("photos") / "ab"[number % 2] / f"{number:03}.png", drawn=False)
        argv = ["shard", place.with_name("photos"), "--output", place, "--size", SIZE, "--load_size", SIZE + 2]
        main([*map(str, argv), "--channels", "1", "--shard_mb", "0.003"])
    return Shards(str(place), flip=True, **COMMON)


CASES = {
    "Glyphs": lambda: Glyphs("01", size=SIZE, count=120, flip=True, labels_per_class=5, **COMMON),
    "UnpairedGlyphs": lambda: data.UnpairedGlyphs(size=SIZE, count=120, flip=True, **COMMON),
    "ColouredGlyphs": lambda: data.ColouredGlyphs(size=SIZE, count=120, flip=True, **COMMON),
    "PairedGlyphs": lambda: data.PairedGlyphs(size=SIZE, count=120, flip=True, **COMMON),
    "CaptionedGlyphs": lambda: data.CaptionedGlyphs(size=SIZE, count=120, **COMMON),
    "Shards": sharded,
    "MNIST": real(MNIST, "MNIST", val_size=59_900),
    "SVHN": real(SVHN, "SVHN", val_size=6_380, flip=True),
    "CelebA": real(CelebA, "celeba", attribute="Smiling", flip=True, load_size=18),
    "LSUN": real(LSUN, "lsun", flip=True),
    "Horse2Zebra": real(Horse2Zebra, "horse2zebra", load_size=18),
    "Facades": real(Facades, "facades", load_size=18),
    "ImageFolder": real(ImageFolder, "horse2zebra/testA", flip=True, load_size=(20, 18)),
}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.getbasetemp() / "decoded"  # once for the whole file
    monkeypatch.setenv("LIT_GANS_CACHE", str(folder))


@pytest.mark.parametrize("name", CASES)
def test_resume_is_exact(name, tmp_path):
    def run(folder, steps, checkpoint=None):
        torch.manual_seed(0)
        model, rest = Blend(image_shape=(1, SIZE, SIZE), latent_dim=4, backbone=DCGANBackbone(width=4)), Rest()
        limits = {"max_steps": steps, "limit_val_batches": 0, "callbacks": [rest]}
        return fit(tmp_path / folder, model, CASES[name](), checkpoint, **limits), rest.seen

    straight, seen = run("straight", 20)
    first, before = run("first", 7)
    torch.manual_seed(99)
    resumed, after = run("second", 20, tmp_path / "first" / "checkpoints" / "last.ckpt")
    assert_equal(training_state(straight), training_state(resumed))
    assert before + after == seen
    assert len({str(batch) for batch in seen}) > 1 or not any(seen)  # something varies, or nothing is beside the images
    with pytest.raises(AssertionError):
        assert_equal(training_state(straight), training_state(first))


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("MNIST", "LSUN", "CelebA")])
def test_workers_change_nothing(name):
    batches = []
    for workers in (0, 2):
        source = CASES[name]()
        source.num_workers = workers
        source.setup("fit")
        loader = source.train_dataloader()
        batches.append([source.on_after_batch_transfer(batch, 0) for _ in range(2) for batch in loader][:20])
    assert_equal(*batches)


def test_points_in_the_plane_go_on(tmp_path):
    points = [Gaussians(batch_size=16, num_workers=workers, seed=1) for workers in (0, 2)]
    for source in points:
        source.setup("fit")
    first, second = (next(iter(source.train_dataloader())) for source in points)
    assert_equal(first, second)

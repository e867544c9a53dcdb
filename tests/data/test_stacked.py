"""Stacked MNIST: the protocol's thousand modes, put together batch by batch."""

import os
from pathlib import Path

import pytest
import torch
from conftest import assert_equal, fit, refused, small, training_state
from test_mnist import pixels, write_idx

from lit_gans import DCGAN, StackedMNIST
from lit_gans.metrics.coverage import StackCoverage
from lit_gans.metrics.modes import stacked_mode
from lit_gans.metrics.protocol import describe_data


def ready(data, stage=None):
    data.setup(stage)
    return data


@pytest.fixture
def folder(tmp_path):
    """A MNIST of twelve training and five test digits, labelled 9, 8, 7 and so on."""
    write_idx(tmp_path)
    return str(tmp_path)


def digits_of(label):
    return torch.stack([label // 100, label // 10 % 10, label % 10], 1)


@pytest.mark.parametrize("split, part, count", [("train", "train", 500), ("val", "t10k", 26_000)])
def test_channels_are_the_digits_that_the_label_writes(folder, split, part, count):
    data = ready(StackedMNIST(folder, count=500))
    batch = data.splits[split][torch.arange(200)]
    assert len(data.splits[split]) == count
    assert batch["image"].shape == (200, 3, 28, 28) and batch["image"].dtype == torch.uint8
    assert batch["label"].dtype == torch.int64
    originals = pixels(part)
    # every channel is one of the digits, and the digit that the label has at its place
    same = (batch["image"][:, :, None] == originals).flatten(3).all(3)
    assert same.sum(2).eq(1).all()
    found = 9 - same.int().argmax(2) % 10
    assert torch.equal(found, digits_of(batch["label"])) and torch.equal(stacked_mode(found), batch["label"])


def test_digits_are_drawn_evenly_and_apart(folder):
    data = ready(StackedMNIST(folder, count=60_000), "fit")
    rows = data.splits["train"].values("image").rows
    assert len(data.splits["train"]) == 60_000
    for channel in rows.unbind(1):
        share = channel.bincount(minlength=12) / len(channel)
        assert share.sub(1 / 12).abs().max() < 0.006  # five standard deviations
    assert torch.corrcoef(rows.T.double()).fill_diagonal_(0).abs().max() < 0.021


def test_a_function_of_the_seed(folder):
    runs = [ready(StackedMNIST(folder, count=100, seed=seed)) for seed in (0, 0, 1)]
    first, again, other = ([data.splits[s][:] for s in ("train", "test")] for data in runs)
    assert_equal(first, again)
    heads = [part["label"][:100] for part in (*first, *other)]
    assert len({tuple(head.tolist()) for head in heads}) == 4


def test_arguments(folder):
    data = ready(StackedMNIST(folder, size=(14, 20), count=100, batch_size=10, val_size=30, label_fraction=0.2))
    assert data.image_shape == (3, 14, 20) and data.num_classes == 1000
    assert [len(data.splits[s]) for s in ("train", "val")] == [70, 30]
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert batch["image"].shape == (10, 3, 14, 20) and -1 <= batch["image"].min() <= batch["image"].max() <= 1
    assert StackedMNIST().count == 128_000
    assert describe_data(StackedMNIST()) == "StackedMNIST 3x28x28"
    refused(lambda: StackedMNIST(count=0), "count must be at least 1, got 0")


@pytest.mark.parametrize("workers", [0, 2])
def test_resume_is_exact(folder, tmp_path, workers):
    def run(name, steps, checkpoint=None):
        data = StackedMNIST(folder, size=16, count=60, batch_size=8, seed=3, num_workers=workers, flip=True)
        model = small(DCGAN, image_shape=(3, 16, 16))
        content = fit(tmp_path / name, model, data, checkpoint, max_steps=steps, limit_val_batches=0)
        return training_state(content)

    straight, first = run("straight", 10), run("first", 4)
    torch.manual_seed(99)
    assert_equal(straight, run("second", 10, tmp_path / "first" / "checkpoints" / "last.ckpt"))
    with pytest.raises(AssertionError):
        assert_equal(straight, first)


def test_the_shipped_classifier_reads_the_labels():
    root = os.environ.get("LIT_GANS_DATA")
    if not root or not (Path(root) / "MNIST").exists():
        pytest.skip("set LIT_GANS_DATA to the folder that holds MNIST")
    data = ready(StackedMNIST(root))
    assert [len(data.splits[s]) for s in ("train", "val", "test")] == [128_000, 26_000, 26_000]
    counts = data.splits["train"].values("label").bincount(minlength=1000)
    assert counts.min() > 60 and counts.max() < 220  # 128 on average; ones are a quarter more frequent than fives
    metric = StackCoverage()
    batch = data.on_after_batch_transfer(data.splits["test"][torch.arange(1000)], 0)
    grey = batch["image"].flatten(0, 1).unsqueeze(1)
    found = torch.cat([metric.classifier.logits(part).argmax(1) for part in grey.split(100)]).view(-1, 3)
    assert float((found == digits_of(batch["label"])).float().mean()) >= 0.985
    metric.update(batch["image"])
    values = metric.compute()
    assert values["confidence"] > 0.98 and values["modes"] > 600 and list(values) == ["modes", "kl", "confidence"]

"""MNIST and Fashion-MNIST: their files, and what is wrong with them."""

import gzip
import os
import struct
from pathlib import Path

import pytest
import torch

from lit_gans.data import MNIST, FashionMNIST
from lit_gans.data.mnist import read_idx
from lit_gans.errors import UsageError


def ready(data, stage=None):
    data.setup(stage)
    return data


FILES = [f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]
COUNTS = {"train": 12, "t10k": 5}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ("http://127.0.0.1:9/",))  # nobody listens there
    monkeypatch.setattr(FashionMNIST, "mirrors", ("http://127.0.0.1:9/",))


def pixels(part):
    rng = torch.Generator().manual_seed(len(part))
    return torch.randint(0, 256, (COUNTS[part], 28, 28), generator=rng, dtype=torch.uint8)


def write_idx(root, name="MNIST"):
    """The four files in the official form: magic number and sizes as big-endian integers, then bytes."""
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for part, count in COUNTS.items():
        images = struct.pack(">4I", 0x803, count, 28, 28) + pixels(part).numpy().tobytes()
        labels = struct.pack(">2I", 0x801, count) + bytes(9 - i % 10 for i in range(count))
        (raw / f"{part}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    return raw


@pytest.mark.parametrize("source", [MNIST, FashionMNIST])
@pytest.mark.parametrize("variable", [False, True])
def test_idx_files(tmp_path, monkeypatch, source, variable):
    write_idx(tmp_path, source.__name__)
    monkeypatch.setenv("LIT_GANS_DATA", str(tmp_path if variable else tmp_path / "elsewhere"))
    data = source(None if variable else str(tmp_path), batch_size=4)
    data.prepare_data()
    data.setup()
    for split, part in (("train", "train"), ("val", "t10k"), ("test", "t10k")):
        sample = data.splits[split][:]
        assert torch.equal(sample["image"], pixels(part).unsqueeze(1)) and sample["image"].dtype == torch.uint8
        assert sample["label"].tolist() == [9 - i % 10 for i in range(COUNTS[part])]
        assert sample["label"].dtype == torch.int64
    assert data.image_shape == (1, 28, 28) and data.num_classes == 10
    assert len(list(data.train_dataloader())) == 3


def test_held_out_images(tmp_path):
    write_idx(tmp_path)
    data = ready(MNIST(str(tmp_path), val_size=5))
    train, val, test = (data.splits[s][:]["image"] for s in ("train", "val", "test"))
    assert [len(train), len(val), len(test)] == [7, 5, 5]
    both = torch.cat([train, val])
    assert torch.equal(both.flatten(1).unique(dim=0), pixels("train").flatten(1).unique(dim=0))
    assert torch.equal(test[:, 0], pixels("t10k"))
    again = ready(MNIST(str(tmp_path), val_size=5, seed=7))
    assert torch.equal(again.splits["val"][:]["image"], val)  # runs of all seeds are judged by the same images


@pytest.mark.parametrize("size, shape", [(32, (32, 32)), ((14, 20), (14, 20)), (7, (7, 7))])
def test_resized_digits(tmp_path, size, shape):
    raw = write_idx(tmp_path)
    flat = struct.pack(">4I", 0x803, 12, 28, 28) + bytes([200] * (12 * 784))
    (raw / "train-images-idx3-ubyte").write_bytes(flat)
    data = ready(MNIST(str(tmp_path), size=size))
    images, other = data.splits["train"][:]["image"], data.splits["test"][:]["image"]
    assert data.image_shape == (1, *shape) and images.shape == (12, 1, *shape) and images.dtype == torch.uint8
    assert (images == 200).all()
    if shape == (7, 7):  # antialiased: noise is averaged, not picked from
        assert float(other.float().std()) < 0.5 * float(pixels("t10k").float().std())


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("missing", [1, 4, None])
def test_read_idx(tmp_path, file, missing):
    path = write_idx(tmp_path) / file
    read_idx(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-missing] if missing else b"")
    with pytest.raises(UsageError, match="truncated or damaged") as error:
        read_idx(path)
    assert str(path) in str(error.value) and f"it has {path.stat().st_size}; delete it" in str(error.value)
    path.write_bytes(whole + b"\0")
    with pytest.raises(UsageError, match=f"promises {len(whole)} bytes, it has {len(whole) + 1}"):
        read_idx(path)


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("t10k")])
def test_truncated_file_is_named(tmp_path, file):
    path = write_idx(tmp_path) / file
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UsageError, match="truncated or damaged") as error:
        MNIST(str(tmp_path)).setup()
    assert str(path) in str(error.value)


@pytest.mark.parametrize("source", [MNIST, FashionMNIST])
def test_files_that_cannot_be_fetched(tmp_path, source):
    with pytest.raises(UsageError) as error:
        source(str(tmp_path)).prepare_data()
    message = str(error.value)
    assert message.startswith(f"{FILES[0]}.gz could not be downloaded") and "by hand" in message
    assert str(tmp_path / source.__name__ / "raw") in message
    assert not list(tmp_path.rglob("[!.]*ubyte*"))
    with pytest.raises(UsageError, match="is not in"):  # the lock is not taken for the set
        source(str(tmp_path)).setup()


def test_packed_files(tmp_path):
    raw = write_idx(tmp_path)
    for file in FILES:
        (raw / f"{file}.gz").write_bytes(gzip.compress((raw / file).read_bytes()))
        (raw / file).unlink()
    data = MNIST(str(tmp_path))
    data.prepare_data()
    assert torch.equal(ready(data).splits["train"][:]["image"][:, 0], pixels("train"))
    (raw / f"{FILES[0]}.gz").write_bytes((raw / f"{FILES[0]}.gz").read_bytes()[:100])
    with pytest.raises(UsageError, match=rf"{FILES[0]}.gz is damaged"):
        MNIST(str(tmp_path)).setup()


@pytest.mark.parametrize("inner", ["MNIST", "MNIST/raw"])
def test_the_sets_own_folder(tmp_path, inner):
    write_idx(tmp_path)
    data = MNIST(str(tmp_path / inner))
    data.prepare_data()
    assert len(ready(data).splits["train"]) == 12


def test_images_without_labels(tmp_path):
    raw = write_idx(tmp_path)
    (raw / FILES[1]).write_bytes(struct.pack(">2I", 0x801, 3) + bytes(3))
    with pytest.raises(UsageError, match="holds 12 images and 3 labels"):
        MNIST(str(tmp_path)).setup("fit")


def test_missing_root(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_DATA", str(tmp_path / "variable"))
    with pytest.raises(UsageError, match=r"argument, from data\.root, does not exist"):
        MNIST(str(tmp_path / "argument")).prepare_data()
    with pytest.raises(UsageError, match="variable, from the environment variable LIT_GANS_DATA, does not exist"):
        MNIST().prepare_data()
    assert not list(tmp_path.iterdir())


def test_files_that_were_not_prepared(tmp_path):
    with pytest.raises(UsageError, match=r"MNIST is not in .*prepare_data"):
        MNIST(str(tmp_path)).setup()


@pytest.fixture
def real_root():
    root = os.environ.get("LIT_GANS_DATA")
    if not root or not (Path(root) / "MNIST" / "raw" / FILES[0]).is_file():
        pytest.skip("LIT_GANS_DATA names no folder with MNIST/raw")
    return root


def test_real_digits(real_root):
    data = MNIST(real_root)
    data.prepare_data()
    data.setup()
    train, test = data.splits["train"][:], data.splits["test"][:]
    assert train["image"].shape == (60_000, 1, 28, 28) and test["image"].shape == (10_000, 1, 28, 28)
    assert train["image"].dtype == test["image"].dtype == torch.uint8
    assert train["label"].bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    # the mean and deviation of the set that everybody normalises by
    assert float(train["image"].float().mean() / 255) == pytest.approx(0.1307, abs=1e-4)
    assert float(train["image"].float().std() / 255) == pytest.approx(0.3081, abs=1e-4)


def test_real_digits_resized_and_held_out(real_root):
    full, data = ready(MNIST(real_root), "fit"), ready(MNIST(real_root, size=32, val_size=10_000), "fit")
    train, val = (data.splits[s][:] for s in ("train", "val"))
    assert train["image"].shape == (50_000, 1, 32, 32) and val["image"].shape == (10_000, 1, 32, 32)
    assert train["image"].dtype == torch.uint8
    counts = full.splits["train"].values("label").bincount()
    assert torch.equal(train["label"].bincount() + val["label"].bincount(), counts)
    assert (val["label"].bincount() / counts - 1 / 6).abs().max() < 0.02  # drawn at random from all classes
    originals = full.splits["train"][:]["image"]
    brightness = torch.cat([train["image"], val["image"]]).float().mean((1, 2, 3)).sort().values
    torch.testing.assert_close(brightness, originals.float().mean((1, 2, 3)).sort().values, rtol=0.03, atol=0.5)


@pytest.mark.parametrize("size", [0, 3, 10, 16, 500])
def test_a_cut_training_file_is_named(tmp_path, size):
    write_idx(tmp_path)
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UsageError, match="train-images-idx3-ubyte is truncated or damaged"):
        MNIST(str(tmp_path)).setup()


@pytest.mark.parametrize("val_size", [-3, 12, 20])
def test_val_size_leaves_something_to_train_on(tmp_path, val_size):
    write_idx(tmp_path)
    with pytest.raises(UsageError, match="val_size"):
        MNIST(str(tmp_path), val_size=val_size).setup("fit")

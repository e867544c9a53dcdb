"""Labels, pixels and lists that are out of range are refused, with the file's name, wherever they are read."""

import gzip
import pickle
import struct

import numpy as np
import pytest
import torch
from conftest import refused
from PIL import Image
from scipy.io import savemat

from lit_gans.data import CIFAR10, MNIST, SVHN, CelebA
from lit_gans.data.celeba import read_list
from lit_gans.data.mnist import read_idx
from lit_gans.data.svhn import read_mat


def mat(path, labels):
    count = len(labels)
    savemat(path, {"X": np.zeros((32, 32, 3, count), np.uint8), "y": np.array(labels).reshape(count, 1)})
    return path


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 200, -3, 1.7, 11, 2 + 1j])
def test_labels_of_svhn(wrong, tmp_path):
    path = mat(tmp_path / "train_32x32.mat", [1, wrong, 10])
    refused(lambda: read_mat(path), path, "whole numbers from 0 to 10", "download it anew")


def test_labels_of_svhn_that_are_a_cell(tmp_path):
    path = tmp_path / "train_32x32.mat"
    labels = np.empty((2, 1), object)
    labels[:] = [["one"], [np.zeros(3)]]
    savemat(path, {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": labels})
    refused(lambda: SVHN(str(tmp_path)).setup("fit"), path, "whole numbers from 0 to 10")


def test_a_ten_is_a_zero(tmp_path):
    assert read_mat(mat(tmp_path / "train_32x32.mat", [1.0, 10.0, 9.0]))[1].tolist() == [1, 0, 9]


def idx(path, shape, kind=8, fill=b"\0", packed=False):
    body = bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + fill * int(np.prod(shape))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(body) if packed else body)
    return path


@pytest.mark.parametrize("kind", [0, 9, 11, 12, 13, 14, 255])
def test_an_idx_file_of_another_type(kind, tmp_path):
    refused(lambda: read_idx(idx(tmp_path / "x", (3, 2), kind)), tmp_path / "x", f"00 00 {kind:02x}", "00 00 08")


@pytest.mark.parametrize("shape", [(2,), (2, 4), (2, 1, 4, 4), (1,) * 65, (1,) * 255])
def test_idx_images_of_another_rank(shape, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    idx(raw / "train-images-idx3-ubyte", shape)
    idx(raw / "train-labels-idx1-ubyte", (2,))
    refused(lambda: MNIST(str(tmp_path)).load("train"), raw / "train-images-idx3-ubyte", f"{len(shape)} dimensions")


@pytest.mark.parametrize(("shape", "fill", "reason"), [((2,), b"\x0a", "it holds 10"), ((2, 1), b"\0", "not 1")])
def test_labels_of_mnist(shape, fill, reason, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    idx(raw / "train-images-idx3-ubyte", (2, 28, 28))
    path = idx(raw / "train-labels-idx1-ubyte", shape, fill=fill)
    refused(lambda: MNIST(str(tmp_path)).load("train"), path, reason)


def test_a_packed_idx_file_that_is_damaged_or_a_bomb(tmp_path):
    path = idx(tmp_path / "x.gz", (100, 10), packed=True)
    assert read_idx(tmp_path / "x").shape == (100, 10)
    data = bytearray(path.read_bytes())
    for place in range(12, len(data), 3):
        path.write_bytes(bytes([*data[:place], data[place] ^ 255, *data[place + 1 :]]))
        try:
            read_idx(tmp_path / "x")
        except Exception:
            refused(lambda: read_idx(tmp_path / "x"), path, "damaged", "download it anew")
    bomb = bytes([0, 0, 8, 3]) + struct.pack(">3I", 4_000_000, 32, 32) + bytes(1_000_000)
    path.write_bytes(gzip.compress(bomb))
    refused(lambda: read_idx(tmp_path / "x"), path, "promises 4.1 GB, and more than 1 GB is not unpacked")
    longer = bytes([0, 0, 8, 1]) + struct.pack(">I", 5) + bytes(1_000_000)  # as many as it says are read, and one
    path.write_bytes(gzip.compress(longer))
    refused(lambda: read_idx(tmp_path / "x"), "its header promises 13 bytes, it has")


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (np.zeros((2, 3072), np.uint8), [99, 1]),
        (np.zeros((2, 3072), np.uint8), [-1, 1]),
        (np.zeros((2, 3072), np.uint8), [1.5, 1]),
        (np.zeros((2, 3072), np.uint8), ["a", "b"]),
        (np.full((2, 3072), 300), [0, 1]),
        (np.zeros((2, 3072)), [0, 1]),
    ],
)
def test_cifar10(pixels, labels, tmp_path):
    path = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps({b"data": pixels, b"labels": labels}))
    refused(lambda: CIFAR10(str(tmp_path)).load("train"), path, "damaged", "fetch it anew")


LISTS = {
    "a picture twice": ("2\na b\n1.jpg 1 -1\n1.jpg -1 1\n", ".txt", "has the picture 1.jpg twice"),
    "a column twice": ("2\na a\n1.jpg 1 -1\n2.jpg -1 1\n", ".txt", "has the column a twice"),
    "a column of a table twice": ("image_id,a,a\n1.jpg,1,-1\n2.jpg,-1,1\n", ".csv", "has the column a twice"),
    "five": ("2\na b\n1.jpg 1 5\n2.jpg -1 1\n", ".txt", "it holds 5 where whole numbers from -1 to 1 should be"),
    "half": ("image_id,a,b\n1.jpg,1,0.5\n", ".csv", "something else than numbers"),
    "no text": (b"\xff\xfe\x00", ".txt", "cannot be read"),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_celeba(name, tmp_path):
    content, ending, reason = LISTS[name]
    path = tmp_path / f"list_attr_celeba{ending}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(lambda: read_list(tmp_path, "list_attr_celeba", (-1, 1)), path, reason, "fetch it anew")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_lists_with_a_mark_and_quoted_names(mark, quote, tmp_path):
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    for number in (1, 2, 3):
        Image.new("RGB", (178, 218), (90 * number - 45, 0, 0)).save(folder / "img_align_celeba" / f"{number}.png")
    cell = f"{quote}{{}}{quote}".format
    rows = [["image_id", "Bald", "5 o'clock, shadow" if quote else "Shadow"]]
    rows += [[f"{number}.png", "1", "-1"] for number in (1, 2, 3)]
    table = "\r\n".join(",".join(map(cell, row)) for row in rows)
    (folder / "list_attr_celeba.csv").write_text(mark + table + "\r\n", "utf-8")
    (folder / "list_eval_partition.txt").write_text(mark + "1.png 0\n2.png 0\n3.png 1\n", "utf-8")
    data = CelebA(str(tmp_path), size=8, cache=str(tmp_path / "cache"), attribute="Bald")
    data.setup("fit")
    assert data.attribute_names == [row.strip(quote or " ") for row in rows[0][1:]]
    assert len(data.splits["train"]) == 2 and torch.equal(data.splits["train"].values("label"), torch.ones(2).long())

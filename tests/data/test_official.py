"""Every official set is fetched from a place that serves it in its official form, unpacked and loaded."""

import functools
import gzip
import hashlib
import http.server
import io
import pickle
import struct
import tarfile
import threading
import zipfile

import lmdb
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from lit_gans import CIFAR10, LSUN, MNIST, SVHN, CelebA, Facades, Horse2Zebra
from lit_gans.data import celeba, cifar10, lsun, paired, svhn, unpaired
from lit_gans.data.download import Remote
from lit_gans.errors import UsageError


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that is served, and its address."""
    folder = tmp_path / "official"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def jpeg(colour, size=(24, 24)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "JPEG")
    return file.getvalue()


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def digest(path, algorithm="sha256"):
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


def mnist(folder, url, monkeypatch):
    for part, count in (("train", 12), ("t10k", 5)):
        images = struct.pack(">4I", 0x803, count, 28, 28) + bytes([100] * 784 * count)
        labels = struct.pack(">2I", 0x801, count) + bytes(n % 10 for n in range(count))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]
    monkeypatch.setattr(MNIST, "mirrors", ("http://127.0.0.1:9/", url))  # the first mirror is gone
    monkeypatch.setattr(MNIST, "digests", [digest(folder / f"{name}-ubyte.gz", "md5") for name in names])
    return MNIST, {}, {"train": 12, "test": 5}


def house_numbers(folder, url, monkeypatch):
    for split, count in (("train", 11), ("test", 4), ("extra", 7)):
        content = {"X": np.full((32, 32, 3, count), 9, np.uint8), "y": np.arange(1, count + 1)[:, None] % 10 + 1}
        savemat(folder / f"{split}_32x32.mat", content, do_compression=True)
    monkeypatch.setattr(svhn, "_PAGE", url)
    digests = {split: digest(folder / f"{split}_32x32.mat", "md5") for split in ("train", "test", "extra")}
    monkeypatch.setattr(svhn, "_DIGESTS", digests)
    return SVHN, {"extra": True}, {"train": 18, "test": 4}


def ten_kinds(folder, url, monkeypatch):
    files = {}
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        content = {b"data": np.full((3, 3072), 7, np.uint8), b"labels": [1, 2, 3]}
        files[f"cifar-10-batches-py/{name}"] = pickle.dumps(content, protocol=2)
    write_tar(folder / "cifar-10-python.tar.gz", files)
    archive = Remote(f"{url}cifar-10-python.tar.gz", digest(folder / "cifar-10-python.tar.gz", "md5"))
    monkeypatch.setattr(cifar10, "_ARCHIVE", archive)
    return CIFAR10, {}, {"train": 15, "test": 3}


def faces(folder, url, monkeypatch):
    names = [f"{number:06}.jpg" for number in range(1, 10)]
    write_zip(folder / "img_align_celeba.zip", {f"img_align_celeba/{n}": jpeg("red", (178, 218)) for n in names})
    lines = [f"{name} {' '.join(['1', '-1'] * 20)}" for name in names]
    (folder / "list_attr_celeba.txt").write_text(f"9\n{' '.join(f'A{n}' for n in range(40))}\n" + "\n".join(lines))
    parts = [f"{name} {part}" for name, part in zip(names, [0] * 6 + [1] + [2] * 2, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(parts))
    files = ["img_align_celeba.zip", "list_attr_celeba.txt", "list_eval_partition.txt"]
    monkeypatch.setattr(celeba, "_FILES", [Remote(url + name, digest(folder / name), name) for name in files])
    return CelebA, {"download": True, "size": 16}, {"train": 6, "val": 1, "test": 2}


def scenes(folder, url, monkeypatch):
    digests = []
    for split, count in (("train", 8), ("val", 3)):
        name = f"tower_{split}_lmdb"
        with lmdb.open(str(folder / name), map_size=2**22) as env, env.begin(write=True) as transaction:
            for number in range(count):
                transaction.put(hashlib.sha1(bytes([number])).hexdigest().encode(), jpeg("blue", (40, 30)))
        write_zip(folder / f"{name}.zip", {f"{name}/data.mdb": (folder / name / "data.mdb").read_bytes()})
        digests.append(digest(folder / f"{name}.zip"))
    monkeypatch.setattr(lsun, "_SERVER", url)
    monkeypatch.setitem(lsun._DIGESTS, "tower", tuple(digests))
    return LSUN, {"download": True, "size": 16, "categories": "tower"}, {"train": 8, "val": 3}


def animals(folder, url, monkeypatch):
    counts = {"trainA": 5, "trainB": 7, "testA": 2, "testB": 3}
    files = {f"horse2zebra/{part}/{n}.jpg": jpeg("green") for part, count in counts.items() for n in range(count)}
    write_zip(folder / "horse2zebra.zip", files)
    monkeypatch.setattr(unpaired, "_PAGE", url)
    monkeypatch.setattr(Horse2Zebra, "official", ("horse2zebra", digest(folder / "horse2zebra.zip")))
    return Horse2Zebra, {"size": 16}, {"train": 7, "test": 3}


def houses(folder, url, monkeypatch):
    counts = {"train": 5, "val": 2, "test": 3}
    files = {f"facades/{part}/{n}.jpg": jpeg("white", (48, 24)) for part, count in counts.items() for n in range(count)}
    write_tar(folder / "facades.tar.gz", files)
    monkeypatch.setattr(paired, "_PAGE", url)
    return Facades, {"size": 16}, counts


SETS = [mnist, house_numbers, ten_kinds, faces, scenes, animals, houses]


@pytest.mark.parametrize("make", SETS, ids=lambda make: make.__name__)
def test_fetched_unpacked_and_loaded(make, place, tmp_path, monkeypatch):
    cls, arguments, counts = make(*place, monkeypatch)
    data = cls(str(tmp_path / "data"), batch_size=2, **arguments)
    with pytest.raises(UsageError, match="is not in"):
        data.setup()
    data.prepare_data()
    data.setup()
    assert {split: len(data.splits[split]) for split in counts} == counts
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    images = [value for value in batch.values() if isinstance(value, torch.Tensor) and value.ndim == 4]
    assert images and all(image.shape[1:] == data.image_shape for image in images)
    again = cls(str(tmp_path / "data"), **arguments)
    monkeypatch.setattr("lit_gans.data.download.urlopen", None)  # what is there is not fetched again
    again.prepare_data()
    again.setup()


@pytest.mark.parametrize("make", [*SETS[:-1]], ids=lambda make: make.__name__)
def test_wrong_bytes_are_refused(make, place, tmp_path, monkeypatch):
    cls, arguments, _ = make(*place, monkeypatch)
    for path in place[0].iterdir():
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(UsageError, match=r"expected the checksum .* by hand"):
        cls(str(tmp_path / "data"), **arguments).prepare_data()
    left = [p for p in (tmp_path / "data").rglob("*") if p.is_file() and not p.name.startswith(".")]
    assert not left


def test_without_a_checksum_the_archive_tells(place, tmp_path, monkeypatch):
    houses(*place, monkeypatch)
    archive = place[0] / "facades.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(UsageError, match=r"facades\.tar\.gz is damaged or truncated .* delete it and run again"):
        Facades(str(tmp_path / "data")).prepare_data()
    assert not (tmp_path / "data" / "facades").exists()


@pytest.mark.parametrize("cls, size", [(CelebA, "1.4 GB"), (LSUN, "data.download=true")])
def test_large_sets_are_only_fetched_when_asked_for(cls, size, tmp_path):
    with pytest.raises(UsageError, match=size):
        cls(str(tmp_path)).prepare_data()

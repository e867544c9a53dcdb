"""Every set in the form that its official distribution has on disk: the right pictures, labels, captions and pairs."""

import io
import os
import pickle
import shutil
import struct
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import lmdb
import numpy as np
import pytest
import torch
from conftest import refused
from PIL import Image
from scipy.io import savemat

from lit_gans import data as sets
from lit_gans.data import (
    CIFAR10,
    LSUN,
    SVHN,
    Captions,
    CelebA,
    Cityscapes,
    Facades,
    Horse2Zebra,
    ImageFolder,
    Paired,
    Unpaired,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ready(data, stage=None):
    data.prepare_data()
    data.setup(stage)
    return data


def encode(picture, kind="PNG"):
    file = io.BytesIO()
    picture.save(file, kind, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))
    return file.getvalue()


def coded(number, side=8, blue=0):
    """A picture that shows its number, in steps that survive JPEG."""
    return Image.new(
        "RGB", (side, side) if isinstance(side, int) else side, (number % 16 * 16, number // 16 * 16, blue)
    )


def numbers(images):
    """What coded pictures show."""
    assert images.dtype == torch.uint8
    spread = images.flatten(2).float()
    assert (spread.amax(2) - spread.amin(2)).max() <= 4
    red, green = ((spread[:, i].mean(1) / 16).round().long() for i in (0, 1))
    return (red + 16 * green).tolist()


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def coordinates(number, side=20):
    """A picture that shows where each of its pixels is, and its number."""
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = np.arange(side) * 8, np.arange(side)[:, None] * 8, number
    return Image.fromarray(pixels)


def located(images):
    """Number, top, left and flip of parts of pictures of coordinates, once they are nothing else."""
    pixels = ((images + 1) * 127.5).round().long()
    found = []
    for x, y, number in pixels:
        columns, rows = x[0] // 8, y[:, 0] // 8
        assert (x == columns * 8).all() and (y == rows[:, None] * 8).all() and (number == number[0, 0]).all()
        assert (columns.diff().abs() == 1).all() and len(columns.diff().unique()) == 1 and (rows.diff() == 1).all()
        flip = bool(columns[0] > columns[-1])
        found.append((int(number[0, 0]), int(rows[0]), int(columns.min()), flip))
    return found


def under_trainer(data, position=0, rank=0, world_size=1):
    """Gives a data module the only parts of a trainer that it looks at."""
    progress = SimpleNamespace(total=SimpleNamespace(ready=position))
    fit_loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, fit_loop=fit_loop)
    return data


def batches(data, split="train"):
    """One pass, as a model gets it."""
    loader = data.train_dataloader() if split == "train" else getattr(data, f"{split}_dataloader")()
    found = [data.on_after_batch_transfer(batch, 0) for batch in loader]
    return found


def assert_same(left, right):
    assert len(left) == len(right) > 0
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for name, value in a.items():
            assert torch.equal(value, b[name]) if isinstance(value, torch.Tensor) else value == b[name], name


# -------------------------------------------------------------------- SVHN


def write_svhn(root, train=30, test=10, **more):
    """MATLAB 5 files: X 32x32x3xN uint8 and y Nx1, where 10 is the digit 0. Picture n is of the digit n % 10."""
    folder = root / "SVHN"
    folder.mkdir()
    for split, count in {"train": train, "test": test, **more}.items():
        pixels = np.random.default_rng(len(split)).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        pixels[0, 0, 0] = np.arange(count)
        label = np.array([[n % 10 or 10] for n in range(count)], np.uint8)
        savemat(folder / f"{split}_32x32.mat", {"X": pixels, "y": label}, do_compression=split == "test")
    return folder


def svhn_pixels(split, count):
    pixels = np.random.default_rng(len(split)).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
    pixels[0, 0, 0] = np.arange(count)
    return torch.from_numpy(pixels).permute(3, 2, 0, 1)


@pytest.mark.parametrize("own", [False, True])
def test_svhn(tmp_path, own):
    folder = write_svhn(tmp_path)
    data = SVHN(str(folder if own else tmp_path))
    assert data.image_shape == (3, 32, 32) and data.num_classes == 10
    ready(data)
    for split, name, count in (("train", "train", 30), ("val", "test", 10), ("test", "test", 10)):
        sample = data.splits[split][:]
        assert torch.equal(sample["image"], svhn_pixels(name, count)) and sample["image"].dtype == torch.uint8
        assert sample["label"].tolist() == [n % 10 for n in range(count)] and sample["label"].dtype == torch.int64


def test_svhn_with_the_extra_digits(tmp_path):
    write_svhn(tmp_path, extra=20)
    data = ready(SVHN(str(tmp_path), extra=True))
    assert torch.equal(
        data.splits["train"][:]["image"], torch.cat([svhn_pixels("train", 30), svhn_pixels("extra", 20)])
    )
    assert data.splits["train"].values("label").tolist() == [n % 10 for n in (*range(30), *range(20))]
    assert len(data.splits["test"]) == 10


@pytest.mark.parametrize(
    "size, channels, shape", [(16, 1, (1, 16, 16)), ((8, 12), 3, (3, 8, 12)), (64, 3, (3, 64, 64))]
)
def test_svhn_in_another_shape(tmp_path, size, channels, shape):
    write_svhn(tmp_path)
    data = SVHN(str(tmp_path), size=size, channels=channels)
    assert data.image_shape == shape
    image = ready(data).splits["train"][:]["image"]
    assert image.shape == (30, *shape) and image.dtype == torch.uint8
    assert float(image.float().mean()) == pytest.approx(127.5, abs=3)


@pytest.mark.parametrize("share", [0, 10, 130, 0.5, 0.99])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_cut_mat_file(tmp_path, share, split):
    path = write_svhn(tmp_path) / f"{split}_32x32.mat"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole)) if isinstance(share, float) else share])
    refused(lambda: SVHN(str(tmp_path)).setup(), path, "truncated", "delete it and run again")


CONTENTS = {
    "no X": {"y": np.ones((5, 1), np.uint8)},
    "no y": {"X": np.zeros((32, 32, 3, 5), np.uint8)},
    "other counts": {"X": np.zeros((32, 32, 3, 5), np.uint8), "y": np.ones((4, 1), np.uint8)},
    "other sizes": {"X": np.zeros((16, 16, 3, 5), np.uint8), "y": np.ones((5, 1), np.uint8)},
    "other order": {"X": np.zeros((5, 32, 32, 3), np.uint8), "y": np.ones((5, 1), np.uint8)},
    "floats": {"X": np.zeros((32, 32, 3, 5)), "y": np.ones((5, 1), np.uint8)},
}


@pytest.mark.parametrize("content", CONTENTS)
def test_mat_files_of_something_else(tmp_path, content):
    path = write_svhn(tmp_path) / "train_32x32.mat"
    savemat(path, CONTENTS[content])
    refused(lambda: SVHN(str(tmp_path)).setup("fit"), path, "not in SVHN's format 2", "delete it")


def test_svhn_is_not_there(tmp_path):
    refused(lambda: SVHN(str(tmp_path / "none")).setup(), tmp_path / "none", "does not exist", "create it")
    refused(lambda: SVHN(str(tmp_path)).setup(), tmp_path, "SVHN is not in", "prepare_data", "train_32x32.mat")
    (write_svhn(tmp_path) / "test_32x32.mat").unlink()
    refused(lambda: SVHN(str(tmp_path)).setup(), "test_32x32.mat is missing", "prepare_data")


@pytest.mark.parametrize(
    "arguments", [{"labels_per_class": 2}, {"label_fraction": 0.66}, {"labels_per_class": 0}], ids=str
)
def test_few_labels(tmp_path, arguments):
    write_svhn(tmp_path)
    data = ready(SVHN(str(tmp_path), **arguments))
    label = data.splits["train"].values("label")
    whole = torch.arange(30) % 10
    shown = label >= 0
    assert torch.equal(label[shown], whole[shown]) and (label[~shown] == -1).all()
    wanted = arguments.get("labels_per_class", 2)
    assert label[shown].bincount(minlength=10).tolist() == [wanted] * 10
    assert data.splits["test"].values("label").tolist() == [n % 10 for n in range(10)]
    again, other = (ready(SVHN(str(tmp_path), seed=s, **arguments)).splits["train"].values("label") for s in (0, 1))
    assert torch.equal(label, again) and (wanted == 0 or not torch.equal(label, other))
    seen = torch.cat([batch["label"] for batch in batches(ready(SVHN(str(tmp_path), batch_size=5, **arguments)))])
    assert (seen >= 0).sum() == 10 * wanted


def test_more_labels_than_there_are(tmp_path):
    write_svhn(tmp_path)
    refused(lambda: SVHN(str(tmp_path), labels_per_class=4).setup("fit"), "labels_per_class=4", "has 3 training")


# -------------------------------------------------------------------- CIFAR-10


def cifar_part(first, count):
    """What a file holds: rows of 1024 red, 1024 green and 1024 blue values; picture n shows n, of class n % 10."""
    pixels = np.zeros((count, 3, 32, 32), np.uint8)
    for place, number in enumerate(range(first, first + count)):
        pixels[place, 0], pixels[place, 1], pixels[place, 2, :16] = number, np.arange(32), 200
    names = [b"picture_%d.png" % n for n in range(count)]
    labels = [n % 10 for n in range(first, first + count)]
    return {b"batch_label": b"a batch", b"labels": labels, b"data": pixels.reshape(count, 3072), b"filenames": names}


def as_python_2(part):
    """Protocol 2 with byte strings, which is what the official files are and Python 3 cannot write."""

    def string(value):
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    def array(value):
        count, row = value.shape
        return b"".join(
            [
                b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85",
                string(b"b"),
                b"tR(K\1",
                b"M" + struct.pack("<H", count) + b"M" + struct.pack("<H", row) + b"\x86",
                b"cnumpy\ndtype\n(" + string(b"u1") + b"K\0K\1tR(K\3" + string(b"|"),
                b"NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\0tb\x89",
                string(value.tobytes()) + b"tb",
            ]
        )

    labels = b"](" + b"".join(b"K" + bytes([label]) for label in part[b"labels"]) + b"e"
    names = b"](" + b"".join(map(string, part[b"filenames"])) + b"e"
    items = [string(b"batch_label"), string(part[b"batch_label"]), string(b"labels"), labels]
    items += [string(b"data"), array(part[b"data"]), string(b"filenames"), names]
    return b"\x80\x02}(" + b"".join(items) + b"u."


def write_cifar(root, dump=as_python_2, parts=5):
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for number in range(parts):
        (folder / f"data_batch_{number + 1}").write_bytes(dump(cifar_part(number * 10, 10)))
    (folder / "test_batch").write_bytes(dump(cifar_part(100, 20)))
    (folder / "batches.meta").write_bytes(pickle.dumps({}))
    return folder


@pytest.mark.parametrize(
    "dump", [as_python_2, lambda part: pickle.dumps(part, protocol=2), lambda part: pickle.dumps(part, protocol=4)]
)
@pytest.mark.parametrize("own", [False, True])
def test_cifar(tmp_path, dump, own):
    folder = write_cifar(tmp_path, dump)
    data = CIFAR10(str(folder if own else tmp_path))
    assert data.image_shape == (3, 32, 32) and data.num_classes == 10
    ready(data)
    for split, first, count in (("train", 0, 50), ("val", 100, 20), ("test", 100, 20)):
        sample = data.splits[split][:]
        assert torch.equal(
            sample["image"], torch.from_numpy(cifar_part(first, count)[b"data"].reshape(count, 3, 32, 32))
        )
        assert sample["label"].tolist() == [n % 10 for n in range(first, first + count)]
        assert sample["label"].dtype == torch.int64


def test_a_part_of_cifar(tmp_path):
    write_cifar(tmp_path, parts=2)
    assert len(ready(CIFAR10(str(tmp_path))).splits["train"]) == 20
    (tmp_path / "cifar-10-batches-py" / "test_batch").unlink()
    refused(lambda: CIFAR10(str(tmp_path)).setup(), tmp_path / "cifar-10-batches-py", "test_batch", "fetch it anew")


def test_a_file_called_batch_does_not_make_a_folder_cifars(tmp_path):
    (tmp_path / "my_batch_job.sh").write_text("echo")
    write_cifar(tmp_path)
    assert len(ready(CIFAR10(str(tmp_path))).splits["train"]) == 50


@pytest.mark.parametrize("share", [0, 1, 50, 0.5, 0.999])
def test_a_cut_cifar_file(tmp_path, share):
    path = write_cifar(tmp_path) / "data_batch_3"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole)) if isinstance(share, float) else share])
    refused(lambda: CIFAR10(str(tmp_path)).setup(), path, "damaged", "fetch it anew")


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class Eval(Evil):
    def __reduce__(self):
        return eval, (f"open({str(self.path)!r}, 'w')",)


class Getattr(Evil):
    def __reduce__(self):
        return getattr, (Path, "touch")


@pytest.mark.parametrize("kind", [Evil, Eval, Getattr])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_cifar_file(tmp_path, kind, protocol):
    path = write_cifar(tmp_path) / "data_batch_3"
    part = {**cifar_part(0, 10), b"more": kind(tmp_path / "touched")}
    path.write_bytes(pickle.dumps(part, protocol=protocol))
    refused(lambda: CIFAR10(str(tmp_path)).setup(), path, "it asks for", "fetch it anew")
    assert not (tmp_path / "touched").exists()


def test_cifars_malicious_numpy_names(tmp_path):
    path = write_cifar(tmp_path) / "data_batch_3"
    for module, name in (("numpy", "load"), ("numpy.core.multiarray", "fromfile"), ("numpy", "f2py.os.system")):
        path.write_bytes(b"\x80\x04\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]))
        path.write_bytes(path.read_bytes() + name.encode() + b"\x93\x8c\x07touch x\x85R.")
        refused(lambda: CIFAR10(str(tmp_path)).setup(), path, f"it asks for {module}.{name}")


@pytest.mark.parametrize(
    "content", [{}, [1], {b"data": 5, b"labels": [1]}, {b"data": np.zeros((2, 3072)), b"labels": [1]}]
)
def test_cifar_files_of_something_else(tmp_path, content):
    path = write_cifar(tmp_path) / "test_batch"
    path.write_bytes(pickle.dumps(content, protocol=2))
    refused(lambda: CIFAR10(str(tmp_path)).setup(), path, "damaged")


# -------------------------------------------------------------------- CelebA

ATTRIBUTES = ["Bald", "Male", "Smiling", "Young", "Eyeglasses"]
ATTRIBUTES += [f"{colour}_Hair" for colour in ("Black", "Blond", "Brown", "Gray")]
ATTRIBUTES += [f"Attribute_{n}" for n in range(31)]
PARTS = [0] * 12 + [1] * 5 + [2] * 4


def bits(number):
    """A picture's attributes: the bits of its number, and of its rest by three."""
    return [(number >> i) & 1 for i in range(4)] + [int((number + i) % 3 == 0) for i in range(36)]


def write_celeba(root, form="txt", name="celeba", skip=()):
    folder = root / name
    folder.mkdir(parents=True)
    names = [f"{n + 1:06}.jpg" for n in range(len(PARTS))]
    pictures = {file: encode(coded(n, (178, 218), 99), "JPEG") for n, file in enumerate(names) if file not in skip}
    if form == "zip":
        with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as file:
            for picture, data in pictures.items():
                file.writestr(f"img_align_celeba/{picture}", data)
    else:
        inner = folder / "img_align_celeba" / ("img_align_celeba" if form == "csv" else "")
        inner.mkdir(parents=True)
        for picture, data in pictures.items():
            (inner / picture).write_bytes(data)
    rows = [(file, [str(2 * bit - 1) for bit in bits(n)]) for n, file in enumerate(names)][::-1]  # not by name
    if form == "csv":
        lines = [",".join(["image_id", *ATTRIBUTES]), *(",".join([file, *row]) for file, row in rows)]
        (folder / "list_attr_celeba.csv").write_text("\n".join(lines) + "\n")
        lines = ["image_id,partition", *(f"{file},{part}" for file, part in zip(names, PARTS, strict=True))]
        (folder / "list_eval_partition.csv").write_text("\n".join(lines) + "\n")
    else:
        lines = [
            str(len(rows)),
            " ".join(ATTRIBUTES) + " ",
            *(f"{file} {' '.join(f'{v:>2}' for v in row)}" for file, row in rows),
        ]
        (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
        lines = [f"{file} {part}" for file, part in zip(names, PARTS, strict=True)]
        (folder / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_celeba_captions(tmp_path):
    """A sentence of each face, from which its attributes can be read."""
    write_celeba(tmp_path)
    data = CelebA(str(tmp_path), size=8, captions=True)
    sentences = data.sentences.all()
    assert len({*sentences}) == 80 and {len(words) for words in map(str.split, sentences)} == {3, 4, 5, 6, 7, 8, 9}
    assert data.text_shape == (10, 5 + 15)
    samples = ready(data).splits["train"]
    batch = samples[:]
    assert data.vocabularies["tokens"].decode(batch["tokens"]) == batch["caption"]
    names = data.attribute_names
    for has, caption in zip(batch["attributes"].tolist(), batch["caption"], strict=True):
        of = dict(zip(names, has, strict=True))
        words = caption.split()
        assert ("man" in words, "woman" in words) == (of["Male"], not of["Male"])
        assert ("smiling" in words, "young" in words, "old" in words) == (of["Smiling"], of["Young"], not of["Young"])
        assert ("glasses" in words) == of["Eyeglasses"] and words[0] == ("an" if words[1] == "old" else "a")
        hair = [colour for colour in ("Black", "Blond", "Brown", "Gray") if of[f"{colour}_Hair"]]
        said = [word.replace("grey", "gray").title() for word in words if word in ("black", "blond", "brown", "grey")]
        assert said == (hair if len(hair) == 1 else [])
    values = data.read_captions(["a smiling young woman with blond hair and glasses", "an old man with grey hair"])
    assert values.tolist() == [[0, 1, 1, 1, 2], [1, 0, 0, 0, 4]]
    assert list(data.caption_attributes) == ["sex", "smile", "age", "glasses", "hair"]
    refused(lambda: data.read_captions(["a dog"]), "'a dog' says nothing that can be read")


@pytest.mark.parametrize("form", ["txt", "csv", "zip"])
@pytest.mark.parametrize("own", [False, True])
def test_celeba(tmp_path, form, own):
    folder = write_celeba(tmp_path, form)
    data = CelebA(str(folder if own else tmp_path), size=8, attribute="Smiling")
    assert data.image_shape == (3, 8, 8) and data.num_classes == 2 and CelebA(str(tmp_path)).num_classes is None
    ready(data)
    assert data.attribute_names == ATTRIBUTES
    for number, split in enumerate(("train", "val", "test")):
        sample, expected = data.splits[split][:], [n for n, part in enumerate(PARTS) if part == number]
        assert numbers(sample["image"]) == expected and sample["image"].shape == (len(expected), 3, 8, 8)
        assert sample["attributes"].dtype == torch.bool
        assert sample["attributes"].int().tolist() == [bits(n) for n in expected]
        assert sample["label"].tolist() == [n >> 2 & 1 for n in expected] and sample["label"].dtype == torch.int64


def test_several_attributes_of_celeba(tmp_path):
    write_celeba(tmp_path)
    data = ready(CelebA(str(tmp_path), size=8, attribute=["Smiling", "Bald", "Young"], batch_size=4))
    assert data.num_classes == 3 and CelebA(str(tmp_path), attribute=["Male"]).num_classes == 1
    expected = [[n >> 2 & 1, n & 1, n >> 3 & 1] for n, part in enumerate(PARTS) if part == 0]
    assert data.splits["train"][:]["label"].tolist() == expected
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert batch["label"].dtype == torch.int64 and batch["label"].shape == (4, 3)  # uint8 would become an image
    refused(
        lambda: ready(CelebA(str(tmp_path), attribute=["Male", "smilin"])), "'smilin'", "did you mean Smiling? it has"
    )
    refused(lambda: CelebA(str(tmp_path), attribute=[]), "attribute is an empty list")
    for hidden in ({"labels_per_class": 2}, {"label_fraction": 0.5}):
        refused(lambda h=hidden: CelebA(str(tmp_path), attribute=["Male"], **h), "several attributes are no classes")


@pytest.mark.parametrize("crop", [108, 140, 148, 178])
def test_how_much_of_a_face_is_shown(tmp_path, crop):
    folder = write_celeba(tmp_path)
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(178), np.arange(218)[:, None]
    for path in (folder / "img_align_celeba").iterdir():
        path.write_bytes(encode(Image.fromarray(pixels), "PNG"))
    image = ready(CelebA(str(tmp_path), size=crop, crop=crop), "fit").splits["train"][:]["image"]
    whole = torch.from_numpy(pixels).permute(2, 0, 1)
    top, left = (218 - crop) // 2, (178 - crop) // 2
    assert torch.equal(image[3], whole[:, top : top + crop, left : left + crop])


@pytest.mark.parametrize("form", ["txt", "zip"])
def test_a_corrupt_face_is_left_out_with_its_attributes(tmp_path, form):
    folder = write_celeba(tmp_path, form)
    if form == "txt":
        path = folder / "img_align_celeba" / "000005.jpg"
        path.write_bytes(path.read_bytes()[:300])
    else:
        data = bytearray((folder / "img_align_celeba.zip").read_bytes())
        at = data.index(b"img_align_celeba/000005.jpg") + 400
        data[at : at + 50] = bytes(50)
        (folder / "img_align_celeba.zip").write_bytes(data)
    refused(lambda: CelebA(str(tmp_path), size=8).prepare_data(), "000005.jpg", "replace or delete", "skip_corrupt")
    with pytest.warns(UserWarning, match=r"1 of 12 images .* cannot be decoded and are left out, .*000005.jpg for one"):
        data = ready(CelebA(str(tmp_path), size=8, attribute="Bald", skip_corrupt=True, labels_per_class=3))
    sample, expected = data.splits["train"][:], [n for n in range(12) if n != 4]
    assert numbers(sample["image"]) == expected and sample["attributes"].int().tolist() == [bits(n) for n in expected]
    shown = sample["label"] >= 0
    assert sample["label"][shown].bincount().tolist() == [3, 3]
    assert torch.equal(sample["label"][shown], (torch.tensor(expected) % 2)[shown])


def edit(path, change):
    path.write_text(change(path.read_text()))


def drop_line(number):
    return lambda text: "".join(line for n, line in enumerate(text.splitlines(keepends=True)) if n != number)


def short_line(number):
    lines = lambda text: text.splitlines()  # noqa: E731
    return lambda text: "\n".join(line[:-3] if n == number else line for n, line in enumerate(lines(text)))


LISTS = {
    "count": ("txt", "list_attr_celeba.txt", drop_line(5), ["promises 21 lines and has 20", "fetch it anew"]),
    "cut": ("txt", "list_attr_celeba.txt", lambda t: t[: len(t) // 2], ["promises 21 lines", "fetch it anew"]),
    "short line": ("txt", "list_attr_celeba.txt", short_line(5), ["has 39 values for picture 000018.jpg", "not 40"]),
    "short csv line": ("csv", "list_attr_celeba.csv", short_line(5), ["has 39 values for picture", "fetch it anew"]),
    "words": ("csv", "list_attr_celeba.csv", lambda t: t.replace(",-1\n", ",no\n"), ["something else than numbers"]),
    "large": ("csv", "list_attr_celeba.csv", lambda t: t.replace(",-1\n", ",-1000\n"), ["something else than numbers"]),
    "no line": ("csv", "list_attr_celeba.csv", drop_line(5), ["is in no line of", "list_attr_celeba", "fetch"]),
    "empty": ("txt", "list_attr_celeba.txt", lambda t: "", ["is in no line of", "list_attr_celeba"]),
    "empty csv": ("csv", "list_attr_celeba.csv", lambda t: "", ["is in no line of", "list_attr_celeba"]),
    "no part": ("txt", "list_eval_partition.txt", drop_line(3), ["000004.jpg is in no line of", "list_eval_partition"]),
    "cut parts": ("csv", "list_eval_partition.csv", lambda t: t[:-3], ["values for picture 000021.jpg", "fetch it"]),
    "empty parts": ("csv", "list_eval_partition.csv", lambda t: "", ["is in no line of", "list_eval_partition"]),
    "html": (
        "txt",
        "list_eval_partition.txt",
        lambda t: "<html>\n<b>Quota exceeded</b>\n",
        ["list_eval_partition.txt"],
    ),
    "no test": ("txt", "list_eval_partition.txt", lambda t: t.replace(" 2\n", " 1\n"), ["puts none", "'test'"]),
    "no train": ("csv", "list_eval_partition.csv", lambda t: t.replace(",0\n", ",1\n"), ["puts none", "'train'"]),
}


@pytest.mark.parametrize("what", LISTS)
def test_lists_that_do_not_fit(tmp_path, what):
    form, name, change, parts = LISTS[what]
    edit(write_celeba(tmp_path, form) / name, change)
    refused(lambda: CelebA(str(tmp_path), size=8).prepare_data(), tmp_path, *parts)


def test_lists_that_are_no_text(tmp_path):
    (write_celeba(tmp_path) / "list_attr_celeba.txt").write_bytes(bytes(range(128, 256)) * 9)
    refused(lambda: CelebA(str(tmp_path), size=8).prepare_data(), "list_attr_celeba")


@pytest.mark.parametrize("name", ["list_attr_celeba", "list_eval_partition"])
def test_missing_lists(tmp_path, name):
    (write_celeba(tmp_path) / f"{name}.txt").unlink()
    refused(lambda: CelebA(str(tmp_path)).prepare_data(), tmp_path / "celeba", f"{name}.txt nor {name}.csv", "fetch")


def test_what_celeba_does_not_have(tmp_path):
    refused(lambda: CelebA(str(tmp_path)).prepare_data(), "CelebA", tmp_path, "data.download=true", "data.root")
    write_celeba(tmp_path)
    refused(
        lambda: CelebA(str(tmp_path), attribute="smiling").prepare_data(),
        "'smiling'",
        "mean Smiling? it has Bald, Male, Smiling",
    )
    refused(lambda: CelebA(str(tmp_path), crop=200), "crop", "178x218")
    refused(lambda: CelebA(str(tmp_path), val_size=2).prepare_data(), "leave val_size at 0")
    refused(lambda: CelebA(str(tmp_path), labels_per_class=2).prepare_data(), "has no labels")
    refused(lambda: CelebA(str(tmp_path), fit="squash"), "'crop' or 'stretch'", "squash")


def test_an_empty_celeba(tmp_path):
    folder = write_celeba(tmp_path)
    shutil.rmtree(folder / "img_align_celeba")
    (folder / "img_align_celeba").mkdir()
    refused(lambda: CelebA(str(tmp_path)).prepare_data(), folder / "img_align_celeba", "holds no image")


# -------------------------------------------------------------------- LSUN


def write_lsun(root, category, splits=("train", "val"), first=0, count=12):
    """Keys are hashes, so the order is theirs; pictures are of many shapes, and none is square."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(first)).tolist()
    for split in splits:
        env = lmdb.open(str(root / "lsun" / f"{category}_{split}_lmdb"), map_size=1 << 26)
        with env.begin(write=True) as transaction:
            for place, number in enumerate(order):
                picture = coded(first + number, (60 + 5 * number, 40))
                transaction.put(b"%040x" % place, encode(picture, "JPEG"))
        env.close()
    return [first + number for number in order]


@pytest.mark.parametrize("own", [False, True])
def test_lsun(tmp_path, own):
    (tmp_path / "lsun").mkdir()
    order = write_lsun(tmp_path, "bedroom")
    data = LSUN(str(tmp_path / "lsun" if own else tmp_path), size=16)
    assert data.image_shape == (3, 16, 16) and data.num_classes is None
    ready(data)
    for split in ("train", "val", "test"):
        assert numbers(data.splits[split][:]["image"]) == order and set(data.splits[split][:]) == {"image"}


def test_scenes_of_several_kinds(tmp_path):
    (tmp_path / "lsun").mkdir()
    tower, bridge = write_lsun(tmp_path, "tower"), write_lsun(tmp_path, "bridge", first=40, count=7)
    save(tmp_path / "lsun" / "kitchen" / "train" / "a.png", coded(80))
    save(tmp_path / "lsun" / "kitchen" / "val" / "a.png", coded(81))
    data = LSUN(str(tmp_path), ["bridge", "kitchen", "tower"], size=8, labels_per_class=1)
    assert data.num_classes == 3
    ready(data)
    val, train = data.splits["val"][:], data.splits["train"][:]
    assert numbers(val["image"]) == [*bridge, 81, *tower] and numbers(train["image"]) == [*bridge, 80, *tower]
    assert val["label"].tolist() == [0] * 7 + [1] + [2] * 12
    assert train["label"][train["label"] >= 0].tolist() == [0, 1, 2]


def test_scenes_of_another_kind(tmp_path):
    refused(lambda: LSUN(str(tmp_path)).prepare_data(), "bedroom_train_lmdb is not in", tmp_path, "download=true")
    (tmp_path / "lsun").mkdir()
    write_lsun(tmp_path, "bedroom")
    refused(
        lambda: LSUN(str(tmp_path), "tower").prepare_data(), tmp_path, "tower_train_lmdb", "which has bedroom", "fetch"
    )
    refused(lambda: LSUN(str(tmp_path), ["bedroom", "tower"]).prepare_data(), "tower_train_lmdb", "which has bedroom")
    refused(lambda: LSUN(str(tmp_path), []), "at least one category")
    refused(lambda: LSUN(str(tmp_path), "tawer", download=True).prepare_data(), "'tawer'", "it has bedroom")


def test_a_cut_lsun(tmp_path):
    (tmp_path / "lsun").mkdir()
    write_lsun(tmp_path, "bedroom")
    path = tmp_path / "lsun" / "bedroom_val_lmdb" / "data.mdb"
    path.write_bytes(path.read_bytes()[:9000])
    refused(lambda: LSUN(str(tmp_path), size=8).prepare_data(), path.parent, "not a whole LMDB", "fetch it anew")


def test_a_corrupt_scene(tmp_path):
    (tmp_path / "lsun").mkdir()
    order = write_lsun(tmp_path, "bedroom")
    env = lmdb.open(str(tmp_path / "lsun" / "bedroom_train_lmdb"), map_size=1 << 26)
    with env.begin(write=True) as transaction:
        transaction.put(b"%040x" % 4, transaction.get(b"%040x" % 4)[:400])
    env.close()
    refused(lambda: LSUN(str(tmp_path), size=8).prepare_data(), f"bedroom_train_lmdb/{4:040x}", "skip_corrupt")
    with pytest.warns(UserWarning, match="1 of 12"):
        data = ready(LSUN(str(tmp_path), size=8, skip_corrupt=True))
    assert numbers(data.splits["train"][:]["image"]) == [n for place, n in enumerate(order) if place != 4]


# -------------------------------------------------------------------- a person's own pictures


def write_classes(root, splits=("train", "val", "test"), per_class=8):
    """Three classes: their pictures' numbers are 0, 3, 6, ... and 1, 4, ... and 2, 5, ..."""
    for shift, split in enumerate(splits):
        for number in range(3 * per_class):
            save(root / split / "abc"[number % 3] / f"{number:03}.png", coded(number + 40 * shift))
    return root


def test_pictures_by_class_and_split(tmp_path):
    data = ImageFolder(str(write_classes(tmp_path / "set")), size=8)
    assert data.image_shape == (3, 8, 8) and data.num_classes == 3 and data.classes == ["a", "b", "c"]
    ready(data)
    for shift, split in enumerate(("train", "val", "test")):
        sample = data.splits[split][:]
        found = [n - 40 * shift for n in numbers(sample["image"])]
        assert sorted(found) == list(range(24)) and [n % 3 for n in found] == sample["label"].tolist()


@pytest.mark.parametrize("top", ["", "set/"])
def test_a_zip_of_pictures_by_class_and_split(tmp_path, top):
    write_classes(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for path in (tmp_path / "set").rglob("*.png"):
            file.write(path, f"{top}{path.relative_to(tmp_path / 'set')}")
    a, b = (ready(ImageFolder(str(tmp_path / name), size=8)) for name in ("set", "set.zip"))
    for split in ("train", "val", "test"):
        assert_same([a.splits[split][:]], [b.splits[split][:]])


@pytest.mark.parametrize("names", [("training", "valid", "testing"), ("train", "validation", "test")])
def test_other_names_of_splits(tmp_path, names):
    data = ImageFolder(str(write_classes(tmp_path / "set", names)), size=8)
    assert data.own_splits == ("train", "val", "test") and data.num_classes == 3
    assert min(numbers(ready(data).splits["test"][:]["image"])) == 80


def test_pictures_without_classes(tmp_path):
    for number in range(5):
        save(tmp_path / "set" / f"{number}.png", coded(number))
    save(tmp_path / "set" / "more" / "5.png", coded(5))
    save(tmp_path / "set" / "others" / "6.png", coded(6))
    data = ImageFolder(str(tmp_path / "set"), size=8)
    assert data.num_classes is None and data.own_splits == ("train",)
    ready(data)
    for split in ("train", "val", "test"):
        assert numbers(data.splits[split][:]["image"]) == list(range(7)) and set(data.splits[split][:]) == {"image"}


def test_one_folder_is_no_class(tmp_path):
    for number in range(5):
        save(tmp_path / "set" / "faces" / f"{number}.png", coded(number))
    assert ImageFolder(str(tmp_path / "set")).num_classes is None


def test_splits_that_stand_for_others(tmp_path):
    for there, expected in ((("train",), (0, 0)), (("train", "val"), (40, 40)), (("train", "test"), (40, 40))):
        root = tmp_path / "-".join(there)
        write_classes(root, there)
        data = ready(ImageFolder(str(root), size=8))
        assert tuple(min(numbers(data.splits[s][:]["image"])) for s in ("val", "test")) == expected


@pytest.mark.parametrize("there", [("train",), ("train", "test")], ids=str)
def test_held_out_pictures(tmp_path, there):
    root = write_classes(tmp_path / "set", there)
    runs = [ready(ImageFolder(str(root), size=8, val_size=7, seed=seed)) for seed in (0, 1)]
    train, val = (runs[0].splits[s][:] for s in ("train", "val"))
    assert len(val["label"]) == 7 and len(train["label"]) == 17
    assert sorted(numbers(train["image"]) + numbers(val["image"])) == list(range(24))
    for part in (train, val):
        assert [n % 3 for n in numbers(part["image"])] == part["label"].tolist()
    assert_same([runs[1].splits["val"][:]], [val])
    test = numbers(runs[0].splits["test"][:]["image"])
    assert sorted(test) == ([n + 40 for n in range(24)] if "test" in there else sorted(numbers(val["image"])))


@pytest.mark.parametrize("arguments", [{"labels_per_class": 2}, {"label_fraction": 0.25}], ids=str)
def test_few_labels_of_classes(tmp_path, arguments):
    root = write_classes(tmp_path / "set", ("train",))
    (root / "train" / "b" / "004.png").write_bytes(b"not a picture")
    with pytest.warns(UserWarning, match="1 of 24"):
        data = ready(ImageFolder(str(root), size=8, val_size=3, skip_corrupt=True, **arguments))
    sample = data.splits["train"][:]
    shown = sample["label"] >= 0
    assert len(sample["label"]) == 20 and sample["label"][shown].bincount().tolist() == [2, 2, 2]
    assert all(
        n % 3 == label
        for n, label in zip(numbers(sample["image"]), sample["label"].tolist(), strict=True)
        if label >= 0
    )
    assert all(
        n % 3 == label
        for n, label in zip(numbers(data.splits["val"][:]["image"]), data.splits["val"].values("label"), strict=True)
    )


def test_folders_that_cannot_be_used(tmp_path):
    refused(lambda: ImageFolder(str(tmp_path / "none")), tmp_path / "none", "does not exist", "folder of images")
    (tmp_path / "set").mkdir()
    refused(lambda: ImageFolder(str(tmp_path / "set")), tmp_path / "set", "holds no image")
    write_classes(tmp_path / "other")
    save(tmp_path / "other" / "val" / "d" / "x.png", coded(1))
    refused(
        lambda: ImageFolder(str(tmp_path / "other"), size=8).prepare_data(), "val/d/x.png", "in no class", "a, b, c"
    )
    refused(lambda: ImageFolder(str(tmp_path / "other"), val_size=3).prepare_data(), "leave val_size at 0")
    refused(lambda: ImageFolder(str(tmp_path / "other"), size=8, load_size=7), "load_size must be at least size")
    refused(lambda: ImageFolder(str(tmp_path / "other"), channels=2), "have 3 channels, not 2")
    refused(lambda: ImageFolder(str(tmp_path / "other"), channels=0), "channels must be 1")


def test_a_corrupt_picture_among_good_ones(tmp_path):
    root = write_classes(tmp_path / "set", ("train",))
    data = encode(coded(4, 64), "JPEG")
    (root / "train" / "b" / "004.png").unlink()
    (root / "train" / "b" / "004.jpg").write_bytes(data[: len(data) // 2])
    refused(
        lambda: ImageFolder(str(root), size=8).prepare_data(), root / "train/b/004.jpg", "delete it", "skip_corrupt"
    )
    with pytest.warns(UserWarning, match=r"1 of 24 images"):
        data = ready(ImageFolder(str(root), size=8, skip_corrupt=True))
    sample = data.splits["train"][:]
    assert sorted(numbers(sample["image"])) == [n for n in range(24) if n != 4]
    assert [n % 3 for n in numbers(sample["image"])] == sample["label"].tolist()


# -------------------------------------------------------------------- captions


def write_captions(root, count=12, texts=None):
    """Picture n has n % 4 + 1 captions, each of which tells n and its own place."""
    for number in range(count):
        save(root / f"{number:02}.b.png", coded(number))
        lines = [f"picture {number} line {line}" for line in range(number % 4 + 1)]
        path = (texts or root) / f"{number:02}.b.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.mark.parametrize("apart", [False, True])
def test_captions(tmp_path, apart):
    texts = tmp_path / "texts" if apart else None
    root = write_captions(tmp_path / "set", texts=texts)
    data = ready(Captions(str(root), texts=texts and str(texts), size=8, batch_size=4))
    for batch in batches(data, "val") + batches(data, "test"):
        shown = numbers(((batch["image"] + 1) * 127.5).round().to(torch.uint8))
        assert batch["caption"] == [f"picture {n} line 0" for n in shown]
    seen = Counter()
    loader = data.train_dataloader()
    for _ in range(40):
        for batch in loader:
            batch = data.on_after_batch_transfer(batch, 0)
            shown = numbers(((batch["image"] + 1) * 127.5).round().to(torch.uint8))
            assert [int(caption.split()[1]) for caption in batch["caption"]] == shown
            assert data.vocabularies["tokens"].decode(batch["tokens"]) == batch["caption"]
            seen.update(batch["caption"])
    assert set(seen) == {f"picture {n} line {line}" for n in range(12) for line in range(n % 4 + 1)}
    assert sum(seen.values()) == 40 * 12 and min(seen.values()) >= 2


def test_captions_of_classes_and_splits(tmp_path):
    root = write_classes(tmp_path / "set")
    for path in root.rglob("*.png"):
        path.with_suffix(".txt").write_bytes(
            "\ufeffein Bild, größer als ".encode() + path.stem.encode() + b"\r\nmore\r\n"
        )
    data = ready(Captions(str(root), size=8))
    sample = data.splits["test"][:]
    shown = [n - 80 for n in numbers(sample["image"])]
    assert [n % 3 for n in shown] == sample["label"].tolist()
    assert sample["caption"] == [[f"ein Bild, größer als {n:03}", "more"] for n in shown]


def test_captions_that_cannot_be_used(tmp_path):
    root = write_captions(tmp_path / "set")
    path = root / "03.b.txt"
    path.write_text(" \n\n")
    refused(lambda: Captions(str(root), size=8).prepare_data(), path, "is empty", "write a caption")
    path.write_bytes(b"\xff\xfe\xff")
    refused(lambda: Captions(str(root), size=8).prepare_data(), path, "no readable captions")
    path.unlink()
    refused(lambda: Captions(str(root), size=8).prepare_data(), root / "03.b.png", path, "no readable captions")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.write(root / "01.b.png", "01.b.png")
    refused(lambda: Captions(str(tmp_path / "set.zip")), tmp_path / "set.zip", "unpack")


def test_captions_stay_with_their_pictures(tmp_path):
    root = write_captions(tmp_path / "set")
    (root / "03.b.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 12"):
        data = ready(Captions(str(root), size=8, skip_corrupt=True, val_size=4))
    for split, count in (("train", 7), ("val", 4)):
        sample = data.splits[split][:]
        assert [int(lines[0].split()[1]) for lines in sample["caption"]] == numbers(sample["image"])
        assert len(sample["caption"]) == count


def test_captions_that_are_too_long_are_left_out(tmp_path):
    root = write_captions(tmp_path / "set")
    for name in ("00", "01"):
        path = root / f"{name}.b.txt"
        path.write_text(f"Picture {int(name)} Line 0 of a story\n" + "".join(path.read_text().splitlines(True)[2:]))
    data = Captions(str(root), size=8, length=5)
    assert data.text_shape[0] == 5 and len(data.vocabularies["tokens"]) == 5 + 2 + 12 + 3
    with pytest.warns(UserWarning, match="2 of 30 train texts are longer than 5 tokens .* say 'Picture 0 Line 0 of a"):
        data = ready(data, "fit")
    train = data.splits["train"][:]
    assert numbers(train["image"]) == list(range(1, 12)) and train["caption"][0] == ["picture 1 line 1"]
    assert data.facts()["captions"] == "28 to train on"
    batch = data.on_after_batch_transfer(data.splits["train"][[0]], 0)
    assert data.vocabularies["tokens"].decode(batch["tokens"]) == ["picture 1 line 1"]


def test_captions_without_tokens(tmp_path):
    root = write_captions(tmp_path / "set")
    data = ready(Captions(str(root), size=8, tokens=None), "fit")
    assert data.text_shape is None and not data.vocabularies
    assert "tokens" not in data.on_after_batch_transfer(data.splits["train"][[0]], 0)
    refused(lambda: Captions(str(root), size=8, tokens=None, length=4), "leave them out")


# -------------------------------------------------------------------- two domains


def write_domains(root, sizes=(("trainA", 10), ("trainB", 7), ("testA", 4), ("testB", 5)), make=coordinates):
    """Numbers of the pictures of B begin at 100, those for tests are 50 higher."""
    for name, count in sizes:
        for number in range(count):
            shown = number + 100 * name.endswith("B") + 50 * name.startswith("test")
            save(root / name / f"{number:03}.png", make(shown))
    return root


def test_domains(tmp_path):
    data = Unpaired(str(write_domains(tmp_path / "set")), size=20, flip=False)
    assert data.image_shape == (3, 20, 20) and data.num_classes is None and data.batch_size == 1
    ready(data)
    assert data.splits["train"].sizes == [10, 7] and data.splits["val"].sizes == data.splits["test"].sizes == [4, 5]
    loader = data.train_dataloader()
    epochs = []
    for _ in range(6):
        epoch = [data.on_after_batch_transfer(batch, 0) for batch in loader]
        assert len(epoch) == len(loader) == 10
        epochs.append([(located(batch["a"])[0][0], located(batch["b"])[0][0]) for batch in epoch])
    for epoch in epochs:
        a, b = zip(*epoch, strict=True)
        assert sorted(a) == list(range(10)) and sorted(b[:7]) == list(range(100, 107)) and len(set(b[7:])) == 3
    assert len({tuple(a for a, _ in epoch) for epoch in epochs}) == 6
    assert len({tuple(b for _, b in epoch) for epoch in epochs}) == 6
    assert len({frozenset(epoch) for epoch in epochs}) == 6  # new pairs each time
    assert len({pair for epoch in epochs for pair in epoch}) > 30
    # not the same permutation for both
    assert any([a for a, _ in epoch[:7]] != [b - 100 for _, b in epoch[:7]] for epoch in epochs)
    seen = batches(data, "test")
    assert [located(batch["b"])[0][0] for batch in seen] == [150, 151, 152, 153, 154]
    assert [located(batch["a"])[0][0] for batch in seen] == [50, 51, 52, 53, 50]  # the smaller one starts again


def test_domains_are_augmented_apart(tmp_path):
    root = write_domains(tmp_path / "set", (("trainA", 16), ("trainB", 16)))
    data = ready(Unpaired(str(root), size=16, load_size=20, batch_size=16))
    loader = data.train_dataloader()
    found = []
    for _ in range(20):
        for batch in loader:
            batch = data.on_after_batch_transfer(batch, 0)
            found += zip(located(batch["a"]), located(batch["b"]), strict=True)
    for side in (0, 1):
        assert {pair[side][1:3] for pair in found} == {(top, left) for top in range(5) for left in range(5)}
        assert 0.4 < sum(pair[side][3] for pair in found) / len(found) < 0.6
    assert 0.4 < sum(a[3] == b[3] for a, b in found) / len(found) < 0.6
    assert sum(a[1:3] == b[1:3] for a, b in found) / len(found) < 0.15


def test_grey_files_become_colour(tmp_path):
    root = write_domains(tmp_path / "set")
    Image.new("L", (20, 20), 70).save(root / "trainA" / "000.png")
    image = ready(Unpaired(str(root), size=20)).splits["train"][:]["a"]
    assert image.shape == (10, 3, 20, 20) and (image[0] == 70).all()


def test_held_out_pictures_of_both_domains(tmp_path):
    data = ready(Unpaired(str(write_domains(tmp_path / "set")), size=20, val_size=3, flip=False))
    for name, first, count in (("a", 0, 10), ("b", 100, 7)):
        kept, held = (data.splits[s].values(name)[:, 2, 0, 0].tolist() for s in ("train", "val"))
        assert len(held) == 3 and sorted(kept + held) == list(range(first, first + count))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("domain", ["A", "B"])
def test_a_domain_is_missing_or_empty(tmp_path, split, domain):
    root = write_domains(tmp_path / "set")
    place = root / f"{split}{domain}"
    shutil.rmtree(place)
    refused(lambda: Unpaired(str(root), size=20).prepare_data(), place, "does not exist", f"{split}A and {split}B")
    place.mkdir()
    refused(lambda: Unpaired(str(root), size=20).prepare_data(), place, "holds no image")


def test_no_domains(tmp_path):
    refused(lambda: Unpaired(), "data.root", "trainA and trainB")
    refused(lambda: Unpaired(str(tmp_path)).prepare_data(), tmp_path, "trainA and trainB")
    refused(lambda: Unpaired(str(tmp_path / "none")).prepare_data(), tmp_path / "none", "does not exist")


def test_a_corrupt_picture_of_a_domain(tmp_path):
    root = write_domains(tmp_path / "set")
    (root / "trainB" / "002.png").write_bytes(b"nothing")
    refused(lambda: Unpaired(str(root), size=20).prepare_data(), root / "trainB" / "002.png", "skip_corrupt")
    with pytest.warns(UserWarning, match=r"1 of 7 images in .*trainB"):
        data = ready(Unpaired(str(root), size=20, skip_corrupt=True))
    assert data.splits["train"].sizes == [10, 6]
    assert data.splits["train"].values("b")[:, 2, 0, 0].tolist() == [100, 101, 103, 104, 105, 106]


UNPAIRED = [cls for cls in vars(sets).values() if isinstance(cls, type) and issubclass(cls, Unpaired) and cls.official]
PAIRED = [cls for cls in vars(sets).values() if isinstance(cls, type) and issubclass(cls, Paired) and cls.official]


@pytest.mark.parametrize("cls", UNPAIRED, ids=lambda cls: cls.__name__)
def test_named_sets_of_two_domains(tmp_path, monkeypatch, cls):
    root = write_domains(tmp_path / cls.official[0])
    monkeypatch.setenv("LIT_GANS_DATA", str(tmp_path))
    data = ready(cls(size=20))
    assert data.splits["train"].sizes == [10, 7] and len(cls.official[1]) == 64
    assert ready(cls(str(root), size=20)).splits["test"].sizes == [4, 5]
    monkeypatch.setenv("LIT_GANS_DATA", str(tmp_path / "cache"))
    refused(lambda: cls().setup("fit"), cls.official[0], tmp_path / "cache", "data.root")


# -------------------------------------------------------------------- pairs

LAYOUTS = {"side by side": "{split}", "two folders": "{split}{side}", "folders of sides": "{side}/{split}"}


def write_pairs(root, layout="side by side", splits=(("train", 12), ("val", 3), ("test", 4)), make=coordinates):
    """A's numbers are 0, 1, ..., B's are higher by 100; those for validation by 30 more, for tests by 60."""
    for shift, (split, count) in enumerate(splits):
        for number in range(count):
            a, b = make(number + 30 * shift), make(number + 30 * shift + 100)
            if layout == "side by side":
                both = Image.new("RGB", (a.width + b.width, a.height))
                both.paste(a, (0, 0)), both.paste(b, (a.width, 0))
                save(root / split / f"{number:03}.png", both)
            else:
                for side, picture, ending in (("A", a, "png"), ("B", b, "bmp")):
                    place = LAYOUTS[layout].format(split=split, side=side)
                    save(root / place / f"{number:03}.{ending}", picture)
    return root


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_pairs(tmp_path, layout, direction):
    data = Paired(str(write_pairs(tmp_path / "set", layout)), size=20, direction=direction, flip=False)
    assert data.image_shape == data.source_shape == (3, 20, 20) and data.num_classes is None
    ready(data)
    for shift, (split, count) in enumerate((("train", 12), ("val", 3), ("test", 4))):
        sample = data.splits[split][:]
        a, b = [n + 30 * shift for n in range(count)], [n + 30 * shift + 100 for n in range(count)]
        source, target = (sample[name][:, 2, 0, 0].tolist() for name in ("source", "target"))
        assert (source, target) == ((a, b) if direction == "AtoB" else (b, a))
        moved = {name: value.float() / 127.5 - 1 for name, value in sample.items()}
        assert all(place[1:] == (0, 0, False) for value in moved.values() for place in located(value))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs_are_augmented_alike(tmp_path, layout):
    data = ready(Paired(str(write_pairs(tmp_path / "set", layout)), size=16, load_size=20, batch_size=12))
    loader, found = data.train_dataloader(), []
    for _ in range(25):
        for batch in loader:
            batch = data.on_after_batch_transfer(batch, 0)
            sources, targets = located(batch["source"]), located(batch["target"])
            assert [(n + 100, *place) for n, *place in sources] == targets
            found += sources
    assert {place[1:3] for place in found} == {(top, left) for top in range(5) for left in range(5)}
    assert 0.4 < sum(place[3] for place in found) / len(found) < 0.6
    assert Counter(place[0] for place in found) == dict.fromkeys(range(12), 25)
    for batch in batches(data, "val") + batches(data, "test"):
        assert batch["source"].shape[1:] == (3, 16, 16)  # resized, not cut
        left, right = ((batch["source"][:, 0, :, place] + 1) * 127.5 for place in (0, -1))
        assert left.max() < 8 and right.min() > 144 and (batch["source"][:, 0].diff(dim=2) > 0).all()  # not mirrored


def test_sources_of_another_colour(tmp_path):
    data = Paired(str(write_pairs(tmp_path / "set")), size=20, source_channels=1)
    assert data.source_shape == (1, 20, 20) and data.image_shape == (3, 20, 20)
    sample = ready(data).splits["train"][:]
    assert sample["source"].shape == (12, 1, 20, 20) and sample["target"].shape == (12, 3, 20, 20)


def test_pairs_that_are_held_out(tmp_path):
    data = ready(Paired(str(write_pairs(tmp_path / "set", splits=[("train", 12)])), size=20, val_size=4))
    train, val = (data.splits[s][:] for s in ("train", "val"))
    assert sorted([*train["source"][:, 2, 0, 0].tolist(), *val["source"][:, 2, 0, 0].tolist()]) == list(range(12))
    for part in (train, val):
        assert torch.equal(part["source"][:, 2] + 100, part["target"][:, 2])


def test_a_pair_of_odd_width(tmp_path):
    root = write_pairs(tmp_path / "set")
    path = root / "train" / "004.png"
    Image.new("RGB", (41, 20)).save(path)
    refused(lambda: Paired(str(root), size=20).prepare_data(), path, "even width", "41x20", "skip_corrupt")
    with pytest.warns(UserWarning, match="1 of 12"):
        data = ready(Paired(str(root), size=20, skip_corrupt=True))
    sample = data.splits["train"][:]
    assert sample["source"][:, 2, 0, 0].tolist() == [n for n in range(12) if n != 4]
    assert torch.equal(sample["source"][:, 2] + 100, sample["target"][:, 2])


@pytest.mark.parametrize("layout", ["two folders", "folders of sides"])
def test_pairs_of_which_one_is_corrupt(tmp_path, layout):
    root = write_pairs(tmp_path / "set", layout)
    a, b = (root / LAYOUTS[layout].format(split="train", side=side) for side in "AB")
    (a / "002.png").write_bytes(b"")
    (b / "007.bmp").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 12"):
        data = ready(Paired(str(root), size=20, skip_corrupt=True))
    sample = data.splits["train"][:]
    assert sample["source"][:, 2, 0, 0].tolist() == [n for n in range(12) if n not in (2, 7)]
    assert torch.equal(sample["source"][:, 2] + 100, sample["target"][:, 2])


@pytest.mark.parametrize("side, ending", [("A", "png"), ("B", "bmp")])
def test_a_picture_without_a_partner(tmp_path, side, ending):
    root = write_pairs(tmp_path / "set", "two folders")
    shutil.copy(root / f"train{side}" / f"003.{ending}", root / f"train{side}" / f"extra.{ending}")
    refused(lambda: Paired(str(root), size=20).prepare_data(), root / f"train{side}" / "extra", "no partner", "needs")
    (root / f"train{side}" / f"extra.{ending}").unlink()
    (root / f"train{side}" / f"003.{ending}").unlink()
    other = "B" if side == "A" else "A"
    refused(lambda: Paired(str(root), size=20).prepare_data(), root / f"train{other}" / "003", "no partner")


@pytest.mark.parametrize("side", ["A", "B"])
def test_two_pictures_of_one_name(tmp_path, side):
    root = write_pairs(tmp_path / "set", "two folders")
    save(root / f"train{side}" / "003.tiff", coordinates(77))
    refused(lambda: Paired(str(root), size=20).prepare_data(), root / f"train{side}", "same name", "rename or delete")


def test_pairs_whose_files_sort_differently(tmp_path):
    for number, stem in enumerate(("a", "a.k", "a.z")):  # a.k.png, a.png, a.z.png, but a.bmp, a.k.bmp, a.z.bmp
        save(tmp_path / "set" / "trainA" / f"{stem}.png", coordinates(number))
        save(tmp_path / "set" / "trainB" / f"{stem}.bmp", coordinates(number + 100))
    sample = ready(Paired(str(tmp_path / "set"), size=20)).splits["train"][:]
    assert sample["source"][:, 2, 0, 0].tolist() == [1, 0, 2]
    assert torch.equal(sample["source"][:, 2] + 100, sample["target"][:, 2])


def test_no_pairs(tmp_path):
    refused(lambda: Paired(), "data.root", "train")
    refused(lambda: Paired(str(tmp_path)).prepare_data(), tmp_path, "trainA and trainB", "data.root")
    refused(lambda: Paired(str(tmp_path), direction="AB"), "direction", "AtoB")
    root = write_pairs(tmp_path / "set", "two folders")
    shutil.rmtree(root / "trainB")
    refused(lambda: Paired(str(root), size=20).prepare_data(), root / "trainB", "does not exist")
    (root / "trainB").mkdir()
    refused(lambda: Paired(str(root), size=20).prepare_data(), root / "trainB", "holds no image")
    (tmp_path / "other" / "train").mkdir(parents=True)
    refused(lambda: Paired(str(tmp_path / "other"), size=20).prepare_data(), tmp_path / "other" / "train", "no image")


@pytest.mark.parametrize("cls", PAIRED, ids=lambda cls: cls.__name__)
def test_named_sets_of_pairs(tmp_path, monkeypatch, cls):
    root = write_pairs(tmp_path / cls.official)
    monkeypatch.setenv("LIT_GANS_DATA", str(tmp_path))
    first = ready(cls(size=20)).splits["train"][:]["source"][0, 2, 0, 0]
    assert first == (100 if cls in (Facades, Cityscapes) else 0)  # from labels to photographs
    assert ready(cls(str(root), size=20, direction="AtoB")).splits["val"][:]["source"][0, 2, 0, 0] == 30
    monkeypatch.setenv("LIT_GANS_DATA", str(tmp_path / "cache"))
    refused(lambda: cls().setup("fit"), cls.official, tmp_path / "cache", "data.root")


# -------------------------------------------------------------------- batches of every kind


def flat(root, make=coordinates, count=24):
    for number in range(count):
        save(root / f"{number:03}.png", make(number))
    return root


def with_captions(root):
    for path in flat(root).glob("*.png"):
        path.with_suffix(".txt").write_text(f"{path.stem} one\n{path.stem} two\n{path.stem} three\n")
    return root


KINDS = {
    "folder": lambda root, **more: ImageFolder(str(flat(root)), **more),
    "captions": lambda root, **more: Captions(str(with_captions(root)), **more),
    "unpaired": lambda root, **more: Unpaired(str(write_domains(root, (("trainA", 24), ("trainB", 17)))), **more),
    "paired": lambda root, **more: Paired(str(write_pairs(root, splits=[("train", 24)])), **more),
}


@pytest.fixture(params=KINDS)
def make(request, tmp_path):
    """Makes an augmented set of some kind."""

    def make(position=0, rank=0, world_size=1, **more):
        arguments = {"size": 16, "load_size": 20, "flip": True, "batch_size": 4, **more}
        data = ready(KINDS[request.param](tmp_path / "set", **arguments))
        return under_trainer(data, position, rank, world_size)

    return make


@pytest.mark.parametrize("split", ["train", "val"])
def test_workers_change_nothing(make, split):
    assert_same(batches(make(num_workers=2), split), batches(make(), split))


def test_training_images_are_parts_of_the_decoded_ones(make):
    data = make()
    found = [
        place
        for batch in batches(data)
        for value in batch.values()
        if torch.is_tensor(value) and value.ndim == 4
        for place in located(value)
    ]
    assert len(found) in (24, 48) and len({place[1:] for place in found}) > 12
    assert 0 < sum(place[3] for place in found) < len(found)


def test_evaluation_shows_the_middle(make):
    for split in ("val", "test"):  # which are the training pictures here, kept larger
        seen = batches(make(), split)
        found = [
            place
            for batch in seen
            for value in batch.values()
            if torch.is_tensor(value) and value.ndim == 4
            for place in located(value)
        ]
        assert found and {place[1:] for place in found} == {(2, 2, False)}


@pytest.mark.parametrize("position", [1, 3, 5, 6, 7, 14])
def test_a_run_goes_on_where_it_was(make, position):
    whole = [batch for epoch in range(4) for batch in batches(make(position=6 * epoch))]
    assert len(whole) == 24
    assert_same(batches(make(position=position)), whole[position : position + 6])


def test_two_devices_share_a_batch(make):
    ranks = [batches(make(rank=rank, world_size=2, position=3)) for rank in (0, 1)]
    for left, right, whole in zip(*ranks, batches(make(batch_size=8, position=3)), strict=True):
        for name, value in whole.items():
            both = left[name] + right[name] if isinstance(value, list) else torch.cat([left[name], right[name]])
            assert torch.equal(both, value) if torch.is_tensor(value) else both == value


def test_seeds_differ(make):
    first, again, other = (batches(make(seed=seed))[0] for seed in (1, 1, 2))
    name = next(iter(first))
    assert torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])


def test_without_augmentation_nothing_is_drawn(tmp_path):
    data = ready(ImageFolder(str(flat(tmp_path / "set")), size=20, batch_size=4))
    places = [place for batch in batches(data) for place in located(batch["image"])]
    assert {place[1:] for place in places} == {(0, 0, False)} and len({place[0] for place in places}) == 24


def test_only_flips(tmp_path):
    data = ready(ImageFolder(str(flat(tmp_path / "set")), size=20, batch_size=4, flip=True))
    loader = data.train_dataloader()
    found = [p for _ in range(20) for batch in loader for p in located(data.on_after_batch_transfer(batch, 0)["image"])]
    assert {place[1:3] for place in found} == {(0, 0)} and 0.4 < sum(place[3] for place in found) / len(found) < 0.6
    assert all({p[3] for p in found if p[0] == number} == {True, False} for number in range(24))


def test_samples_go_to_workers_as_paths(tmp_path):
    data = ready(ImageFolder(str(flat(tmp_path / "set")), size=64))
    data.splits["train"][:]
    assert len(pickle.dumps(data.splits["train"])) < 5000


def test_preparing_decodes_for_every_stage(tmp_path, cache):
    data = ImageFolder(str(write_classes(tmp_path / "set")), size=8)
    data.prepare_data()
    made = {path.name.split("-")[1] for path in cache.glob("*.safetensors")}
    assert made == {"train", "val", "test"}


# -------------------------------------------------------------------- the real files


@pytest.fixture
def real():
    """Asks for a folder in LIT_GANS_DATA."""

    def real(*marks):
        root = os.environ.get("LIT_GANS_DATA")
        if not root or not all((Path(root) / mark).exists() for mark in marks):
            pytest.skip(f"LIT_GANS_DATA names no folder with {', '.join(marks)}")
        return root

    return real


def test_real_house_numbers(real):
    data = SVHN(real("SVHN/train_32x32.mat", "SVHN/test_32x32.mat"))
    data.setup()
    image, label = data.splits["train"][:].values()
    assert image.shape[1:] == (3, 32, 32) and len(image) == len(label) > 1000
    assert label.min() == 0 and label.max() == 9 and label.bincount().argmax() == 1  # Benford's law
    assert 90 < float(image.float().mean()) < 140


def test_real_faces(real, tmp_path):
    root = Path(real("celeba/img_align_celeba", "celeba/list_attr_celeba.txt", "celeba/list_eval_partition.txt"))
    data = CelebA(str(root), size=16, attribute="Male")
    data.setup("test")
    sample = data.splits["test"][:]
    assert sample["image"].shape[1:] == (3, 16, 16) and sample["attributes"].shape == (len(sample["image"]), 40)
    names = data.attribute_names
    assert len(names) == 40 and names[0] == "5_o_Clock_Shadow" and names[-1] == "Young"
    beard = ~sample["attributes"][:, names.index("No_Beard")]
    assert sample["label"][beard].float().mean() > 0.9  # labels are of the right people
    blond, black = (sample["attributes"][:, names.index(f"{colour}_Hair")] for colour in ("Blond", "Black"))
    top = sample["image"][:, :, :4].float().mean((1, 2, 3))
    assert top[blond].mean() > top[black].mean() + 10  # and pictures are of the right attributes


def test_real_bedrooms(real):
    data = LSUN(real("lsun/bedroom_val_lmdb/data.mdb"), size=(16, 24))
    data.setup("validate")
    images = data.splits["val"][:]["image"]
    assert images.shape[1:] == (3, 16, 24) and len(images.flatten(1).unique(dim=0)) == len(images) >= 50
    assert images.float().flatten(1).std(1).min() > 5


def test_real_horses_and_zebras(real):
    data = Horse2Zebra(real("horse2zebra/testA", "horse2zebra/testB"), size=32)
    data.setup("test")
    a, b = (data.splits["test"].values(name).tensor.float() for name in "ab")
    assert len(a) >= 50 and len(b) >= 50 and a.shape[1:] == b.shape[1:] == (3, 32, 32)
    saturation = [(x.amax(1) - x.amin(1)).mean() for x in (a, b)]
    assert saturation[0] > saturation[1]  # zebras are black and white


def test_real_facades(real):
    data = Facades(real("facades/val"), size=64)
    data.setup("validate")
    sample = data.splits["val"][:]
    labels, photographs = sample["source"].float(), sample["target"].float()
    assert labels.shape == photographs.shape and len(labels) >= 50
    saturated = [((x.amax(1) - x.amin(1)) > 150).float().mean() for x in (labels, photographs)]
    assert saturated[0] > 0.5 > 0.1 > saturated[1]  # labels are drawn in pure colours


def test_domains_of_other_names_are_named(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (16, 16)).save(tmp_path / name / "a.png")
    data = Unpaired(root=str(tmp_path), size=16, batch_size=1)
    refused(
        lambda: data.setup("fit"), "has no trainA and trainB", "has cat, dog: rename cat to trainA and dog to trainB"
    )

"""What a data set says of itself at the beginning of a run."""

import shutil
import zipfile

import pytest
from PIL import Image

from lit_gans import MNIST, Captions, CelebA, Gaussians, Glyphs, ImageFolder, Paired, UnpairedGlyphs
from lit_gans.data.facts import unread


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "photos"
    for name in ("cat/1.jpg", "cat/deep/2.PNG", "dog/1.jpg", "dog/3.webp", "dog/4.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((20, 18), 60).save(root / name)
    return root


def said(data):
    data.setup("fit")
    return data.facts()


def test_classes_by_name_with_their_pictures(photos):
    found = said(ImageFolder(str(photos), size=8, val_size=1, flip=True))
    assert found["data"] == f"ImageFolder {photos}" and "left out" not in found
    assert found["samples"] == "4 to train on, 1 to validate"
    assert found["classes"].startswith("2: cat (") and "dog (" in found["classes"]
    assert found["size"] == "8x8 pixels, colour, half of them mirrored; other shapes are cut to the middle"


def test_what_is_left_out_and_why(photos):
    for name in ("dog/a.psd", "dog/b.PSD", "cat/notes", "cat/list.txt", ".trash/x.jpg", "dog/.y.jpg", ".DS_Store"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(b"x")
    (photos / "dog/4.jpg").write_bytes(b"x")
    with pytest.warns(UserWarning, match="1 of 5 images .* cannot be decoded and are left out"):
        found = said(ImageFolder(str(photos), size=8, skip_corrupt=True))
    assert found["samples"] == "4 to train on, 4 to validate (those of train)"
    kinds = "2 .psd, 2 hidden, 1 without ending, 1 .txt"
    first, second = found["left out"].split("; ")
    assert first.startswith("6 files that are not read as pictures (2 ") and second.startswith("1 that cannot")
    assert sorted(first[:-1].partition("(")[2].split(", ")) == sorted(kinds.split(", "))
    assert second == f"1 that cannot be decoded ({photos / 'dog/4.jpg'})"


def test_why_there_are_no_classes(photos):
    Image.effect_noise((20, 18), 60).save(photos / "loose.jpg")
    assert said(ImageFolder(str(photos), size=8))["classes"] == (
        "none, since loose.jpg is in no folder (as 1 of 6 pictures)"
    )
    assert said(ImageFolder(str(photos / "dog"), size=8))["classes"] == (
        "none, since no picture is in a folder of a class"
    )
    (photos / "loose.jpg").unlink()
    shutil.rmtree(photos / "dog")
    (photos / "cat/1.jpg").rename(photos / "cat/deep/1.jpg")
    assert said(ImageFolder(str(photos), size=8))["classes"] == "none, since all pictures are in one folder, deep"


def test_zips_and_texts(photos, tmp_path):
    place = tmp_path / "photos.zip"
    with zipfile.ZipFile(place, "w") as file:
        file.write(photos / "dog/1.jpg", "dog/1.jpg")
        file.writestr("__MACOSX/dog/._1.jpg", b"x")
        file.writestr("dog/a.psd", b"x")
    assert unread(place) == {".psd": 1, "hidden": 1}
    for name in ("cat/1", "cat/deep/2", "dog/1", "dog/3", "dog/4"):
        (photos / f"{name}.txt").write_text("a text")
    assert "left out" not in said(Captions(str(photos), size=8))


def test_pairs_and_domains(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "pairs/train").mkdir(parents=True)
    for number in range(3):
        Image.effect_noise((20, 10), 60).save(tmp_path / f"pairs/train/{number}.png")
    found = said(Paired(str(tmp_path / "pairs"), size=8))
    assert found["samples"] == "3 pairs to train on, 3 pairs to validate (those of train)"
    assert found["data"] == f"Paired {tmp_path / 'pairs'}"
    assert said(UnpairedGlyphs(size=16, count=40))["samples"] == "40 a and 50 b to train on, 4 a and 5 b to validate"


def test_sets_that_are_drawn():
    found = said(Glyphs(size=(16, 24), count=40, labels_per_class=0))
    assert found["size"] == "16x24 pixels, grey" and found["classes"].endswith("; 40 without a label")
    assert said(Glyphs("ab", size=16, count=40))["classes"].startswith("2: a (")
    found = said(Gaussians())
    assert found["size"] == "2 numbers each" and found["classes"].startswith("8: 0 (12,")


def test_names_of_classes():
    assert CelebA(attribute="Smiling").class_names == ["not Smiling", "Smiling"]
    assert CelebA(attribute=["Smiling", "Male"]).class_names == ["Smiling", "Male"]
    assert CelebA().class_names is None and MNIST().class_names is None

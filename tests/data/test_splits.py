"""What a set is made of: links that lead back, splits in any capitals, captions, batches that are learned by heart."""

import zipfile

import pytest
import torch
from conftest import glyphs, refused, trainer
from lightning.pytorch import LightningModule
from PIL import Image

from lit_gans import UnpairedGlyphs
from lit_gans.data import Captions, ImageFolder, Paired, Unpaired
from lit_gans.data.sources import Folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))


def save(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "orange").save(path)


# -------------------------------------------------------------------- links


@pytest.mark.parametrize("links", [{"cats/up": "."}, {"a": ".", "b": "."}, {"cats/x": "dogs", "dogs/x": "cats"}])
def test_links_that_lead_back_end_and_count_nothing_twice(links, tmp_path):
    place = tmp_path / "set"
    save(place / "cats" / "1.png", place / "cats" / "2.png", place / "dogs" / "1.png")
    for link, target in links.items():
        (place / link).symlink_to(place / target, target_is_directory=True)
    assert Folder.scan(place).names == ["cats/1.png", "cats/2.png", "dogs/1.png"]


def test_a_linked_class_is_no_class_of_its_own_and_links_elsewhere_are_followed(tmp_path):
    place, elsewhere = tmp_path / "set", tmp_path / "disk2"
    save(place / "cats" / "1.png", place / "dogs" / "1.png", elsewhere / "1.png")
    (place / "a_latest").symlink_to(place / "cats", target_is_directory=True)
    (place / "birds").symlink_to(elsewhere, target_is_directory=True)
    (elsewhere / "back").symlink_to(place, target_is_directory=True)
    (place / "nowhere").symlink_to(tmp_path / "none", target_is_directory=True)
    (tmp_path / "door").symlink_to(place, target_is_directory=True)
    for root in (place, tmp_path / "door"):
        assert ImageFolder(str(root)).classes == ["birds", "cats", "dogs"]
        assert Folder.scan(root).names == ["birds/1.png", "cats/1.png", "dogs/1.png"]


def test_a_link_to_a_file_is_a_picture(tmp_path):
    save(tmp_path / "all" / "1.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "one.png").symlink_to(tmp_path / "all" / "1.png")
    assert Folder.scan(tmp_path / "set").names == ["one.png"]


# -------------------------------------------------------------------- splits


@pytest.mark.parametrize(
    "names", [("Train", "Val", "Test"), ("TRAINING", "VALID", "TESTING"), ("training", "Validation", "test")]
)
@pytest.mark.parametrize("form", ["folder", "zip", "one folder in a zip"])
def test_splits_in_any_capitals(names, form, tmp_path):
    place = tmp_path / "set"
    for split in names:
        save(*(place / split / kind / f"{number}.png" for kind in ("cats", "dogs") for number in range(3)))
    if form != "folder":
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
            for path in place.rglob("*.png"):
                file.write(path, path.relative_to(place if form == "zip" else tmp_path))
        place = tmp_path / "set.zip"
    data = ImageFolder(str(place), size=8)
    assert data.own_splits == ("train", "val", "test") and data.classes == ["cats", "dogs"]
    data.setup()
    assert [len(data.splits[split]) for split in ("train", "val", "test")] == [6, 6, 6]


def test_two_folders_of_one_split(tmp_path):
    save(tmp_path / "set" / "train" / "1.png", tmp_path / "set" / "Training" / "2.png")
    refused(lambda: ImageFolder(str(tmp_path / "set")), "Training and train, which mean the same", "rename")
    save(*(tmp_path / "two" / name / "1.png" for name in ("trainA", "TrainA", "trainB")))
    refused(lambda: Unpaired(str(tmp_path / "two"), size=8).setup("fit"), "TrainA and trainA, which mean the same")


def test_a_test_folder_without_a_train_folder_is_named(tmp_path):
    save(*(tmp_path / "set" / name / "1.png" for name in ("cats", "dogs", "Test")))
    with pytest.warns(UserWarning, match="has Test but no folder train, so all of its pictures are trained on"):
        assert ImageFolder(str(tmp_path / "set")).classes == ["Test", "cats", "dogs"]


def test_two_domains_in_any_capitals(tmp_path):
    for name, count in (("TrainA", 4), ("trainb", 3), ("TESTA", 2), ("TestB", 1)):
        save(*(tmp_path / "set" / name / f"{number}.png" for number in range(count)))
    data = Unpaired(str(tmp_path / "set"), size=8)
    data.setup()
    assert data.own_splits == ("train", "test")
    assert data.splits["train"].sizes == [4, 3] and data.splits["test"].sizes == [2, 1]


@pytest.mark.parametrize("forms", [("{}",), ("{}A", "{}B"), ("a/{}", "B/{}")])
@pytest.mark.parametrize("names", [("Train", "TEST"), ("Training", "testing")])
def test_pairs_in_any_capitals(forms, names, tmp_path):
    for name, count in zip(names, (4, 2), strict=True):
        save(*(tmp_path / "set" / form.format(name) / f"{n}.png" for form in forms for n in range(count)))
    data = Paired(str(tmp_path / "set"), size=4)
    data.setup()
    assert data.own_splits == ("train", "test") and [len(data.splits[s]) for s in ("train", "test")] == [4, 2]


# -------------------------------------------------------------------- captions


def test_a_caption_is_a_line(tmp_path):
    save(tmp_path / "set" / "1.png")
    lines = ["one\x0btwo", "three\x0cfour", "five\u2028six", "seven\x85eight\x1cnine"]
    (tmp_path / "set" / "1.txt").write_bytes("\r\n".join(lines).encode())
    data = Captions(str(tmp_path / "set"), size=8)
    data.setup("fit")
    assert data.splits["train"].values("caption") == [lines]


# -------------------------------------------------------------------- batches that are learned by heart


@pytest.mark.parametrize("share", [2, 0.5])
@pytest.mark.parametrize("kind", ["glyphs", "two domains"])
def test_overfit_batches(share, kind, tmp_path):
    data = glyphs(flip=True, count=80) if kind == "glyphs" else UnpairedGlyphs(size=16, count=40, batch_size=4)
    seen, checked = [], []

    class Looks(LightningModule):
        automatic_optimization = False

        def training_step(self, batch, batch_idx):
            seen.append({name: value.clone() for name, value in batch.items()})

        def validation_step(self, batch, batch_idx):
            checked.append(len(next(iter(batch.values()))))

        def configure_optimizers(self):
            return None

    trainer(tmp_path, max_steps=-1, max_epochs=3, overfit_batches=share).fit(Looks(), datamodule=data)
    few = len(seen) // 3
    assert few == (2 if share == 2 else 10 if kind == "glyphs" else 6) and max(checked) == 4
    for number, batch in enumerate(seen):
        for name, value in batch.items():
            assert len(value) == 4 and torch.equal(value, seen[number % few][name])
    assert not torch.equal(*(batch[next(iter(batch))] for batch in seen[:2]))

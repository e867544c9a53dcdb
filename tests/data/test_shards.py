"""Pictures in shards are those of the folder; a shard that is not what was written is named, and never trained on."""

import json
import pickle
import shutil
import sys
from collections import namedtuple

import pytest
import torch
from conftest import assert_equal, fails, refused
from PIL import Image

from lit_gans.cli.main import main
from lit_gans.data import ImageFolder, Shards, shard_files, shard_writing
from lit_gans.data.shard_writing import write_shards
from lit_gans.metrics.material import real_batches

pytest.importorskip("litdata", reason="LitData is not installed: pip install 'lit_gans[shards]'")


def picture(place, number, size=(10, 12)):
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number % 256, 7 * number % 256, 3)).save(place)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """90 pictures of two classes, 70 of them to train on."""
    folder = tmp_path_factory.mktemp("pictures") / "photos"
    for number in range(90):
        split, kind = "train" if number < 70 else "val", ("cat", "dog")[number % 3 > 0]
        picture(folder / split / kind / f"{number}.png", number)
    return folder


@pytest.fixture(scope="module")
def made(photos):
    """Shards of five pictures of 8x8, and what the command said."""
    output = photos.parent / "shards"
    main(["shard", str(photos), "--output", str(output), "--size", "8", "--shard_mb", "0.001"])
    return output


@pytest.fixture
def copied(made, tmp_path):
    shutil.copytree(made, tmp_path / "shards")
    return tmp_path / "shards"


def seen(data, split="train"):
    """All images of a split with their labels, in an order of their own."""
    samples = data.samples(split)[:]
    return sorted((image.flatten().tolist(), int(label)) for image, label in zip(*samples.values(), strict=True))


def batches(data):
    data.setup("fit")
    return list(data.train_dataloader())


def test_shards_hold_what_the_folder_holds(made, photos, capsys):
    shards, folder = Shards(str(made), batch_size=4), ImageFolder(str(photos), size=8, batch_size=4)
    assert shards.image_shape == (3, 8, 8) and shards.classes == ["cat", "dog"] and shards.num_classes == 2
    assert shards.own_splits == ("train", "val")
    for split in shards.own_splits:
        assert seen(shards, split) == seen(folder, split)
    for batch, other in zip(batches(shards), batches(folder), strict=True):
        assert batch.keys() == other.keys() and batch["image"].shape == other["image"].shape
        assert batch["image"].dtype == torch.uint8 and batch["label"].dtype == torch.int64
    said = shards.facts()
    assert said["samples"] == "70 to train on, 20 to validate" and said["shards"].startswith(
        "14 to train on, of at most 5"
    )
    assert said["classes"] == folder.facts()["classes"]


def test_the_command_says_what_it_made(photos, tmp_path, capsys):
    output = tmp_path / "a" / "shards"
    main(["shard", str(photos / "val"), "--output", str(output), "--size", "8", "--channels", "1"])
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["train: 20 pictures in 1 shard", "classes: cat, dog"]
    assert said[2].endswith(f"train with: lit-gans fit --data Shards --data.root {output}")
    assert Shards(str(output)).image_shape == (1, 8, 8)


def test_classes_are_mixed_and_the_first_rows_are_a_choice(made):
    data = Shards(str(made))
    labels = data.samples("train").values("label")
    assert len({tuple(part.tolist()) for part in labels.split(5)}) > 4
    (batch,) = real_batches(data, "train", 20)
    assert torch.equal(batch["label"], labels[:20])


def test_a_held_out_sample_is_not_trained_on(made, photos, tmp_path):
    shards = tmp_path / "flat"
    main(["shard", str(photos / "train"), "--output", str(shards), "--size", "8", "--shard_mb", "0.001"])
    data = Shards(str(shards), batch_size=3, val_size=19)
    train = {tuple(image.flatten().tolist()) for batch in batches(data) for image in batch["image"]}
    held = {tuple(image.flatten().tolist()) for image in data.samples("val")[:]["image"]}
    assert len(train) == 51 and len(held) == 19 and not train & held


def test_larger_shards_are_cropped_at_random(photos, tmp_path):
    output = tmp_path / "shards"
    main(["shard", str(photos), "--output", str(output), "--size", "6", "--load_size", "9"])
    data = Shards(str(output), flip=True, batch_size=10)
    (batch, *_) = batches(data)
    assert batch["image"].shape == (10, 3, 9, 9) and data.image_shape == (3, 6, 6)
    assert data.on_after_batch_transfer(batch, 0)["image"].shape == (10, 3, 6, 6)
    assert data.samples("val")[:]["image"].shape == (20, 3, 6, 6)
    assert "random crops of 9x9" in data.facts()["size"]


def test_workers_change_nothing_and_few_shards_are_held(made):
    alone, helped = (Shards(str(made), batch_size=8, num_workers=workers) for workers in (0, 2))
    assert_equal(batches(alone), batches(helped))
    images = Shards(str(made)).samples("train").groups[0]["image"]
    images.index_select(0, torch.arange(70))
    assert images._held and pickle.loads(pickle.dumps(images))._held == {}
    images._held.clear()
    for number in [*range(14), *range(14), 3, 2, 1]:
        images._shard(number)
    assert len(images._held) <= shard_files._HELD and [*images._held][-3:] == [3, 2, 1]


@pytest.mark.parametrize("workers", [0, 2])
def test_shards_from_elsewhere_are_kept_up_to_a_limit(photos, tmp_path, workers):
    """LitData fetches a folder that is named so as it fetches from an object store."""
    write_shards(ImageFolder(str(photos / "train"), size=8), tmp_path / "shards", shard_bytes=1)
    here = Shards(str(tmp_path / "shards"), batch_size=8)
    kept = []
    for name, limit in (("large", 1.0), ("small", 6.2e-6)):
        given = {"cache": str(tmp_path / name), "cache_gb": limit, "num_workers": workers}
        there = Shards(f"local:{tmp_path}/shards", batch_size=8, **given)
        assert_equal(batches(here), batches(there))
        kept.append(len(list((tmp_path / name).rglob("chunk*.bin"))))
    assert kept[0] >= 64 and kept[1] < kept[0] - 10
    refused(lambda: Shards(f"local:{tmp_path}/shards", cache_gb=3e-6), "cache_gb=3e-06 is less than the 3.1e-06 GB")


# -------------------------------------------------------------------- what cannot be used


def test_places_without_shards(photos, tmp_path):
    refused(lambda: Shards(str(tmp_path / "nowhere")), "nowhere holds no shards", "lit-gans shard FOLDER")
    refused(lambda: Shards(str(photos)), "photos holds no shards", "train/index.json is missing")
    refused(lambda: Shards(f"local:{tmp_path}/nowhere", cache=str(tmp_path)), "cannot be read as shards")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no index of shards"),
        ("[]", "is no index of shards"),
        ('{"chunks": []}', "is no index of shards"),
        ({"lit_gans": {"format": 9}}, "have the format 9, but this version reads 2"),
        ({"lit_gans": {"format": 1, "colour": 3}}, "is no index of shards"),
        ({"chunks": []}, "its lists do not go with each other"),
    ],
)
def test_an_index_that_is_not_ours(copied, text, reason):
    index = copied / "train" / "index.json"
    index.write_text(text if isinstance(text, str) else json.dumps(json.loads(index.read_text()) | text))
    refused(lambda: Shards(str(copied)), reason)


def test_half_of_the_shards(copied):
    shard = copied / "train" / "chunk-0-3.bin"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    refused(lambda: Shards(str(copied)), "train/chunk-0-3.bin", f"has {len(whole) - 1:,} bytes, not {len(whole):,}")
    shard.unlink()
    refused(lambda: Shards(str(copied)), "train/chunk-0-3.bin", "it is missing", "copy it anew")


def test_a_shard_that_changes_later(copied):
    shard = copied / "train" / "chunk-0-3.bin"
    whole = shard.read_bytes()
    data = Shards(str(copied), batch_size=8)
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(lambda: batches(data), "shard 3", "its pictures differ from their checksum")
    shard.write_bytes(b"nothing")
    refused(lambda: batches(Shards(str(copied))) if shard.write_bytes(b"\0" * len(whole)) else None, "shard 3")


def test_labels_of_another_set(copied):
    labels = copied / "train" / "labels" / "chunk-0-0.bin"
    labels.write_bytes(b"\xff" * labels.stat().st_size)
    refused(lambda: Shards(str(copied)).setup("fit"), "the labels of the shards")


def test_arguments_out_of_range(made):
    refused(lambda: Shards(str(made), size=9), "size 9 is more than the 8x8 pixels", "lit-gans shard")
    refused(lambda: Shards(str(made), cache_gb=0), "cache_gb must be a positive number")
    refused(lambda: Shards(str(made), val_size=3).setup("fit"), "has a validation split of its own")


def test_without_litdata(made, photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "litdata", None)
    refused(lambda: Shards(str(made)).setup("fit"), "pip install 'lit_gans[shards]'")
    assert "pip install 'lit_gans[shards]'" in fails("shard", photos, "--output", photos.parent / "none")


def test_the_command_overwrites_nothing(photos, made):
    assert "is there already" in fails("shard", photos, "--output", made)
    assert "size must be at least 1" in fails("shard", photos, "--output", photos.parent / "new", "--size", 0)
    assert "does not exist" in fails("shard", photos / "nowhere", "--output", photos.parent / "new")
    assert not (photos.parent / "new").exists()


def test_a_picture_that_cannot_be_decoded(tmp_path, capsys):
    for number in range(6):
        picture(tmp_path / "photos" / f"{number}.png", number)
    (tmp_path / "photos" / "4.png").write_bytes(b"no picture")
    command = ["shard", tmp_path / "photos", "--output", tmp_path / "shards", "--size", "8"]
    assert "4.png cannot be used" in fails(*command) and not (tmp_path / "shards").exists()
    main([*map(str, command), "--skip_corrupt"])
    assert f"left out: {tmp_path / 'photos' / '4.png'}" in capsys.readouterr().out
    assert len(Shards(str(tmp_path / "shards")).samples("train")) == 5
    for number in range(6):
        (tmp_path / "photos" / f"{number}.png").write_bytes(b"no picture")
    command[3] = tmp_path / "none"
    assert "no picture of train" in fails(*command, "--skip_corrupt") and not (tmp_path / "none").exists()


def test_nothing_is_left_of_what_was_interrupted(photos, tmp_path, monkeypatch):
    write = shard_writing.write_labels

    def stop(*arguments):
        write(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(shard_writing, "write_labels", stop)
    with pytest.raises(SystemExit) as ended:
        main(["shard", str(photos), "--output", str(tmp_path / "shards"), "--size", "8"])
    assert ended.value.code == 130 and not list(tmp_path.iterdir())


def test_a_full_disk(photos, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000, 0, 1000))
    said = fails("shard", photos, "--output", tmp_path / "shards", "--size", "8")
    assert "the shards take 0.00 GB" in said and not list(tmp_path.iterdir())

"""Few labels: every training batch has as many labelled images beside the unlabelled ones."""

import pytest
import torch
from conftest import assert_equal, refused
from PIL import Image

from lit_gans import Glyphs, ImageFolder
from lit_gans.data.image_data import ImageData
from lit_gans.data.samples import Samples


def ready(cls=Glyphs, *arguments, **options):
    data = cls(*arguments, **options)
    data.prepare_data()
    data.setup()
    return data


def few(**options):
    return ready(Glyphs, **{"characters": "0123", "size": 8, "count": 60, "batch_size": 16, "seed": 2, **options})


def batches(data, passes=1):
    loader = data.train_dataloader()
    return [batch for _ in range(passes) for batch in loader]


def rows(images, known):
    """Which of the known images each is."""
    same = (images[:, None] == known[None]).flatten(2).all(2)
    assert same.any(1).all()
    return same.float().argmax(1)


@pytest.mark.parametrize("options", [{"labels_per_class": 2}, {"label_fraction": 8 / 60}], ids=str)
def test_labelled_images_beside_the_others(options):
    data = few(**options)
    samples = data.splits["train"]
    assert samples.sizes == [60, 8]
    pool, labels = samples.values("labelled"), samples.values("labelled_label")
    assert labels.bincount().tolist() == [2] * 4
    original = few().splits["train"][:]
    assert torch.equal(original["label"][rows(pool, original["image"])], labels)
    drawn = batches(data, passes=3)
    for batch in drawn:
        assert batch["image"].shape == batch["labelled"].shape == (16, 1, 8, 8)
        assert batch["labelled"].dtype == torch.uint8 and batch["labelled_label"].dtype == torch.int64
        assert torch.equal(labels[rows(batch["labelled"], pool)], batch["labelled_label"])
        assert rows(batch["labelled"], pool).bincount(minlength=8).tolist() == [2] * 8  # two permutations of eight
    orders = {tuple(rows(batch["labelled"], pool).tolist()) for batch in drawn}
    assert len(orders) == len(drawn)
    seen = torch.cat([batch["label"] for batch in drawn])
    assert 0 < (seen >= 0).sum() <= 24 and (seen == -1).any()


def test_no_image_is_copied():
    samples = few(labels_per_class=2).splits["train"]
    assert samples.groups[0]["image"] is samples.groups[1]["labelled"]
    assert samples.groups[0]["label"] is samples.groups[1]["labelled_label"]


def test_the_choice_is_the_seeds():
    pools = [few(labels_per_class=3, seed=seed).splits["train"].rows[1] for seed in (0, 0, 1)]
    assert torch.equal(pools[0], pools[1]) and not torch.equal(pools[0], pools[2])


def test_the_others_come_in_the_same_order():
    plain, hidden = batches(few()), batches(few(labels_per_class=2))
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(plain, hidden, strict=True))


@pytest.mark.parametrize(
    "options",
    [{"labels_per_class": 0}, {"label_fraction": 0.0}, {"characters": "0", "labels_per_class": 60}, {}],
    ids=str,
)
def test_all_or_no_labels_leave_batches_as_they_are(options):
    data = few(**options)
    assert len(data.splits["train"].groups) == 1
    assert set(batches(data)[0]) == {"image", "label"}


def test_more_labelled_than_unlabelled_and_a_pool_smaller_than_a_batch():
    most = few(label_fraction=0.9, batch_size=50)
    assert most.splits["train"].sizes[1] > 30
    assert (batches(most)[0]["labelled_label"] >= 0).all()
    one = few(labels_per_class=1, batch_size=50)
    assert sorted(batches(one)[0]["labelled_label"].bincount(minlength=4).tolist()) == [12, 12, 13, 13]


@pytest.mark.parametrize(
    ("fraction", "shown"), [(1.0, [10, 40, 20]), (0.5, [10, 13, 13]), (0.2, [5, 5, 5]), (0.01, [1, 1, 1])]
)
def test_a_share_of_unbalanced_classes_is_spread_as_evenly_as_they_allow(fraction, shown):
    label = torch.arange(3).repeat_interleave(torch.tensor([10, 40, 20]))

    class Unbalanced(ImageData):
        image_shape, num_classes = (1, 8, 8), 3

        def load(self, split):
            return Samples({"image": torch.zeros(70, 1, 8, 8, dtype=torch.uint8), "label": label})

    data = ready(Unbalanced, label_fraction=fraction, batch_size=8)
    left = data.splits["train"].values("label")
    assert left[left >= 0].bincount(minlength=3).tolist() == shown
    assert ((left == label) | (left == -1)).all()


def test_other_splits_are_unchanged():
    plain, hidden = few(), few(labels_per_class=2)
    for split in ("val", "test"):
        assert_equal(plain.splits[split][:], hidden.splits[split][:])
    for loader in (hidden.val_dataloader(), hidden.test_dataloader()):
        assert set(next(iter(loader))) == {"image", "label"}


def test_flips_are_drawn_for_each_group():
    """On the device a labelled image is the original or its mirror image, by a draw of its own."""
    data = few(labels_per_class=2, flip=True)
    pool = data.splits["train"].values("labelled").float() / 127.5 - 1
    both = torch.cat([pool, pool.flip(3)])
    batch = batches(data)[0]
    assert not torch.equal(batch["draws"]["image"], batch["draws"]["labelled"])
    batch = data.on_after_batch_transfer(batch, 0)
    assert set(batch) == {"image", "label", "labelled", "labelled_label"}
    found = rows(batch["labelled"], both)
    assert batch["labelled"].dtype == torch.float32 and (found < 8).any() and (found >= 8).any()


def test_crops_of_pictures_in_a_mapped_file(tmp_path, monkeypatch):
    """Classes of one colour each, some held out, one picture broken: rows of rows of rows."""
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate("ab"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(12):
            Image.new("RGB", (12, 12), (100 * number, 10 * index, 0)).save(tmp_path / "set" / name / f"{index:02}.png")
    (tmp_path / "set" / "a" / "00.png").write_bytes(b"no picture")
    options = {"size": 8, "load_size": 12, "val_size": 5, "skip_corrupt": True, "batch_size": 8, "flip": True}
    with pytest.warns(UserWarning, match="1 of 24"):
        data = ready(ImageFolder, str(tmp_path / "set"), **options, labels_per_class=3)
    assert data.splits["train"].sizes == [18, 6]
    held = {tuple(image[:, 0, 0].tolist()) for image in data.splits["val"][:]["image"]}
    shown = set()
    for batch in batches(data, passes=4):
        raw = batch["labelled"]
        assert raw.shape == (8, 3, 12, 12)
        shown |= {tuple(image[:, 0, 0].tolist()) for image in raw}
        batch = data.on_after_batch_transfer(batch, 0)
        assert batch["labelled"].shape == (8, 3, 8, 8)
        color = ((batch["labelled"][:, 0, 0, 0] + 1) * 127.5).round().long()
        assert torch.equal((color > 50).long(), batch["labelled_label"])
    assert len(shown) == 6 and not shown & held


def test_workers_and_position_change_nothing():
    """Batch 5 is batch 5, whether a run began before it or at it."""
    straight = batches(few(labels_per_class=2, num_workers=2, flip=True), passes=2)
    data = few(labels_per_class=2, flip=True)

    stream = data.train_dataloader().sampler
    stream.position = lambda: 5
    resumed = [data.splits["train"][pick] for pick in stream]
    assert_equal(straight[5], resumed[0])


def test_subsets_of_groups():
    """What the pool is made of: a subset of a subset, beside the whole."""
    whole = Samples({"x": torch.arange(10)}).subset(torch.tensor([2, 4, 6, 8]))
    pool = Samples({"y": torch.arange(10)})
    pool.rows = whole.rows
    both = whole.beside(pool.subset(torch.tensor([1, 3])))
    assert both.sizes == [4, 2] and both.values("x").tolist() == [2, 4, 6, 8] and both.values("y").tolist() == [4, 8]


def test_sets_without_labels_still_refuse():
    from lit_gans import UnpairedGlyphs

    refused(lambda: ready(UnpairedGlyphs, size=8, count=20, labels_per_class=2), "has no labels")

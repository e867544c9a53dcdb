"""The data sets, and the order in which their samples come."""

from math import cos, pi, sin
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lit_gans.data import Gaussians, Glyphs
from lit_gans.data.base import find_root
from lit_gans.data.image_data import height_width
from lit_gans.data.order import BatchStream
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError


def ready(data, stage=None):
    data.setup(stage)
    return data


def normalised(data, split="train"):
    return data.on_after_batch_transfer(data.splits[split][:], 0)["image"]


def under_trainer(data, position=0, rank=0, world_size=1):
    """Gives a data module the only parts of a trainer that it looks at."""
    progress = SimpleNamespace(total=SimpleNamespace(ready=position))
    fit_loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, fit_loop=fit_loop)
    return data


def assert_same(left, right):
    assert len(left) == len(right) > 0
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# -------------------------------------------------------------------- Glyphs


@pytest.mark.parametrize("split, count", [("train", 120), ("val", 12), ("test", 12)])
def test_glyphs_are_deterministic(split, count):
    before = torch.get_rng_state()
    data, again, other = (ready(Glyphs("ABC", size=16, count=120, seed=s)).splits[split] for s in (3, 3, 4))
    assert len(data) == count
    assert_same([data[:]], [again[:]])
    assert not torch.equal(data[:]["image"], other[:]["image"])
    assert torch.equal(before, torch.get_rng_state())


def test_glyphs_differ_between_splits():
    # seeds that follow one another must not hand one run's validation to the next as training data either
    splits = [ready(Glyphs("A", size=16, count=100, seed=s)).splits[name] for s in (0, 1) for name in ("val", "test")]
    splits += [ready(Glyphs("A", size=16, count=10, seed=s)).splits["train"] for s in (0, 1)]
    images = torch.cat([split[:]["image"] for split in splits]).flatten(1)
    assert len(images.unique(dim=0)) == len(images) == 60


@pytest.mark.parametrize("size, shape", [(8, (8, 8)), (32, (32, 32)), ((24, 17), (24, 17)), ((10, 40), (10, 40))])
@pytest.mark.parametrize("channels", [1, 3])
def test_glyphs_sizes_and_colours(size, shape, channels):
    data = ready(Glyphs("XYZ", size=size, channels=channels, count=200), "fit")
    sample = data.splits["train"][:]
    assert data.image_shape == (channels, *shape) and data.num_classes == 3
    assert sample["image"].shape == (200, channels, *shape) and sample["image"].dtype == torch.uint8
    images = sample["image"].float()
    assert images.flatten(1).std(1).min() > 8  # every one shows something
    # in colour the ink has its own hue, in grey there is none
    assert channels == 1 or (images[:, 0] - images[:, 2]).abs().flatten(1).mean(1).mean() > 20


def test_glyphs_labels():
    label = ready(Glyphs(count=7200, size=8)).splits["train"][:]["label"]
    counts = label.bincount(minlength=36)
    assert label.dtype == torch.int64 and label.min() == 0 and label.max() == 35 and len(counts) == 36
    assert counts.min() > 130 and counts.max() < 270  # 200 each, give or take five deviations


def test_glyphs_labels_name_the_drawing():
    # undistorted and noiseless, a character has three drawings (its stroke widths), and no two share one
    sample = ready(Glyphs("ABC0", size=20, count=300, distortion=0.0, noise=0.0)).splits["train"][:]
    drawings = [sample["image"][sample["label"] == i].flatten(1).unique(dim=0) for i in range(4)]
    assert [len(d) for d in drawings] == [3] * 4 and len(torch.cat(drawings).unique(dim=0)) == 12


def test_glyphs_keep_their_place_in_wide_images():
    # upright, centred and not stretched: a wide picture of a glyph is a square one with margins
    square, wide = (
        ready(Glyphs("H", size=s, count=10, distortion=0.0, noise=0.0)).splits["train"][:]["image"].float()
        for s in (32, (32, 64))
    )
    torch.testing.assert_close(wide[..., 16:48], square, rtol=0, atol=2)
    assert wide[..., :16].max() == wide[..., 48:].max() == 0


@pytest.mark.parametrize("channels, low, high", [(1, -0.95, -0.4), (3, -0.8, -0.2)])
def test_glyphs_brightness(channels, low, high):
    images = normalised(ready(Glyphs(channels=channels, count=500)))
    assert images.dtype == torch.float32 and images.min() >= -1 and images.max() <= 1
    assert images.min() < -0.98 and images.max() > (0.98 if channels == 1 else 0.8)
    assert low < float(images.mean()) < high  # light ink on a dark ground


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_glyphs_noise(noise):
    images = normalised(ready(Glyphs("I", channels=3, count=500, distortion=0.0, noise=noise)))
    corner = images[:, 0, :3, :3]  # nothing but ground, and light enough not to be clamped in the brighter half
    bright = corner[corner.mean((1, 2)) > -0.7]
    spread = bright.flatten(1).var(1).mean().sqrt()
    assert len(bright) > 50 and float(spread) == pytest.approx(noise, rel=0.1, abs=1e-3)


@pytest.mark.parametrize("arguments", [{"characters": ""}, {"channels": 2}, {"count": 9}], ids=str)
def test_glyphs_refuse(arguments):
    name, value = next(iter(arguments.items()))
    with pytest.raises(UsageError, match=f"{name}={value!r}"):
        Glyphs(**arguments)


def test_normalisation_is_exact():
    label, floats = torch.tensor([4, -1]), torch.tensor([0.5, -0.25])
    batch = {"image": torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16), "label": label, "other": floats}
    out = Glyphs("A", size=16).on_after_batch_transfer(dict(batch), 0)
    torch.testing.assert_close(
        out["image"].flatten().double(), torch.arange(256) / 127.5 - 1, rtol=0, atol=1e-6, check_dtype=False
    )
    assert out["image"].flatten()[[0, 255]].tolist() == [-1, 1] and out["image"].dtype == torch.float32
    assert out["label"] is label and out["other"] is floats and batch["image"].dtype == torch.uint8


# -------------------------------------------------------------------- Gaussians

RING = [[cos(k * pi / 4), sin(k * pi / 4)] for k in range(8)]
GRID = [[x, y] for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)]


@pytest.mark.parametrize("kind, means, sigma", [("ring", RING, 0.01), ("grid", GRID, 0.05)])
def test_gaussians(kind, means, sigma):
    data = ready(Gaussians(kind))
    sample = data.splits["train"][:]
    assert sample["image"].shape == (100_000, 2, 1, 1) and sample["image"].dtype == torch.float32
    assert [len(data.splits[s]) for s in ("val", "test")] == [2500, 2500]
    assert data.image_shape == (2, 1, 1) and data.num_classes == len(means)
    assert sample["image"].abs().max() <= 1
    points, label = data.to_plane(sample["image"]).double(), sample["label"]
    counts = label.bincount()
    assert len(counts) == len(means) and counts.min() > 0.9 * 100_000 / len(means)
    centres = torch.stack([points[label == k].mean(0) for k in range(len(means))])
    # as sets: the numbering of the modes is free
    distance = torch.cdist(centres, torch.tensor(means, dtype=torch.float64))
    assert distance.min(1).values.max() < 0.1 * sigma and sorted(distance.argmin(1).tolist()) == list(range(len(means)))
    residual = points - centres[label]
    assert residual.std(0).tolist() == pytest.approx([sigma, sigma], rel=0.02)
    assert abs(float((residual[:, 0] * residual[:, 1]).mean())) < 0.02 * sigma**2
    if kind == "ring":
        assert float(points.norm(dim=1).mean()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", ["ring", "grid"])
def test_to_plane_is_inverse_of_scaling(kind):
    data = Gaussians(kind)
    points = data.means + 0.1
    torch.testing.assert_close(data.to_plane((points / data.scale).view(-1, 2, 1, 1)), points)


def test_gaussians_depend_on_seed_and_split():
    runs = {s: ready(Gaussians(seed=s)).splits for s in (0, 1)}
    again = ready(Gaussians(seed=0)).splits
    assert_same([runs[0]["train"][:]], [again["train"][:]])
    heads = torch.stack([runs[s][name][:100]["image"].flatten() for s in runs for name in ("train", "val", "test")])
    assert len(heads.unique(dim=0)) == 6


def test_points_are_not_normalised_again():
    data = ready(Gaussians())
    assert torch.equal(normalised(data, "val"), data.splits["val"][:]["image"])


def test_gaussians_refuse_other_kinds():
    with pytest.raises(UsageError, match="'ring' or 'grid', got 'spiral'"):
        Gaussians("spiral")


# -------------------------------------------------------------------- the order of training batches


def stream(samples=23, batch_size=3, seed=0, start=0, batches=None, **share):
    """The first batches of a run that begins at ``start``, epoch after epoch."""
    position = [start]
    sampler = BatchStream([samples], batch_size, seed, lambda: position[0], **share)
    out = []
    for _ in range(-(-(batches or len(sampler)) // len(sampler))):
        out += [pick.rows[0] for pick in sampler]
        position[0] += len(sampler)
    return out[:batches]


@pytest.mark.parametrize("samples, batch_size", [(23, 3), (24, 3), (5, 5), (9, 1), (7, 4)])
def test_every_sample_at_most_once_an_epoch(samples, batch_size):
    per_epoch = samples // batch_size
    batches = stream(samples, batch_size, batches=4 * per_epoch)
    assert all(len(batch) == batch_size for batch in batches)
    epochs = [torch.cat(batches[i : i + per_epoch]) for i in range(0, len(batches), per_epoch)]
    for epoch in epochs:
        assert len(epoch.unique()) == len(epoch) == per_epoch * batch_size
        assert epoch.min() >= 0 and epoch.max() < samples
    assert samples < 7 or len({tuple(epoch.tolist()) for epoch in epochs}) == 4  # a new permutation each


@pytest.mark.parametrize("start", [0, 1, 6, 7, 8, 17])
def test_position_is_all_that_counts(start):
    whole = torch.stack(stream(batches=30))
    assert torch.equal(torch.stack(stream(start=start, batches=30 - start)), whole[start:])


def test_seed_counts():
    assert torch.equal(torch.stack(stream(seed=1)), torch.stack(stream(seed=1)))
    assert not torch.equal(torch.stack(stream(seed=1)), torch.stack(stream(seed=2)))


def test_position_is_read_when_the_iterator_is_made():
    position = [0]
    sampler = BatchStream([10], 2, 0, lambda: position[0])
    iterator = iter(sampler)
    position[0] = 3
    assert torch.equal(torch.stack([pick.rows[0] for pick in iterator]), torch.stack(stream(10, 2)))


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("start", [0, 4])
def test_ranks_share_the_batch_of_one_device(world_size, start):
    ranks = [stream(29, 2, start=start, batches=9, rank=r, world_size=world_size) for r in range(world_size)]
    single = stream(29, 2 * world_size, start=start, batches=9)
    for parts, whole in zip(zip(*ranks, strict=True), single, strict=True):
        assert torch.equal(torch.cat(parts), whole) and len(whole.unique()) == 2 * world_size


@pytest.mark.parametrize("world_size, needed", [(1, 8), (4, 32)])
def test_too_few_samples_for_a_batch(world_size, needed):
    with pytest.raises(UsageError, match=f"batch_size=8 on {world_size} device.* needs {needed} .* there are 7;"):
        BatchStream([7], 8, 0, lambda: 0, world_size=world_size)
    assert len(BatchStream([needed], 8, 0, lambda: 0, world_size=world_size)) == 1


# -------------------------------------------------------------------- loaders


def test_samples_are_indexed_by_batches():
    image, label = torch.arange(12, dtype=torch.uint8).view(6, 2, 1, 1), torch.arange(6)
    index = torch.tensor([4, 1])
    samples = Samples({"image": image, "label": label})
    assert_same([samples[index]], [{"image": image[[4, 1]], "label": torch.tensor([4, 1])}])
    assert len(samples) == 6 and samples.values("other") is None and torch.equal(samples.values("label"), label)
    part = samples.subset(torch.tensor([5, 3, 0])).subset(torch.tensor([2, 0]))
    assert_same([part[:]], [samples[[0, 5]]])
    assert len(part) == 2 and part.values("label").tolist() == [0, 5]
    both = Samples({"a": label, "text": list("uvwxyz")}).beside(Samples({"b": label[:4]}))
    batch = both[[1, 5]]
    assert both.sizes == [6, 4] and len(both) == 6  # the smaller group starts again
    assert batch["a"].tolist() == [1, 5] and batch["b"].tolist() == [1, 1] and batch["text"] == ["v", "z"]


def test_train_batches_are_new_every_epoch():
    data = ready(Glyphs("AB", size=8, count=40, batch_size=8))
    loader = data.train_dataloader()
    epochs = [torch.cat([batch["image"] for batch in loader]) for _ in range(2)]
    assert len(loader) == 5 and epochs[0].shape == (40, 1, 8, 8) and not torch.equal(*epochs)
    everything = data.splits["train"][:]["image"].flatten(1).unique(dim=0)
    assert all(torch.equal(epoch.flatten(1).unique(dim=0), everything) for epoch in epochs)


@pytest.mark.parametrize("position", [0, 3, 11])
def test_train_batches_go_on_at_the_position_of_the_trainer(position):
    arguments = {"characters": "AB", "size": 8, "count": 20, "batch_size": 4, "seed": 2}
    whole = list(ready(Glyphs(**arguments)).train_dataloader())
    data = under_trainer(ready(Glyphs(**arguments)), position)
    expected = [data.splits["train"][index] for index in stream(20, 4, seed=2, start=position)]
    assert_same(list(data.train_dataloader()), expected)
    assert position or all(torch.equal(a["image"], b["image"]) for a, b in zip(whole, expected, strict=True))


def test_making_batches_leaves_the_global_generator_alone():
    data = ready(Glyphs("AB", size=8, count=20, batch_size=4))
    before = torch.get_rng_state()
    list(data.train_dataloader()), list(data.val_dataloader())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("split, stage", [("val", "validate"), ("test", "test"), ("test", "predict")])
@pytest.mark.parametrize("batch_size", [1, 4, 7, 50])
def test_evaluation_is_in_order_and_whole(split, stage, batch_size):
    data = ready(Glyphs("ABCD", size=8, count=130, batch_size=batch_size), stage)
    assert set(data.splits) == {split}
    loader = getattr(data, f"{'val' if stage == 'validate' else stage}_dataloader")()
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader) == -(-13 // batch_size)
        joined = {name: torch.cat([batch[name] for batch in batches]) for name in ("image", "label")}
        assert_same([joined], [data.splits[split][:]])


@pytest.mark.parametrize("world_size", [2, 3, 11])
def test_evaluation_on_several_devices(world_size):
    data, seen = ready(Glyphs("ABCD", size=8, count=130, batch_size=4)), []
    for rank in range(world_size):
        seen.append([b["image"] for b in under_trainer(data, rank=rank, world_size=world_size).val_dataloader()])
    assert len({len(batches) for batches in seen}) == 1  # or the others wait for ever
    images = data.splits["val"][:]["image"].flatten(1)
    assert torch.equal(
        torch.cat([image for batches in seen for image in batches]).flatten(1).unique(dim=0), images.unique(dim=0)
    )
    for i, part in enumerate(images.split(4)):
        assert torch.equal(seen[i % world_size][i // world_size].flatten(1), part)


@pytest.mark.parametrize("split", ["train", "val"])
def test_workers_change_nothing(split):
    def batches(workers):
        data = ready(Glyphs("AB", size=8, count=50, batch_size=3, num_workers=workers))
        loader = getattr(under_trainer(data, position=5), f"{split}_dataloader")()
        return list(loader) + list(loader)

    assert_same(batches(2), batches(0))


def test_batch_size_must_be_positive():
    with pytest.raises(UsageError, match="batch_size must be at least 1, got 0"):
        Glyphs(batch_size=0)


@pytest.mark.parametrize("size, expected", [(28, (28, 28)), ((8, 12), (8, 12)), ([8, 12], (8, 12))])
def test_height_width(size, expected):
    assert height_width(size) == expected


@pytest.mark.parametrize("size", [0, -3, (8,), (8, 0), (1, 2, 3)])
def test_height_width_refuses(size):
    with pytest.raises(UsageError, match="size must be a side length"):
        height_width(size)


def test_root_by_default(monkeypatch):
    monkeypatch.delenv("LIT_GANS_DATA", raising=False)
    assert find_root(None) == Path("data")


def test_the_first_pass_without_a_trainer_is_the_first_epoch():
    passes = []
    for workers in (0, 2):
        data = Glyphs("01", size=8, count=20, batch_size=4, num_workers=workers)
        data.setup("fit")
        loader = data.train_dataloader()
        passes.append([torch.cat([b["label"] for b in loader]).tolist() for _ in range(2)])
    assert passes[0] == passes[1] and passes[0][0] != passes[0][1]

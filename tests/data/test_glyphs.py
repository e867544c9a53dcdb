"""The sets that are drawn on the spot: textured, unpaired, paired and captioned."""

import pytest
import torch
from conftest import refused

from lit_gans.data import drawing
from lit_gans.data.captioned_glyphs import PALETTE, CaptionedGlyphs
from lit_gans.data.glyphs import Glyphs
from lit_gans.data.scenes import ColouredGlyphs, PairedGlyphs, UnpairedGlyphs
from lit_gans.errors import UsageError


def textured(**arguments):
    return Glyphs(**{"characters": "0123456789", "channels": 3, "background": "texture", **arguments})


KINDS = {
    "textured": (textured, ["image", "label"]),
    "unpaired": (UnpairedGlyphs, ["a", "b", "label_a", "label_b"]),
    "paired": (PairedGlyphs, ["source", "target"]),
    "coloured": (ColouredGlyphs, ["image"]),
    "captioned": (CaptionedGlyphs, ["caption", "image", "label", "tokens"]),
}
every_kind = pytest.mark.parametrize("make, names", KINDS.values(), ids=KINDS)
IMAGES = ("image", "a", "b", "source", "target")


def pictures(samples):
    return [values for group in samples.groups for name, values in group.items() if name in IMAGES]


def light(images):
    """Brightness of uint8 images, in [0, 1]."""
    return drawing.brightness(images.float() / 255)


# -------------------------------------------------------------------- all of them


@every_kind
@pytest.mark.parametrize("size, shape", [(16, (16, 16)), ((20, 33), (20, 33)), ([40, 18], (40, 18))])
def test_shapes_and_splits(make, names, size, shape):
    data = make(size=size, count=50, batch_size=7)
    data.setup()
    assert data.image_shape == (3, *shape)
    for split, count in (("train", 50), ("val", 5), ("test", 5)):
        samples = data.splits[split]
        assert sorted(samples[:].keys()) == names
        assert samples.sizes == ([count, count * 5 // 4] if "b" in names else [count])
        for images in pictures(samples):
            assert images.shape[1:] == (3, *shape) and images.dtype == torch.uint8
            assert images.float().flatten(1).std(1).min() > 4  # every one shows something
    batch = next(iter(data.train_dataloader()))
    assert all(len(value) == 7 for name, value in batch.items() if name in names)


@every_kind
def test_a_function_of_seed_and_split(make, names):
    before = torch.get_rng_state()
    data = [make(size=16, count=10, seed=seed) for seed in (0, 0, 1)]
    drawn = [pictures(d.load(split))[0] for d in data for split in ("train", "val", "test")]
    again = [torch.equal(drawn[i], drawn[i + 3]) for i in range(3)]
    assert again == [True] * 3
    different = torch.cat(drawn[3:]).flatten(1)
    assert len(different.unique(dim=0)) == len(different) == 24
    assert torch.equal(before, torch.get_rng_state())


@every_kind
def test_too_few_are_refused(make, names):
    with pytest.raises(UsageError, match=r"at least 10 .*count=9"):
        make(count=9)


def test_numbers_of_classes():
    data = textured(count=10), CaptionedGlyphs(count=10, characters="AB"), UnpairedGlyphs(), PairedGlyphs()
    assert [d.num_classes for d in data] == [10, 2, len(drawing.SHAPES), None]


def test_shapes_are_told_in_both_domains():
    """Every image has one, and it goes with the image: a circle has more ink than a star."""
    groups = UnpairedGlyphs(size=32, count=400).load("train").groups
    assert [sorted(group) for group in groups] == [["a", "label_a"], ["b", "label_b"]]
    for name, group in zip("ab", groups, strict=True):
        label = group[f"label_{name}"]
        assert label.dtype == torch.int64 and len(label) == len(group[name])
        assert label.unique().tolist() == list(range(len(drawing.SHAPES)))
        spread = light(group[name]).flatten(1).std(1)  # grows with what is inked
        means = [float(spread[label == kind].mean()) for kind in range(len(drawing.SHAPES))]
        assert max(means) > 1.2 * min(means)


def test_the_parts_that_are_drawn_at_a_time_are_as_many_as_asked_for():
    data = UnpairedGlyphs(size=64, count=100)
    parts = data._parts(300)
    assert sum(parts) == 300 and len(parts) > 1
    samples = CaptionedGlyphs(size=128, count=40).load("train")
    assert samples.sizes == [40] and len(samples[:]["caption"]) == 40


# -------------------------------------------------------------------- textured characters


def test_plain_is_the_default():
    same, other = (Glyphs("AB", size=16, count=20, channels=3, **a) for a in ({}, {"background": "texture"}))
    plain = Glyphs("AB", size=16, count=20, channels=3, background="plain")
    assert torch.equal(plain.load("train")[:]["image"], same.load("train")[:]["image"])
    assert not torch.equal(plain.load("train")[:]["image"], other.load("train")[:]["image"])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 48])
def test_textured_characters_can_be_read(channels, size):
    # the letter I, upright and centred: its stem is in the middle, its ground to both sides, and all are told apart
    data = textured(characters="I", channels=channels, size=size, count=400, distortion=0.0, noise=0.0)
    value = light(data.load("train")[:]["image"])
    middle, rows = size // 2, slice(2 * size // 5, 3 * size // 5)
    stem = value[:, rows, middle - 1 : middle + 1].mean((1, 2))
    beside = [value[:, rows, middle + d : middle + d + 2].mean((1, 2)) for d in (-size // 4 - 2, size // 4)]
    contrast = stem - (beside[0] + beside[1]) / 2
    # a stem of one pixel at size 16
    assert contrast.abs().min() > (0.06 if size == 16 else 0.25) and contrast.abs().mean() > 0.4
    assert 0.25 < float((contrast > 0).float().mean()) < 0.75  # lighter as often as darker


def test_textures_are_smooth_and_varied():
    ground = drawing.texture(torch.full((50, 3), 0.5), 0.2, (32, 48), torch.Generator().manual_seed(0))
    assert ground.shape == (50, 3, 32, 48) and float(ground.min()) >= 0 and float(ground.max()) <= 1
    steps = (ground[..., 1:] - ground[..., :-1]).abs()
    assert ground.flatten(2).std(2).mean() > 0.05 and steps.mean() < 0.02 and steps.max() < 0.25


def test_some_characters_have_cut_neighbours(monkeypatch):
    # on a plain ground, ink at the left and the right border is a neighbour's
    monkeypatch.setattr(drawing, "texture", lambda mean, s, size, r: mean[:, :, None, None].expand(-1, -1, *size))
    data = textured(characters="I", size=(24, 40), count=10, distortion=0.0)
    rng = torch.Generator().manual_seed(1)
    masters, stroke = drawing.draw("8"), torch.ones(300, dtype=torch.long)
    warps = drawing.wild_warps(300, 0.0, (24, 40), rng)
    ink = torch.zeros(300, 1, 24, 40)
    ink[..., 12, 20] = 1  # in place of the character
    image = data._on_texture(masters, stroke, warps, ink, rng)
    other = (drawing.brightness(image) - drawing.brightness(image[:, :, :1, :1])).abs().amax(1) > 0.2
    left, middle, right = (other[:, part].any(1) for part in (slice(0, 3), slice(10, 30), slice(37, 40)))
    assert 0.5 < float(left.float().mean()) < 0.7 and 0.5 < float(right.float().mean()) < 0.7
    assert middle.all() and other[:, 10:30].sum() == 300 and 0.26 < float((left & right).float().mean()) < 0.46


def test_textured_characters_with_few_labels():
    data = textured(characters="ABC", size=16, count=90, labels_per_class=4)
    data.setup()
    label = data.splits["train"].values("label")
    assert (label == -1).sum() == 78 and [int((label == k).sum()) for k in range(3)] == [4, 4, 4]
    assert data.splits["val"].values("label").min() >= 0


def test_other_backgrounds_are_refused():
    with pytest.raises(UsageError, match="background must be 'plain' or 'texture', got 'photo'"):
        Glyphs(background="photo")


# -------------------------------------------------------------------- plain and striped shapes


@pytest.mark.parametrize("size", [16, 32, 64])
def test_stripes_are_the_only_difference(size):
    batch = UnpairedGlyphs(size=size, count=400).load("train")
    shares = {}
    for name, images in (("a", batch.groups[0]["a"]), ("b", batch.groups[1]["b"])):
        value = light(images)
        # grounds are between the inks: dark and light pixels are inside the shape
        dark, bright = ((value < 0.27).float().mean((1, 2)), (value > 0.73).float().mean((1, 2)))
        shares[name] = float(((dark > 0.01) & (bright > 0.01)).float().mean())
        both = dark + bright
        assert 0.1 < float(both.mean()) < 0.5
        border = torch.cat([value[:, 0], value[:, -1]], 1)
        assert float(border.mean()) == pytest.approx(0.5, abs=0.05)  # the grounds are alike
    assert shares["a"] < 0.05 and shares["b"] > 0.95


def test_shapes_of_both_domains_are_alike():
    # blurred by more than a stripe, the domains can no longer be told apart by their mean
    groups = UnpairedGlyphs(size=32, count=2000).load("train").groups
    a, b = (images.float().mean((0, 2, 3)) for images in (groups[0]["a"], groups[1]["b"]))
    torch.testing.assert_close(a, b, rtol=0, atol=6)


def test_stripes_have_the_period_asked_for():
    waves = drawing.stripes(torch.full((20,), 8.0), (64, 64), torch.Generator().manual_seed(0))[:, 0]
    spectrum = torch.fft.rfft2(waves - 0.5).abs()
    peak = spectrum.flatten(1).argmax(1)
    rows, columns = peak // spectrum.shape[2], peak % spectrum.shape[2]
    rows = torch.where(rows > 32, rows - 64, rows)
    frequency = (rows**2 + columns**2).float().sqrt()
    torch.testing.assert_close(frequency, torch.full((20,), 8.0), rtol=0, atol=0.8)
    angles = torch.atan2(rows.float(), columns.float())
    assert angles.std() > 0.4 and waves.min() == 0 and waves.max() == 1


# -------------------------------------------------------------------- outlines and colours


def test_outlines_and_colours_agree():
    batch = PairedGlyphs(size=64, count=100).load("train")[:]
    line, colour = light(batch["source"]) < 0.5, batch["target"].float()
    ground = colour[:, :, :1, :1]
    ink = (colour - ground).abs().amax(1) > 40
    near = torch.nn.functional.max_pool2d(line.float()[:, None], 5, 1, 2)[:, 0] > 0
    inner = torch.nn.functional.avg_pool2d(ink.float()[:, None], 3, 1, 1)[:, 0]
    edge = (inner > 0.3) & (inner < 0.7)  # where colour ends there is a line, and a line is where colour ends
    assert float((near & edge).sum() / edge.sum()) > 0.97
    touched = torch.nn.functional.max_pool2d(ink.float()[:, None], 3, 1, 1)[:, 0] > 0
    assert float((line & touched).sum() / line.sum()) > 0.97
    shuffled = near.roll(1, 0) & edge
    assert float(shuffled.sum() / edge.sum()) < 0.6  # the agreement is not by chance


def test_colour_says_what_a_thing_is():
    data = PairedGlyphs(size=32, count=400, characters="")
    images = data.load("train")[:]["target"].permute(0, 2, 3, 1).reshape(-1, 3).float() / 255
    to_kind = torch.cdist(images[::7], data.colours).amin(1)
    to_ground = torch.cdist(images[::7], torch.tensor([[0.86, 0.80, 0.66], [0.66, 0.79, 0.90], [0.72, 0.85, 0.68]]))
    known = torch.minimum(to_kind, to_ground.amin(1)) < 0.2
    assert float(known.float().mean()) > 0.95 and 0.1 < float((to_kind < 0.2).float().mean()) < 0.6
    distance = torch.cdist(data.colours, data.colours) + torch.eye(8)
    assert len(data.colours) == 8 and distance.min() > 0.25  # more than the jitter


def test_direction():
    there, back = (PairedGlyphs(size=16, count=20, direction=d).load("train")[:] for d in ("AtoB", "BtoA"))
    assert torch.equal(there["source"], back["target"]) and torch.equal(there["target"], back["source"])
    assert torch.equal(there["source"][:, 0], there["source"][:, 2])  # outlines are grey
    assert not torch.equal(there["target"][:, 0], there["target"][:, 2])
    with pytest.raises(UsageError, match="direction must be 'AtoB' or 'BtoA', got 'AB'"):
        PairedGlyphs(direction="AB")


def test_coloured_scenes_are_those_of_pairs():
    coloured, pairs = ColouredGlyphs(size=16, count=20).load("val")[:], PairedGlyphs(size=16, count=20).load("val")[:]
    assert torch.equal(coloured["image"], pairs["target"])


# -------------------------------------------------------------------- captions


@pytest.mark.parametrize("size", [16, 32, (48, 32)])
def test_captions_are_true(size):
    data = CaptionedGlyphs(size=size, count=600)
    batch = data.load("train")[:]
    names, colours = list(PALETTE), torch.tensor(list(PALETTE.values()))
    numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    heights = {"small": [], "large": []}
    for image, label, caption in zip(batch["image"].float() / 255, batch["label"], batch["caption"], strict=True):
        article, extent, ink, word, on, ground = caption.split()
        assert (article, on) == ("a", "on") and ink != ground and numbers[label] == word
        nearest = torch.cdist(image.flatten(1).T, colours).argmin(1)
        assert names[nearest.bincount(minlength=8).argmax()] == ground
        front, back = colours[names.index(ink)], colours[names.index(ground)]
        share = ((image.permute(1, 2, 0) - back) @ (front - back)) / (front - back).square().sum()
        inked = share > 0.5
        fully = image.permute(1, 2, 0)[share > share.max() * 0.9].mean(0)
        assert inked.any() and (fully - front).abs().max() < 0.3
        heights[extent].append(int(inked.any(1).sum()) / min(inked.shape))
    assert max(heights["small"]) < min(heights["large"])
    assert 200 < len(heights["small"]) < 400


def test_captions_follow_their_images():
    data = CaptionedGlyphs(size=16, count=40, batch_size=8)
    data.setup()
    whole = data.splits["train"][:]
    batch = next(iter(data.train_dataloader()))
    assert isinstance(batch["caption"], list) and len(batch["caption"]) == 8
    for image, label, caption in zip(batch["image"], batch["label"], batch["caption"], strict=True):
        (row,) = (whole["image"] == image).flatten(1).all(1).nonzero()[:, 0].tolist()
        assert whole["caption"][row] == caption and whole["label"][row] == label


def test_vocabulary():
    data = CaptionedGlyphs(size=16, count=3000, characters="7Ab?")
    captions = data.load("train")[:]["caption"]
    assert data.vocabulary == sorted({word for caption in captions for word in caption.split()})
    kinds = {" ".join(caption.split()[3:-2]) for caption in captions}
    assert kinds == {"seven", "letter A", "letter b", "sign ?"}
    assert {*PALETTE, "seven", "letter", "A", "a", "on", "small", "large"} < set(data.vocabulary)
    assert "one" not in data.vocabulary


@pytest.mark.parametrize("make", [CaptionedGlyphs, PairedGlyphs])
def test_characters_that_cannot_be_seen_are_refused(make):
    with pytest.raises(UsageError, match="leave ' ' out of 'A B'"):
        make(characters="A B")


def test_captions_need_a_character():
    with pytest.raises(UsageError, match="at least one character"):
        CaptionedGlyphs(characters="")


# -------------------------------------------------------------------- the engine


def test_depths_are_distances():
    (disc,) = drawing.depths(("circle",))
    axis = (2 * torch.arange(drawing.MASTER) + 1) / drawing.MASTER - 1
    expected = 0.8 - (axis**2 + axis[:, None] ** 2).sqrt()
    torch.testing.assert_close(disc, expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("size", [(32, 32), (24, 60), (60, 24)])
def test_things_are_where_they_are_put(size):
    # a disc of radius 0.4 (in halves of the shorter side), a little to the right of and below the middle
    centre = torch.tensor([[0.3, 0.2]])
    warps = drawing.place(torch.tensor([1.0]), torch.tensor([0.5]), centre, size)
    depth = drawing.warped_depths(drawing.depths(("circle",)), warps, size)[0, 0]
    half = min(size) / 2
    x = (torch.arange(size[1]) + 0.5 - size[1] / 2) / half - 0.3
    y = (torch.arange(size[0]) + 0.5 - size[0] / 2) / half - 0.2
    expected = (0.4 - (x**2 + y[:, None] ** 2).sqrt()) * half
    near = expected.abs() < 1.5
    torch.testing.assert_close(depth[near], expected[near], rtol=0, atol=0.2)
    assert torch.equal(depth[~near] > 0, expected[~near] > 0)
    line = drawing.outlined(depth, 1.0)
    assert not line[expected.abs() > 1.5].any() and line[expected.abs() < 0.3].min() > 0.4


@pytest.mark.parametrize("size", [(20, 20), (20, 50)])
def test_moving_is_sideways(size):
    masters, first = drawing.draw("O"), torch.tensor([0])
    warps = drawing.wild_warps(1, 0.0, size, torch.Generator())
    places = (warps, drawing.moved(warps, torch.tensor([0.4]), size))
    still, shifted = (drawing.stamp(masters, first, first + 1, where, size) for where in places)
    torch.testing.assert_close(shifted[..., 4:], still[..., :-4], rtol=0, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_have_the_brightness_asked_for(channels):
    target = torch.linspace(0, 1, 101)
    found = drawing.colours(target, channels, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawing.brightness(found), target, rtol=0, atol=1e-5)
    assert found.min() >= -1e-6 and found.max() <= 1 + 1e-6
    other = drawing.brightness(drawing.contrasting(target, 0.4, channels, torch.Generator().manual_seed(0)))
    assert (other - target).abs().min() > 0.4 - 1e-5


def test_a_share_that_holds_nothing_out_is_refused():
    """Or the test would have what training has, and nobody would know."""
    refused(lambda: CaptionedGlyphs(characters="7", count=20, held_out=0.004), "held_out=0.004", "0.0089")
    for share in (-1, 1, float("nan")):
        refused(lambda share=share: CaptionedGlyphs(count=20, held_out=share), "from 0 to less than 1")

"""Augmentations against the transforms they promise, their shares of change, and ADA's p against the paper's speed."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from conftest import refused

from lit_gans.augment import POLICIES, Augment, colors, geometry, pipeline
from lit_gans.augment.pixels import reflect

SHAPES = [(3, 32, 32), (1, 28, 28), (6, 16, 12), (2, 9, 11), (3, 1, 5)]
ADA = ["blit", "geometry", "tone"]


def draw(n, *shape, seed=0, dtype=torch.float32):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def applied(policy, images, p=1.0, seed=0):
    torch.manual_seed(seed)
    return Augment([policy], p)(images)


def same(left, right):
    """(N,) bool: which images are equal bit for bit."""
    return (left == right).flatten(1).all(1)


def fixed(monkeypatch, module, **draws):
    """Makes the draws of a module give the values listed, one call after the other."""
    for name, values in draws.items():
        queue = iter(values)
        monkeypatch.setattr(
            module, name, lambda images, *_, queue=queue: torch.as_tensor(next(queue)).expand(len(images))
        )


# ---------------------------------------------------------------- every policy


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_p_0_is_the_identity_and_p_1_is_not(policy, shape):
    images = draw(16, *shape)
    assert torch.equal(applied(policy, images, 0.0), images)
    result = applied(policy, images)
    assert result.shape == images.shape and result.dtype == images.dtype and result.isfinite().all()
    if policy != "translation" or min(shape[1:]) >= 8:
        assert not torch.equal(result, images)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_differentiable_twice(policy, p):
    images = draw(3, 3, 8, 8, dtype=torch.float64)[..., :5].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: applied(policy, x, p), images, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: applied(policy, x, p).pow(3), images, fast_mode=True)


def test_penalty_reaches_weights_through_all_policies():
    images, weight = draw(4, 3, 16, 16).requires_grad_(), torch.ones(3, requires_grad=True)
    score = (Augment(list(POLICIES), 0.7)(images).mean((2, 3)) * weight).tanh().sum()
    (gradient,) = torch.autograd.grad(score, images, create_graph=True)
    gradient.square().sum().backward()
    assert weight.grad.isfinite().all() and weight.grad.abs().min() > 0


@pytest.mark.parametrize("policy", POLICIES)
def test_seed_decides_and_images_differ(policy):
    images = draw(1, 3, 32, 32).expand(32, -1, -1, -1)
    result = applied(policy, images)
    assert torch.equal(result, applied(policy, images))
    assert not torch.equal(result, applied(policy, images, seed=1))
    assert len(result.flatten(1).unique(dim=0)) > 25  # independent draws: a rare pair may agree on a shift


@pytest.mark.parametrize("policy", POLICIES)
def test_precisions(policy):
    images = draw(8, 3, 16, 16)
    expected = applied(policy, images)
    torch.testing.assert_close(applied(policy, images.double()), expected.double(), rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(applied(policy, images), expected)
    for half in (torch.bfloat16, torch.float16):
        result = applied(policy, images.to(half))
        assert result.dtype == half and torch.equal(result, applied(policy, images.to(half).float()).to(half))
        torch.set_default_dtype(half)  # what a run in bf16-true does
        try:
            assert torch.equal(applied(policy, images), expected)
        finally:
            torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("policy", POLICIES)
def test_memory_format_is_kept(policy):
    images = draw(4, 3, 16, 12)
    result = applied(policy, images.contiguous(memory_format=torch.channels_last))
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, applied(policy, images), rtol=1e-6, atol=1e-6)
    assert applied(policy, images).is_contiguous()


def test_nothing_waits_for_the_device():
    # on the meta device there is no value that could be read
    augment = Augment(list(POLICIES), target=0.6).to("meta")
    assert augment(torch.empty(4, 3, 16, 16, device="meta")).shape == (4, 3, 16, 16)
    augment.update(torch.empty(4, device="meta"))


@pytest.mark.parametrize(
    "policy, unchanged",
    [
        ("translation", lambda p: 1 - p * 24 / 25),  # 5 by 5 shifts of a 16-pixel image, one of them 0
        ("cutout", lambda p: 1 - p),
        ("color", lambda p: (1 - p) ** 3),
        ("blit", lambda p: (1 - p / 2) * (1 - p * 3 / 4) * (1 - p * 24 / 25)),
        ("geometry", lambda p: (1 - p) ** 4),
        ("tone", lambda p: (1 - p) ** 4 * (1 - p / 2)),
    ],
)
@pytest.mark.parametrize("p", [0.15, 0.5])
def test_each_transform_has_probability_p(policy, unchanged, p):
    images, n = draw(2000, 3, 16, 16), 2000
    share, expected = same(applied(policy, images, p), images).float().mean(), unchanged(p)
    assert float(share) == pytest.approx(expected, abs=4 * (expected * (1 - expected) / n) ** 0.5)


# ---------------------------------------------------------------- DiffAugment


@pytest.mark.parametrize("size", [(16, 24), (28, 28)], ids=str)
def test_translation_is_a_zero_padded_shift(size):
    (height, width), (y, x) = size, (side // 8 for side in size)
    image = draw(1, 2, *size)
    result = applied("translation", image.expand(1500, -1, -1, -1))
    padded = F.pad(image, (x, x, y, y))
    counts = torch.zeros(2 * y + 1, 2 * x + 1)
    for down, right in product(range(2 * y + 1), range(2 * x + 1)):
        window = padded[:, :, down : down + height, right : right + width]
        counts[down, right] = same(result, window).sum()
    assert counts.sum() == 1500  # every one is a shift by 1/8 of a side at most
    expected = 1500 / counts.numel()
    assert counts.min() > 0 and (counts - expected).square().sum() / expected < 2 * counts.numel()


@pytest.mark.parametrize("size", [(16, 12), (15, 9)], ids=str)
def test_cutout_is_a_rectangle_of_half_of_each_side(size):
    result = applied("cutout", torch.ones(4000, 2, *size))
    hole = result == 0
    assert torch.equal(result, 1 - hole.float()) and torch.equal(hole[:, 0], hole[:, 1])
    rows, columns = hole[:, 0].any(2), hole[:, 0].any(1)
    assert torch.equal(hole[:, 0], rows.unsqueeze(2) & columns.unsqueeze(1))
    for side, stripe in zip(size, (rows, columns), strict=True):
        half = (side + 1) // 2
        inside = ~stripe[:, 0] & ~stripe[:, -1]
        assert (stripe.sum(1)[inside] == half).all() and inside.any()
        # centres are uniform over the side, so the first pixel is in the hole as often as a centre is near enough
        centres = side + 1 - half % 2
        reached = sum(centre - half // 2 <= 0 < centre - half // 2 + half for centre in range(centres))
        assert float(stripe[:, 0].float().mean()) == pytest.approx(reached / centres, abs=0.03)
        assert float(stripe[:, -1].float().mean()) == pytest.approx(reached / centres, abs=0.03)


def test_color_stays_in_the_ranges_of_the_paper():
    # two pixels whose mean is 0, lumas are 1 and -1, and whose chroma is (2, -1, -1)
    image = torch.tensor([[3.0, 1.0], [0.0, -2.0], [0.0, -2.0]]).view(1, 3, 1, 2)
    result = applied("color", image.expand(4000, -1, -1, -1))
    luma = result.mean(1)[:, 0]
    contrast = (luma[:, 0] - luma[:, 1]) / 2
    brightness = result.mean((1, 2, 3))
    saturation = (result[:, 0, 0, 0] - luma[:, 0]) / 2 / contrast
    for values, low, high in ((brightness, -0.5, 0.5), (contrast, 0.5, 1.5), (saturation, 0.0, 2.0)):
        assert low - 1e-4 < values.min() < low + 0.02 and high - 0.02 < values.max() < high + 1e-4
        deciles = values.quantile(torch.linspace(0.1, 0.9, 9))
        torch.testing.assert_close(deciles, torch.linspace(low, high, 11)[1:-1], atol=0.1, rtol=0)
    correlations = torch.corrcoef(torch.stack([brightness, contrast, saturation])) - torch.eye(3)
    assert correlations.abs().max() < 0.06


def test_color_is_the_papers_sequence(monkeypatch):
    images = draw(3, 3, 5, 4)
    fixed(monkeypatch, colors, uniform=[0.3, -0.7, 0.4])  # of which saturation and contrast are 1 and so much
    expected = images + 0.3
    luma = expected.mean(1, keepdim=True)
    expected = (expected - luma) * 0.3 + luma
    mean = expected.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(applied("color", images), (expected - mean) * 1.4 + mean, atol=1e-5, rtol=1e-5)


def test_color_of_one_channel_is_brightness_and_contrast():
    images = draw(50, 1, 6, 6)
    result = applied("color", images)
    centred, before = result - result.mean((2, 3), keepdim=True), images - images.mean((2, 3), keepdim=True)
    factor = centred.flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)
    torch.testing.assert_close(centred, before * factor.view(-1, 1, 1, 1), atol=1e-6, rtol=0)
    assert factor.min() >= 0.5 and factor.max() <= 1.5


@pytest.mark.parametrize("policy", ["color", "tone"])
def test_six_channels_are_two_rgb_images(policy):
    images = draw(20, 3, 8, 8)
    pair = applied(policy, torch.cat([images, images.flip(3)], 1))
    torch.testing.assert_close(pair[:, :3], applied(policy, images), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pair[:, 3:], pair[:, :3].flip(3), atol=1e-5, rtol=1e-5)


# ---------------------------------------------------------------- ADA: blit


def dihedral(image, square=True):
    turns = range(4) if square else (0, 2)
    return [torch.rot90(side, k, (2, 3)) for side in (image, image.flip(3)) for k in turns]


@pytest.mark.parametrize("size, n", [((7, 7), 8), ((5, 7), 4)], ids=str)
def test_blit_of_small_images_permutes_pixels(size, n):
    # below 8 pixels there is no shift by whole pixels of up to 1/8
    image = draw(1, 3, *size)
    result = applied("blit", image.expand(2000, -1, -1, -1))
    counts = [int(same(result, other).sum()) for other in dihedral(image, square=n == 8)]
    assert len(counts) == n and sum(counts) == 2000
    assert all(count == pytest.approx(2000 / n, abs=5 * (2000 / n) ** 0.5) for count in counts)


@pytest.mark.parametrize("size", [(16, 16), (16, 8)], ids=str)
def test_blit_shifts_over_a_reflection(size):
    (height, width), (y, x) = size, (side // 8 for side in size)
    image = draw(1, 2, *size)
    result = applied("blit", image.expand(600, -1, -1, -1))
    found = torch.zeros(600, dtype=torch.long)
    shifts = set()
    for other in dihedral(image, square=height == width):
        padded = F.pad(other, (x, x, y, y), mode="reflect")
        for down, right in product(range(2 * y + 1), range(2 * x + 1)):
            hits = same(result, padded[:, :, down : down + height, right : right + width])
            found += hits
            shifts |= {(down, right)} if hits.any() else set()
    assert (found == 1).all() and len(shifts) == (2 * y + 1) * (2 * x + 1)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_reflect_is_that_of_pad(size):
    position = torch.arange(-4 * size, 5 * size)
    expected, row = torch.arange(size), list(range(size)) + list(range(size - 2, 0, -1))
    assert torch.equal(reflect(torch.arange(size), size), expected)
    assert reflect(position, size).tolist() == [row[i % len(row)] for i in position.tolist()]
    assert torch.equal(reflect(position.float(), size), reflect(position, size).float())


# ---------------------------------------------------------------- ADA: geometry


def turned(degrees, n=2):
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return geometry._rotation(angle.expand(n))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_warp_by_the_identity_changes_no_bit(shape):
    images = draw(2, *shape)
    assert torch.equal(geometry.warp(images, torch.eye(2).expand(2, 2, 2), torch.zeros(2, 2)), images)


@pytest.mark.parametrize("size", [8, 9, 32])
@pytest.mark.parametrize("turns", [-1, 1, 2, 3])
def test_warp_by_quarter_turns(size, turns):
    images = draw(2, 3, size, size)
    result = geometry.warp(images, turned(90.0 * turns).float(), torch.zeros(2, 2))
    torch.testing.assert_close(result, torch.rot90(images, turns, (2, 3)), atol=1e-5, rtol=0)


def test_warp_shifts_down_and_right_by_fractions():
    images = draw(2, 1, 6, 8)
    result = geometry.warp(images, torch.eye(2).expand(2, 2, 2), torch.tensor([[1.0, 0.0], [0.0, 0.25]]))
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    torch.testing.assert_close(result[0], padded[0, :, :-2, 1:-1])
    torch.testing.assert_close(result[1], 0.75 * images[1] + 0.25 * padded[1, :, 1:-1, :-2])


def test_geometry_is_one_sampling_of_the_papers_map(monkeypatch):
    """Scale, turn, stretch, turn, shift, as 3 by 3 matrices on (x, y) with y upwards, inverted for `grid_sample`."""
    size, images = 16, draw(3, 3, 16, 16, dtype=torch.float64)
    scale, first, stretch, second, (down, right) = 0.31, 0.7, -0.4, -1.9, (0.11, -0.06)
    fixed(monkeypatch, geometry, normal=[scale, stretch, down, right], uniform=[first, second])
    result = applied("geometry", images)

    def matrix(a, b, c, d, x=0.0, y=0.0):
        return torch.tensor([[a, b, x], [c, d, y], [0.0, 0.0, 1.0]], dtype=torch.float64)

    def turn(angle):
        cos, sin = torch.tensor(angle).cos(), torch.tensor(angle).sin()
        return matrix(cos, -sin, sin, cos)

    shift = matrix(1, 0, 0, 1, right * size, -down * size)
    wide = matrix(2**stretch, 0, 0, 2**-stretch)
    forward = shift @ turn(second) @ wide @ turn(first) @ matrix(2**scale, 0, 0, 2**scale)
    half = (size - 1) / 2  # grid_sample counts in halves of the image, y downwards
    units = torch.diag(torch.tensor([half, -half, 1.0], dtype=torch.float64))
    theta = (units.inverse() @ forward.inverse() @ units)[:2].expand(3, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=True)
    expected = F.grid_sample(images, grid, padding_mode="reflection", align_corners=True)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


# ---------------------------------------------------------------- ADA: tone


def papers_tone(images, brightness, contrast, flipped, angle, saturation):
    """The 4 by 4 matrices of appendix B, one after the other."""
    eye = torch.eye(4, dtype=torch.float64)
    grey = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64) / 3**0.5
    outer = torch.outer(grey, grey)
    add = eye.clone()
    add[:3, 3] = brightness
    gain = torch.diag(torch.tensor([2**contrast] * 3 + [1.0], dtype=torch.float64))
    cross = torch.zeros(4, 4, dtype=torch.float64)
    cross[:3, :3] = torch.linalg.cross(torch.eye(3, dtype=torch.float64), grey[:3].expand(3, 3))
    strength = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64)) - outer
    last = torch.zeros(4, 4, dtype=torch.float64)
    last[3, 3] = 1
    saturate = outer + strength * 2**saturation + last
    total = saturate @ torch.linalg.matrix_exp(angle * cross) @ (eye - 2 * flipped * outer) @ gain @ add
    homogeneous = torch.cat([images, torch.ones_like(images[:, :1])], 1)
    return torch.einsum("ij,njhw->nihw", total, homogeneous)[:, :3]


@pytest.mark.parametrize("flipped", [0, 1])
def test_tone_is_the_papers_matrix(monkeypatch, flipped):
    images = draw(3, 3, 5, 4, dtype=torch.float64)
    fixed(monkeypatch, colors, normal=[0.17, -0.6, 0.8], integers=[flipped], uniform=[2.1])
    expected = papers_tone(images, 0.17, -0.6, flipped, 2.1, 0.8)
    torch.testing.assert_close(applied("tone", images), expected, atol=1e-6, rtol=1e-6)


def test_tone_of_grey_is_that_of_grey_rgb(monkeypatch):
    images = draw(3, 1, 5, 4, dtype=torch.float64)
    fixed(monkeypatch, colors, normal=[0.17, -0.6], integers=[1])
    expected = papers_tone(images.expand(-1, 3, -1, -1), 0.17, -0.6, 1, 0.0, 0.0)[:, :1]
    torch.testing.assert_close(applied("tone", images), expected, atol=1e-6, rtol=1e-6)


def test_tone_of_other_channel_counts_keeps_luma_and_chroma_apart(monkeypatch):
    images = draw(3, 5, 5, 4)
    fixed(monkeypatch, colors, normal=[0.1, 1.0, 2.0], integers=[1], uniform=[0.0])
    luma = images.mean(1, keepdim=True)
    expected = -2 * (luma + 0.1) + 8 * (images - luma)
    torch.testing.assert_close(applied("tone", images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("policy", ["color", "tone"])
def test_transparency_is_no_colour(policy):
    images = draw(5, 8, 6, 5)  # two images with transparency
    result = applied(policy, images)
    assert torch.equal(result[:, 3::4], images[:, 3::4]) and not torch.equal(result, images)
    colour = images[:, [0, 1, 2, 4, 5, 6]]
    torch.testing.assert_close(result[:, [0, 1, 2, 4, 5, 6]], applied(policy, colour))  # as without it
    assert torch.equal(applied(policy, images, 0.0), images)


@pytest.mark.parametrize("policy", sorted({*POLICIES} - {"color", "tone"}))
def test_transparency_moves_with_the_colours(policy):
    colour = draw(6, 1, 16, 16)
    result = applied(policy, colour.expand(-1, 4, -1, -1))
    assert torch.equal(result[:, 3], result[:, 0]) and not torch.equal(result[:, :1], colour)


@pytest.mark.parametrize("policy", ["color", "tone"])
@pytest.mark.parametrize("layout", [(1, 3), (3, 4), (4, 1), (4, 4, 4)], ids=str)
def test_images_side_by_side_get_the_same_change(policy, layout):
    grey = draw(4, 1, 6, 5)
    images = grey.expand(-1, sum(layout), -1, -1).contiguous()
    augment = Augment([policy], 1.0)
    augment.layout = layout
    torch.manual_seed(0)
    parts = augment(images).split(layout, 1)
    for part in parts:  # grey stays grey, and is changed alike
        torch.testing.assert_close(part[:, :1], parts[0][:, :1])
        if part.shape[1] == 4:
            assert torch.equal(part[:, 3:], grey)
    assert not torch.equal(parts[0][:, :1], grey)


def test_pairs_say_what_lies_side_by_side(tmp_path):
    from conftest import fit

    from lit_gans import PairedGlyphs, Pix2Pix
    from lit_gans.networks import UNetTranslation

    shapes = {"image_shape": (3, 16, 16), "source_shape": (1, 16, 16)}
    model = Pix2Pix(**shapes, backbone=UNetTranslation(width=4), augment=["color"])
    data = PairedGlyphs(size=16, count=10, batch_size=2)
    data.source_shape = (1, 16, 16)
    after = data.on_after_batch_transfer

    def grey(batch, dataloader_idx):
        batch = after(batch, dataloader_idx)
        return {**batch, "source": batch["source"].mean(1, keepdim=True)}

    data.on_after_batch_transfer = grey
    seen = []
    model.augment.register_forward_pre_hook(lambda augment, inputs: seen.append((augment.layout, inputs[0].shape[1])))
    fit(tmp_path, model, data, max_steps=1, limit_val_batches=0)
    assert {*seen} == {((1, 3), 4)}


# ---------------------------------------------------------------- p


def feed(augment, signs, n):
    for _ in range(n):
        augment.update(signs)


def test_default_p():
    assert Augment().p == 1 and Augment(ADA, target=0.6).p == 0 and Augment(ADA, 0.3, 0.6).p == torch.tensor(0.3)
    assert Augment(p=0.1).p.shape == () and Augment(p=0.1).p.dtype == torch.float32


def test_p_rises_and_falls_at_the_papers_speed():
    augment = Augment(ADA, target=0.6)
    feed(augment, torch.full((50,), 0.1), 3)
    assert augment.p == 0
    augment.update(torch.full((50,), 9.0))
    assert float(augment.p) == pytest.approx(4 * 50 / 500_000)
    feed(augment, torch.ones(50), 396)
    assert float(augment.p) == pytest.approx(400 * 50 / 500_000)
    feed(augment, -torch.ones(50), 200)
    assert float(augment.p) == pytest.approx(200 * 50 / 500_000)


def test_p_stays_a_probability():
    augment = Augment(ADA, 0.5, 0.6, interval=1, images=100)
    feed(augment, torch.ones(30), 5)
    assert augment.p == 1
    augment.update(-torch.ones(30))
    assert float(augment.p) == pytest.approx(0.7)
    feed(augment, -torch.ones(30), 5)
    assert augment.p == 0


@pytest.mark.parametrize("positives, direction", [(79, -1), (81, 1)])
def test_mean_sign_of_the_whole_interval_decides(positives, direction):
    # r = (80 - 20) / 100 is the target of 0.6; the last batch alone says the contrary
    logits = torch.cat([torch.ones(positives), -torch.ones(100 - positives)])
    augment = Augment(ADA, 0.5, 0.6, images=1000)
    for part in (logits.flip(0) if direction < 0 else logits).split(25):
        augment.update(part * 0.01)
    assert float(augment.p) == pytest.approx(0.5 + direction * 0.1)


def test_patch_logits_count_images_not_patches():
    augment = Augment(ADA, target=0.6, interval=1, images=1000)
    augment.update(torch.ones(50, 1, 6, 6))
    assert float(augment.p) == pytest.approx(0.05)


def test_fixed_p_is_not_moved():
    augment = Augment(ADA, 0.3)
    feed(augment, torch.ones(50), 8)
    assert augment.p == torch.tensor(0.3) and augment.batches == 0
    assert not augment.adaptive and Augment(target=0.6).adaptive


def test_p_moves_in_a_half_precision_module():
    augment = Augment(ADA, 0.5, 0.6).to(torch.bfloat16)
    feed(augment, torch.ones(50, dtype=torch.bfloat16), 40)
    assert float(augment.p) == pytest.approx(0.504) and augment.p.dtype == torch.float32


def test_saved_in_the_middle_of_an_interval():
    logits = draw(20, 16, seed=3) + 0.8
    whole, half, resumed = (Augment(ADA, 0.2, 0.6, images=200) for _ in range(3))
    for batch in logits:
        whole.update(batch)
    for batch in logits[:10]:
        half.update(batch)
    resumed.load_state_dict(half.state_dict())
    for batch in logits[10:]:
        resumed.update(batch)
    assert resumed.p == whole.p != half.p
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_several_devices_add_up(monkeypatch):
    monkeypatch.setattr(pipeline.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(pipeline.dist, "all_reduce", lambda tensor: tensor.add_(torch.tensor([30, 30, 30])))
    augment = Augment(ADA, target=0.6, interval=1, images=1000)
    augment.update(torch.cat([torch.ones(6), -torch.ones(4)]))  # 0.2 here, 1 on the other, 0.8 together
    assert float(augment.p) == pytest.approx(0.04)


def test_refused_arguments():
    refused(lambda: Augment([]), "no augmentation policy", *POLICIES)
    refused(lambda: Augment(["color", "colour"]), "'colour'", *POLICIES)
    refused(lambda: Augment("color,cutout"), "'color,cutout'", *POLICIES)
    refused(lambda: Augment(["color", "cutout", "color"]), "'color'", "more than once")
    for p in (-0.1, 1.1, float("nan")):
        refused(lambda p=p: Augment(p=p), "[0, 1]", p)
    for target in (0.0, 1.0, -0.6):
        refused(lambda target=target: Augment(target=target), "(0, 1)", target)
    refused(lambda: Augment(interval=0), "interval", 0)
    refused(lambda: Augment(images=0), "images", 0)

"""Lab and back, against published values."""

from itertools import pairwise

import pytest
import torch
from conftest import refused

from lit_gans.images.hints import MOST, largest_side, place_hints, simulate_hints
from lit_gans.images.lab import lab_to_rgb, rgb_to_lab, with_colours

# Lab of sRGB colours for D65 and the observer of 2 degrees, as tables and other libraries print them
KNOWN = {
    (255, 255, 255): (100.00, 0.00, 0.00),
    (0, 0, 0): (0.00, 0.00, 0.00),
    (128, 128, 128): (53.585, 0.00, 0.00),
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (255, 255, 0): (97.14, -21.55, 94.48),
    (0, 255, 255): (91.11, -48.09, -14.13),
    (255, 0, 255): (60.32, 98.23, -60.82),
}


def pixels(*colours):
    return torch.tensor(colours, dtype=torch.float32).view(len(colours), 3, 1, 1) / 127.5 - 1


def by_the_formula(colour):
    """CIE 15 and IEC 61966-2-1 once more, a number at a time."""
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour))
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def test_known_colours():
    lab = rgb_to_lab(pixels(*KNOWN)).flatten(1)
    torch.testing.assert_close(lab, torch.tensor(list(KNOWN.values())), atol=0.02, rtol=0)


def test_the_formula_and_the_way_back():
    rng = torch.Generator().manual_seed(0)
    colours = torch.randint(256, (200, 3), generator=rng).tolist()
    colours += [[1, 2, 3], [10, 0, 12], [9, 11, 10]]
    lab = rgb_to_lab(pixels(*colours))
    torch.testing.assert_close(lab.flatten(1), torch.tensor([by_the_formula(c) for c in colours]), atol=1e-3, rtol=0)
    torch.testing.assert_close(lab_to_rgb(lab), pixels(*colours), atol=1e-4, rtol=0)


def test_gradients_are_finite_and_right():
    levels = torch.tensor([-1.0, -0.95, -0.5, 0.3, 1.0])
    images = torch.cartesian_prod(levels, levels, levels).view(-1, 3, 1, 1).requires_grad_()
    weight = torch.randn(len(images), 3, 1, 1, generator=torch.Generator().manual_seed(0))
    for function in (rgb_to_lab, lambda x: lab_to_rgb(100 * x)):
        (gradient,) = torch.autograd.grad((function(images) * weight).sum(), images)
        assert torch.isfinite(gradient).all() and (gradient != 0).any(1).all()
    inner = images.detach()[62:63].requires_grad_()
    (gradient,) = torch.autograd.grad(rgb_to_lab(inner)[0, 0, 0, 0], inner)
    step = torch.tensor([0.0, 1e-2, 0.0]).view(1, 3, 1, 1)
    slope = (rgb_to_lab(inner + step) - rgb_to_lab(inner - step))[0, 0, 0, 0] / 2e-2
    torch.testing.assert_close(gradient[0, 1, 0, 0], slope, rtol=1e-3, atol=1e-3)


def test_autocast_does_not_round():
    colours = torch.rand(1, 3, 8, 8) * 2 - 1
    with torch.autocast("cpu", torch.bfloat16):
        rounded = lab_to_rgb(rgb_to_lab(colours))
    torch.testing.assert_close(rounded, colours, atol=1e-4, rtol=0)


def test_colours_of_another_image():
    """In gamut the lightness is the grey image's and the colour the one asked for."""
    grey, ab = torch.full((1, 1, 4, 4), 0.1), torch.tensor([20.0, -15.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    made = rgb_to_lab(with_colours(grey, ab))
    torch.testing.assert_close(made[:, 1:], ab.contiguous(), atol=1e-3, rtol=0)
    torch.testing.assert_close(made[:, :1], rgb_to_lab(grey.expand(1, 3, 4, 4))[:, :1], atol=1e-3, rtol=0)
    assert with_colours(grey, ab * 10).abs().max() <= 1


# -------------------------------------------------------------------- hints


def test_as_many_hints_as_the_paper_draws():
    """Geometric with p = 1/8: none in an eighth, seven on average; everything in a hundredth."""
    torch.manual_seed(0)
    count, side = 4000, 64
    ab = torch.arange(side * side, dtype=torch.float32).view(1, 1, side, side).expand(count, 2, side, side)
    hints, mask = simulate_hints(ab, largest=1, uniform=True)
    shown = mask.sum((1, 2, 3))
    assert (shown == 0).float().mean() == pytest.approx(1 / 8, abs=0.02)
    assert (shown == 1).float().mean() == pytest.approx(1 / 8 * 7 / 8, abs=0.02)
    whole = shown == side * side
    assert whole.float().mean() == pytest.approx(0.01, abs=0.005)
    assert shown[~whole].mean() == pytest.approx(7, abs=0.4)
    assert torch.equal(hints, ab * mask)  # of one pixel each: the true colour


def test_where_hints_are():
    """About the middle, with a quarter of the side for deviation, and clipped at the edges."""
    ab = torch.ones(500, 2, 56, 112)
    _, mask = simulate_hints(ab, MOST, largest=1, rng=torch.Generator().manual_seed(0))
    _, _, rows, columns = mask.nonzero().unbind(1)
    assert float(rows.float().mean()) == pytest.approx(27.5, abs=0.5)
    assert float(columns.float().mean()) == pytest.approx(55.5, abs=1)
    middle = simulate_hints(ab, 1, largest=1, rng=torch.Generator().manual_seed(0))[1].nonzero()[:, 2:].float()
    within = ((middle - torch.tensor([27.5, 55.5])).abs() < torch.tensor([14.0, 28.0])).float().mean(0)
    torch.testing.assert_close(within, torch.full((2,), 0.683), atol=0.05, rtol=0)  # one deviation
    even = simulate_hints(ab, 1, largest=1, uniform=True, rng=torch.Generator().manual_seed(0))[1].nonzero()[:, 2]
    assert float(even.float().std()) == pytest.approx(56 / 12**0.5, abs=1.5)


def test_a_hint_is_the_mean_of_its_square():
    ab = torch.randn(300, 2, 30, 40, generator=torch.Generator().manual_seed(1))
    hints, mask = simulate_hints(ab, 1, largest=9, rng=torch.Generator().manual_seed(0))
    sides = set()
    for image, hint, place in zip(ab, hints, mask[:, 0], strict=True):
        rows, columns = place.nonzero().unbind(1)
        top, left, side = int(rows.min()), int(columns.min()), int(rows.max() - rows.min()) + 1
        square = (slice(top, top + side), slice(left, left + side))
        assert place[square].all() and place.sum() == side * side
        mean = image[:, square[0], square[1]].mean((1, 2), keepdim=True)
        torch.testing.assert_close(hint[:, square[0], square[1]], mean.expand(2, side, side))
        assert not hint[:, place == 0].any()
        sides.add(side)
    assert sides == set(range(1, 10))


def test_few_hints_are_among_many():
    ab = torch.randn(4, 2, 64, 64)
    state = torch.get_rng_state()
    masks = [simulate_hints(ab, n, rng=torch.Generator().manual_seed(3))[1] for n in (0, 1, 5, 100)]
    assert torch.equal(state, torch.get_rng_state())
    assert not masks[0].any()
    assert all((few <= many).all() and few.sum() < many.sum() for few, many in pairwise(masks))
    refused(lambda: simulate_hints(ab, MOST + 1), "count", MOST)
    refused(lambda: simulate_hints(ab, largest=0), "largest")


def test_small_and_large_images():
    assert [largest_side(*s) for s in ((16, 16), (64, 64), (256, 300), (2000, 3000))] == [3, 3, 9, 9]
    hints, mask = simulate_hints(torch.ones(2, 2, 3, 50), 20, largest=9)
    assert hints.shape == (2, 2, 3, 50) and mask.max() == 1


def test_hints_by_hand():
    hints, mask = place_hints((20, 30), [(0, 0, (255, 0, 0)), (29, 19, (0, 0, 255)), (10, 5, (128, 128, 128))], side=3)
    assert mask[0, 0].sum() == 4 + 4 + 9 and mask[0, 0, 4:7, 9:12].all()  # those in corners are cut
    torch.testing.assert_close(hints[0, :, 0, 0], torch.tensor(KNOWN[255, 0, 0][1:]), atol=0.02, rtol=0)
    torch.testing.assert_close(hints[0, :, 19, 29], torch.tensor(KNOWN[0, 0, 255][1:]), atol=0.02, rtol=0)
    torch.testing.assert_close(hints[0, :, 5, 10], torch.zeros(2), atol=1e-3, rtol=0)
    later = place_hints((20, 30), [(4, 4, (255, 0, 0)), (4, 4, (0, 0, 255))])[0][0, :, 4, 4]
    assert float(later[1]) == pytest.approx(-107.86, abs=0.02)
    refused(lambda: place_hints((20, 30), [(30, 4, (0, 0, 0))]), "x=30", "30x20")
    refused(lambda: place_hints((20, 30), [(3, 4, (0, 0, 256))]), "256")

"""The numbers on the page are those of the losses and of the walks that are drawn."""

import re
import runpy
from pathlib import Path

import pytest
import torch

from lit_gans import losses

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "game-in-pictures.md").read_text(encoding="utf-8")
GAMES = {
    "non-saturating": (losses.minimax_discriminator, losses.non_saturating_generator, 0.0),
    "saturating": (losses.minimax_discriminator, losses.minimax_generator, 0.0),
    "least squares": (losses.least_squares_discriminator, losses.least_squares_generator, 0.5),
    "hinge": (losses.hinge_discriminator, losses.hinge_generator, 0.0),
    "Wasserstein": (losses.wasserstein_discriminator, losses.wasserstein_generator, 0.0),
    "relativistic": (losses.relativistic_discriminator, losses.relativistic_generator, 0.0),
    "relativistic average": (
        losses.relativistic_average_discriminator,
        losses.relativistic_average_generator,
        0.0,
    ),
}


@pytest.fixture(scope="module")
def drawing():
    pytest.importorskip("matplotlib")
    return runpy.run_path(str(ROOT / "examples" / "figures" / "game_in_pictures.py"))


@pytest.mark.parametrize("game", GAMES)
def test_what_losses_to_expect(game):
    """The row of the table is what the losses give if every score is the same; no other score of D is better."""
    (row,) = re.findall(rf"^\| {game} \| .* = (\S+)\$ \| .* = (\S+)\$ \|$", PAGE, re.MULTILINE)
    discriminator, generator, knows_nothing = GAMES[game]

    def both(score):
        same = torch.full((4,), score)
        found = discriminator(same, same), generator(*[same] * (2 if "relativistic" in game else 1))
        return [float(sum(terms.values())) for terms in found]

    assert both(knows_nothing) == pytest.approx([float(number) for number in row], abs=6e-4)
    assert all(both(knows_nothing + step)[0] >= both(knows_nothing)[0] - 1e-6 for step in (-0.3, 0.3))


def test_the_saddle_is_reached_by_one_pair_of_roles_and_left_by_the_other(drawing):
    f, walk, saddle = drawing["tutorial"], drawing["walk"], drawing["SADDLE"]
    assert all(float(slope) == 0 for slope in drawing["slopes"](f, *saddle))
    assert float((walk(f, (0.0, -2.0))[-1] - saddle).norm()) < 1e-8
    left = walk(f, (-2.0, 0.2), minimises="y", steps=40)
    assert float((left[-1] - saddle).norm()) > 100 > 1 > float((left[0] - saddle).norm())


def test_steps_at_the_same_time_spiral_outwards_and_steps_in_turns_go_round(drawing):
    f, walk = drawing["product"], drawing["walk"]
    both = walk(f, (1.0, 0.0), rate=0.1).norm(dim=1)
    turns = walk(f, (1.0, 0.0), alternating=True, rate=0.1, steps=630)
    assert bool((both.diff() > 0).all()) and float(both[-1]) == pytest.approx(1.82, abs=5e-3)
    assert float(turns.norm(dim=1).min()) > 0.9 and float(turns.norm(dim=1).max()) < 1.1
    assert float(turns.mean(0).norm()) < 0.01


def test_the_four_pushes():
    """At a score of -7, where the page reads them from the picture."""
    push = {}
    for name in ("minimax_generator", "non_saturating_generator", "least_squares_generator", "hinge_generator"):
        score = torch.tensor([-7.0], requires_grad=True)
        (slope,) = torch.autograd.grad(sum(getattr(losses, name)(score).values()), score)
        push[name] = -slope.item()
    assert push["minimax_generator"] == pytest.approx(0.0009, abs=5e-5)
    assert push["non_saturating_generator"] == pytest.approx(0.999, abs=5e-4)
    assert (push["least_squares_generator"], push["hinge_generator"]) == pytest.approx((8, 1))

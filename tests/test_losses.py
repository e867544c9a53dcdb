"""Every objective against a literal transcription of its paper, in plain Python floats."""

from functools import partial
from math import exp, log

import pytest
import torch

from lit_gans import losses

SHAPES = [(1,), (7,), (4, 1, 3, 5), (2, 1, 1, 1)]


def sigmoid(logit):
    return 1 / (1 + exp(-logit))


def mean(function, *columns):
    rows = list(zip(*columns, strict=True))
    return sum(function(*row) for row in rows) / len(rows)


def only_fake(loss):
    return lambda real, fake: loss(fake)


# name: (loss of real and fake, the paper's terms as functions of two lists)
GAMES = {
    "minimax_discriminator": (
        losses.minimax_discriminator,
        lambda r, f: {"real": mean(lambda x: -log(sigmoid(x)), r), "fake": mean(lambda x: -log(1 - sigmoid(x)), f)},
    ),
    "minimax_generator": (
        only_fake(losses.minimax_generator),
        lambda r, f: {"fake": mean(lambda x: log(1 - sigmoid(x)), f)},
    ),
    "non_saturating_generator": (
        only_fake(losses.non_saturating_generator),
        lambda r, f: {"fake": mean(lambda x: -log(sigmoid(x)), f)},
    ),
    "least_squares_discriminator": (
        losses.least_squares_discriminator,
        lambda r, f: {"real": mean(lambda x: (x - 1) ** 2 / 2, r), "fake": mean(lambda x: x**2 / 2, f)},
    ),
    "least_squares_discriminator_ab": (
        partial(losses.least_squares_discriminator, a=-1.0, b=0.5),
        lambda r, f: {"real": mean(lambda x: (x - 0.5) ** 2 / 2, r), "fake": mean(lambda x: (x + 1) ** 2 / 2, f)},
    ),
    "least_squares_generator": (
        only_fake(losses.least_squares_generator),
        lambda r, f: {"fake": mean(lambda x: (x - 1) ** 2 / 2, f)},
    ),
    "least_squares_generator_c": (
        only_fake(partial(losses.least_squares_generator, c=0.25)),
        lambda r, f: {"fake": mean(lambda x: (x - 0.25) ** 2 / 2, f)},
    ),
    "hinge_discriminator": (
        losses.hinge_discriminator,
        lambda r, f: {"real": mean(lambda x: max(0, 1 - x), r), "fake": mean(lambda x: max(0, 1 + x), f)},
    ),
    "hinge_generator": (only_fake(losses.hinge_generator), lambda r, f: {"fake": mean(lambda x: -x, f)}),
    "wasserstein_discriminator": (
        losses.wasserstein_discriminator,
        lambda r, f: {"real": mean(lambda x: -x, r), "fake": mean(lambda x: x, f)},
    ),
    "wasserstein_generator": (only_fake(losses.wasserstein_generator), lambda r, f: {"fake": mean(lambda x: -x, f)}),
    "relativistic_discriminator": (
        losses.relativistic_discriminator,
        lambda r, f: {"pair": mean(lambda x, y: -log(sigmoid(x - y)), r, f)},
    ),
    "relativistic_generator": (
        losses.relativistic_generator,
        lambda r, f: {"pair": mean(lambda x, y: -log(sigmoid(y - x)), r, f)},
    ),
    "relativistic_average_discriminator": (
        losses.relativistic_average_discriminator,
        lambda r, f: {
            "real": mean(lambda x: -log(sigmoid(x - sum(f) / len(f))), r),
            "fake": mean(lambda x: -log(1 - sigmoid(x - sum(r) / len(r))), f),
        },
    ),
    "relativistic_average_generator": (
        losses.relativistic_average_generator,
        lambda r, f: {
            "real": mean(lambda x: -log(1 - sigmoid(x - sum(f) / len(f))), r),
            "fake": mean(lambda x: -log(sigmoid(x - sum(r) / len(r))), f),
        },
    ),
}
game = pytest.mark.parametrize("loss, paper", GAMES.values(), ids=GAMES)


def logits(shape, dtype=torch.float32, scale=3.0):
    rng = torch.Generator().manual_seed(sum(shape))
    return [(scale * torch.randn(shape, generator=rng)).to(dtype) for _ in range(2)]


def assert_terms(terms, expected):
    assert terms.keys() == expected.keys()
    for name, term in terms.items():
        assert term.shape == () and term.dtype == torch.float32
        assert float(term) == pytest.approx(expected[name], rel=2e-5, abs=1e-6), name


def test_every_loss_is_covered():
    public = {
        name
        for name, value in vars(losses).items()
        if callable(value) and name.endswith(("discriminator", "generator"))
    }
    assert len(public) >= 11 and all(any(case.startswith(name) for case in GAMES) for name in public)


@game
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_paper(loss, paper, shape):
    real, fake = logits(shape)
    assert_terms(loss(real, fake), paper(real.double().flatten().tolist(), fake.double().flatten().tolist()))


@game
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_inputs(loss, paper, dtype):
    # 1000 values: a mean in bfloat16 or float16 would be off by far more than the tolerance
    real, fake = logits((1000,), dtype)
    assert_terms(loss(real, fake), paper(real.double().tolist(), fake.double().tolist()))


@game
def test_autocast_changes_nothing(loss, paper):
    real, fake = logits((6, 1, 2, 2))
    with torch.autocast("cpu", torch.bfloat16):
        terms = loss(real, fake)
    assert_terms(terms, {name: float(term) for name, term in loss(real, fake).items()})


# the limits of the formulas at logits of +-1000, where sigmoid and log in any precision give inf or nan
LIMITS = {
    "minimax_discriminator": {(1, -1): (0, 0), (-1, 1): (1000, 1000), (1, 1): (0, 1000)},
    "minimax_generator": {(1, -1): (0,), (1, 1): (-1000,)},
    "non_saturating_generator": {(1, -1): (1000,), (1, 1): (0,)},
    "least_squares_discriminator": {(1, -1): (999**2 / 2, 1000**2 / 2)},
    "hinge_discriminator": {(1, -1): (0, 0), (-1, 1): (1001, 1001)},
    "wasserstein_discriminator": {(1, -1): (-1000, -1000)},
    "relativistic_discriminator": {(1, -1): (0,), (-1, 1): (2000,)},
    "relativistic_generator": {(1, -1): (2000,), (-1, 1): (0,)},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name, signs, terms", [(n, s, t) for n, limits in LIMITS.items() for s, t in limits.items()])
def test_stable_for_large_logits(name, signs, terms, dtype):
    real, fake = (torch.full((3,), 1000.0 * sign, dtype=dtype, requires_grad=True) for sign in signs)
    values = GAMES[name][0](real, fake)
    assert [float(v.detach()) for v in values.values()] == pytest.approx(list(terms))
    sum(values.values()).backward()
    assert all(x.grad is None or x.grad.isfinite().all() for x in (real, fake))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_undecided_discriminator_costs_two_log_two(shape):
    terms = losses.minimax_discriminator(torch.zeros(shape), torch.zeros(shape))
    assert float(sum(terms.values())) == pytest.approx(2 * log(2))


@pytest.mark.parametrize("real, fake, expected", [(1, -1, (0, 0)), (5, -5, (0, 0)), (0.25, 0, (0.75, 1))])
def test_hinge_margin(real, fake, expected):
    terms = losses.hinge_discriminator(torch.full((4,), float(real)), torch.full((4,), float(fake)))
    assert tuple(float(t) for t in terms.values()) == expected


def test_hinge_has_no_gradient_outside_margin():
    real, fake = torch.tensor([2.0, 0.0], requires_grad=True), torch.tensor([-2.0, 0.0], requires_grad=True)
    sum(losses.hinge_discriminator(real, fake).values()).backward()
    assert real.grad.tolist() == [0, -0.5] and fake.grad.tolist() == [0, 0.5]


@pytest.mark.parametrize(
    "loss, slope",
    [
        (losses.minimax_generator, lambda x: -sigmoid(x)),
        (losses.non_saturating_generator, lambda x: -(1 - sigmoid(x))),
        (losses.hinge_generator, lambda x: -1),
        (losses.wasserstein_generator, lambda x: -1),
    ],
)
def test_generator_gradient(loss, slope):
    fake = torch.tensor([-10.0, -2.0, 0.0, 3.0, 10.0], requires_grad=True)
    loss(fake)["fake"].backward()
    assert (5 * fake.grad).tolist() == pytest.approx([slope(x) for x in fake.tolist()], rel=1e-4)


def test_only_minimax_saturates():
    # where the discriminator wins, the 2014 paper's eq. 1 gives no gradient and its heuristic a full one
    slopes = []
    for loss in (losses.minimax_generator, losses.non_saturating_generator):
        fake = torch.tensor([-12.0], requires_grad=True)
        loss(fake)["fake"].backward()
        slopes.append(float(fake.grad))
    assert -1e-4 < slopes[0] < 0 and slopes[1] == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("loss", [losses.relativistic_discriminator, losses.relativistic_generator])
@pytest.mark.parametrize("shapes", [((4,), (3,)), ((4,), (4, 1)), ((1,), (5,))], ids=str)
def test_relativistic_refuses_unequal_shapes(loss, shapes):
    with pytest.raises(ValueError, match="as many fakes") as error:  # (4,) and (4, 1) would broadcast to 16 pairs
        loss(torch.zeros(shapes[0]), torch.zeros(shapes[1]))
    assert all(str(shape) in str(error.value) for shape in shapes)

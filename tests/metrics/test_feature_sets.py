"""What all measures of sets of features share: checks, batches, order, devices, reset."""

import pytest
import torch

from lit_gans.errors import UsageError
from lit_gans.metrics.diversity import PairwiseDistance
from lit_gans.metrics.manifold import DensityCoverage, PrecisionRecall
from lit_gans.metrics.memorisation import Memorisation

SETS = {"train": 40, "test": 25, "fake": 33}


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def features():
    return {name: draw(count, 6, seed=count) for name, count in SETS.items()}


def give(metric, name, values):
    """Gives samples to a metric; the training set is the real one of those that know no other."""
    if isinstance(metric, Memorisation):
        metric.update(values, real=name != "fake", split="test" if name == "test" else "train")
    elif name != "test":
        metric.update(values, real=name == "train")


def filled(cls, **arguments):
    metric = cls(**arguments)
    for name, values in features().items():
        give(metric, name, values)
    return metric


@pytest.fixture(params=[PrecisionRecall, DensityCoverage, Memorisation, PairwiseDistance])
def cls(request):
    return request.param


def numbers(metric):
    values = metric.compute()
    assert all(value.shape == () and value.dtype == metric.dtype and value.isfinite() for value in values.values())
    return {name: float(value) for name, value in values.items()}


def test_order_and_batches_do_not_matter(cls):
    metric = cls()
    for start in range(0, 40, 7):
        for name in ("fake", "test", "train"):
            give(metric, name, features()[name].flip(0)[start : start + 7])  # the last ones are empty
    assert numbers(metric) == pytest.approx(numbers(filled(cls)), rel=1e-6)


def test_shift_and_rotation_and_scale_do_not_matter(cls):
    rotation = torch.linalg.qr(draw(6, 6, seed=9)).Q
    metric = cls()
    for name, values in features().items():
        give(metric, name, 4 * values @ rotation + 1)
    expected = numbers(filled(cls))
    if cls is PairwiseDistance:
        expected |= {name: 4 * expected[name] for name in ("real", "fake")}
    assert numbers(metric) == pytest.approx(expected, rel=1e-4)


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_reset(cls):
    metric = filled(cls)
    expected = numbers(metric)
    metric.reset()
    with pytest.raises(UsageError, match="samples, got 0"):
        metric.compute()
    for name, values in features().items():
        give(metric, name, values)
    assert numbers(metric) == expected


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_reset_that_keeps_the_real_features(cls):
    metric = filled(cls, reset_real=False)
    expected = numbers(metric)
    for _ in range(2):
        metric.reset()
        give(metric, "fake", draw(33, 6, seed=5) + 50)
        assert numbers(metric) != expected
        metric.reset()
        with pytest.raises(UsageError, match="fake samples, got 0"):
            metric.compute()
        give(metric, "fake", features()["fake"])
        assert numbers(metric) == expected


def gather(metric, other):
    """Stands in for the exchange with a second process, which has the state of ``other``."""
    theirs = []
    for name in metric._reductions:
        value = getattr(other, name)
        if isinstance(value, list):
            value = torch.cat(value) if value else torch.tensor([], dtype=other.dtype)
        theirs.append(value)

    def exchange(mine, group=None):
        value = theirs.pop(0)
        assert mine.ndim == value.ndim and mine.dtype == value.dtype  # or processes would wait for ever
        return [mine, value]

    return exchange


@pytest.mark.parametrize("where", [{"train": 0, "test": 0, "fake": 0}, {"train": 40, "test": 1, "fake": 20}], ids=str)
def test_two_processes(cls, where):
    """A process has what comes before ``where``, the other the rest; one may have nothing of a kind or at all."""
    ours, theirs = cls(distributed_available_fn=lambda: True), cls()
    for name, values in features().items():
        give(ours, name, values[: where[name]])
        give(theirs, name, values[where[name] :])
    ours.dist_sync_fn = gather(ours, theirs)
    ours._update_count = 1
    assert numbers(ours) == pytest.approx(numbers(filled(cls)), rel=1e-6)
    # and afterwards each has its own again
    assert sum(len(x) for x in ours.fake_features) == 6 * where["fake"]


def test_merge(cls):
    ours, theirs = cls(), cls()
    for name, values in features().items():
        give(ours, name, values[:10])
        give(theirs, name, values[10:])
    ours.merge_state(theirs)
    assert numbers(ours) == pytest.approx(numbers(filled(cls)), rel=1e-6)


def test_wrong_features(cls):
    metric = filled(cls)
    for wrong, message in [
        (draw(3, 2, 3), r"or features of shape \(N, d\), got \(3, 2, 3\)"),
        (draw(3, 5), "as wide as those before, 6, got 5"),
        (draw(3, 6).log(), "finite features, got NaN or infinity: check the fake samples"),
        (draw(3, 6).double() * 1e300, "finite features"),
    ]:
        with pytest.raises(UsageError, match=message):
            give(metric, "fake", wrong)
    assert numbers(metric) == numbers(filled(cls))


def test_too_few(cls):
    least = {PrecisionRecall: 4, DensityCoverage: 6, Memorisation: 1, PairwiseDistance: 2}[cls]
    for short in ("train", "fake"):
        metric = cls()
        for name, values in features().items():
            give(metric, name, values[: least - 1] if name == short else values)
        with pytest.raises(UsageError, match=rf"at least {least} \w+ samples, got {least - 1}"):
            metric.compute()


def test_double_precision(cls):
    metric = cls().set_dtype(torch.float64)
    for name, values in features().items():
        give(metric, name, values.double() + 1e9)  # which float32 does not tell apart
    assert numbers(metric) == pytest.approx(numbers(filled(cls)), rel=1e-4)


def test_no_gradient_and_autocast(cls):
    with torch.autocast("cpu", torch.bfloat16):
        metric = cls()
        for name, values in features().items():
            give(metric, name, values.requires_grad_())
        values = metric.compute()
    assert not any(value.requires_grad for value in values.values())
    assert numbers(metric) == numbers(filled(cls))

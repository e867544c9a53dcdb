"""Several devices measure together: each does its share, and all get the numbers that one device would get.

Every device must call these functions, and equally often, since each call waits for all devices.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from lit_gans.devices import gathered
from lit_gans.errors import UsageError

T = TypeVar("T")


def shared(parts: Iterable[T]) -> Iterator[T]:
    """Yields all devices' parts on every device: the first of each, in the order of devices, then the second of each.

    If devices make parts in turns, this is the order in which one device would make them all. Some devices may have
    fewer parts than others.

    Raises:
        UsageError: on all devices, if a part of any of them cannot be made.
    """
    own = iter(parts)
    while True:
        part, error = None, ""
        try:
            part = next(own, None)
        except UsageError as reason:
            error = str(reason)
        round_of_parts = gathered((part, error))
        if wrong := next((reason for _, reason in round_of_parts if reason), None):
            raise UsageError(wrong)
        if all(part is None for part, _ in round_of_parts):
            return
        yield from (part for part, _ in round_of_parts if part is not None)

"""Lightning's hooks that the library needs, which still run where a subclass overrides them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

#: hooks that are empty in Lightning, so that users do not call ``super()`` in them
KEPT = (
    "configure_callbacks",
    "setup",
    "on_fit_start",
    "on_train_start",
    "on_before_optimizer_step",
    "on_save_checkpoint",
    "on_load_checkpoint",
)


def keep_hooks(cls: type, base: type) -> None:
    """Makes every hook in `KEPT` that ``cls`` overrides run the library's part of it as well, once.

    A hook that calls ``super()`` decides when that part runs; after one that does not it runs at the end. Overrides
    that come from a class beside ``base``, a mixin, count too.
    """
    for name in KEPT:
        owner = next(parent for parent in cls.__mro__ if name in vars(parent))
        if owner is cls or not (issubclass(owner, base) or owner in base.__mro__):
            setattr(cls, name, _kept(owner, name))


def _kept(owner: type, name: str) -> Callable[..., Any]:
    override = vars(owner)[name]

    @wraps(override)
    def hook(self: Any, *arguments: Any, **named: Any) -> Any:
        calls = self.__dict__.setdefault("_hook_calls", {})
        number = calls[name] = calls.get(name, 0) + 1
        result = override(self, *arguments, **named)
        if calls[name] == number:  # the override did not call the parent's hook, which would have counted too
            getattr(super(owner, self), name)(*arguments, **named)
        return result

    return hook

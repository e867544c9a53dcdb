"""Convolutions whose second derivative is cheap, for penalties on slopes.

A convolution is bilinear: in the image x and in the weights w. Its output y(x, w), the gradient of the image i(g, w)
for a gradient g of the output, and the gradient of the weights k(x, g) are three views of one trilinear form <g, y(x,
w)> = <i(g, w), x> = <k(x, g), w>. So each one's derivatives are the other two, to any order, and no others are needed:

- y(x, w): i(g, w) for x, k(x, g) for w;
- i(g, w), cotangent v: y(v, w) for g, k(v, g) for w;
- k(x, g), cotangent u: i(g, u) for x, y(x, u) for g.

PyTorch's own derivative of the gradients copies and turns its inputs, and computes what is not asked for.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

_PLAIN = {torch.conv1d: 1, torch.conv2d: 2, torch.conv3d: 3}
_NAMES = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")


class CheapSecondDerivative(TorchFunctionMode):
    """Inside it every convolution of any network gets its derivatives from here; their values are the same.

    What is not a plain convolution passes as it is: transposed ones, padding by name, mixed or complex types, ``vmap``.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Calls ``func``, or `convolve` in its place."""
        sides = _PLAIN.get(func)
        if sides is None:
            return func(*args, **(kwargs or {}))
        given = {**dict(zip(_NAMES, args, strict=False)), **(kwargs or {})}
        x, weight = given["input"], given["weight"]
        plain = x.is_floating_point() and x.dtype == weight.dtype and x.ndim == sides + 2
        if not plain or isinstance(given.get("padding"), str) or torch._C._are_functorch_transforms_active():
            return func(*args, **(kwargs or {}))
        stride, padding, dilation = (
            _each(given.get(name, default), sides) for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
        )
        return convolve(x, weight, given.get("bias"), stride, padding, dilation, given.get("groups", 1))


def _each(value: Any, sides: int) -> tuple[int, ...]:
    values = (int(value),) if isinstance(value, Integral) else tuple(map(int, value))
    return values * sides if len(values) == 1 else values


@dataclass(frozen=True)
class _How:
    """The options of a convolution."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def options(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, False, (0,) * len(self.stride), self.groups


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int = 1,
) -> Tensor:
    """A convolution of (N, C, ...) to (N, D, ...) whose derivatives of every order are convolutions.

    Args:
        x: (N, C, ...) images.
        weight: (D, C / groups, ...) weights, of the same type.
        bias: (D,), or none.
        stride: of each side.
        padding: of each side.
        dilation: of each side.
        groups: number of groups of channels.
    """
    y: Tensor = _Output.apply(x, weight, bias, _How(stride, padding, dilation, groups))
    return y


class _Output(Function):
    """y(x, w), and a bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, how: _How) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = how
        return _at_the_precision(lambda *given: torch.ops.aten.convolution(*given, *how.options), x, weight, bias)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        of_image, of_weight, of_bias = (_is_asked_for(ctx, place) for place in range(3))
        (x, weight), how = ctx.saved_tensors, ctx.how
        found = _gradients(g, x, weight, how, (of_image, of_weight))
        sum_of_each = g.sum([0, *range(2, g.ndim)]) if of_bias else None
        return *found, sum_of_each, None


class _Gradients(Function):
    """i(g, w) and k(x, g), or one of them and none."""

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, x: Tensor, weight: Tensor, how: _How, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(g, x, weight)
        ctx.how = how
        options = (None, *how.options, (*wanted, False))
        found = _at_the_precision(lambda *given: torch.ops.aten.convolution_backward(*given, *options), g, x, weight)
        return tuple(tensor if asked else None for tensor, asked in zip(found, wanted, strict=False))

    @staticmethod
    def backward(ctx: Any, v: Tensor | None, u: Tensor | None) -> tuple[Tensor | None, ...]:
        (g, x, weight), how = ctx.saved_tensors, ctx.how
        for_g, for_x, for_weight, *_ = ctx.needs_input_grad
        of_g = of_x = of_weight = None
        if v is not None:
            of_g = _Output.apply(v, weight, None, how) if for_g else None
            of_weight = _gradients(g, v, weight, how, (False, for_weight))[1]
        if u is not None:
            also = _Output.apply(x, u, None, how) if for_g else None
            of_g = also if of_g is None else of_g + also
            of_x = _gradients(g, x, u, how, (for_x, False))[0]
        return of_g, of_x, of_weight, None, None


def _gradients(g: Tensor, x: Tensor, weight: Tensor, how: _How, wanted: tuple[bool, bool]) -> Any:
    return _Gradients.apply(g, x, weight, how, wanted) if any(wanted) else (None, None)


def _is_asked_for(ctx: Any, place: int) -> bool:
    """Whether this pass asks for the gradient of an input, say of weights; a penalty's first asks for images alone.

    PyTorch leaves out what is not asked for in its own functions, and in those of Python only what never needs a
    gradient.
    """
    if not ctx.needs_input_grad[place]:
        return False
    node = ctx.next_functions[place][0]
    try:
        return bool(torch._C._will_engine_execute_node(node))
    except RuntimeError:  # a leaf that is asked for by name
        return True


def _at_the_precision(compute: Any, first: Tensor, *others: Tensor | None) -> Any:
    """What ``compute`` gives for tensors of one type, in autocast's type where a backward pass runs under it."""
    device, kept, tensors = first.device.type, first.dtype, (first, *others)
    if kept != torch.float32 or not torch.is_autocast_enabled(device):
        return compute(*tensors)
    with torch.autocast(device, enabled=False):
        found = compute(*(None if t is None else t.to(torch.get_autocast_dtype(device)) for t in tensors))
    if isinstance(found, Tensor):
        return found.to(kept)
    return tuple(None if t is None else t.to(kept) for t in found)

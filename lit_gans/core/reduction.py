"""Means over devices: of gradients, in buckets while backward still runs, and of batch statistics."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from lit_gans.errors import UsageError

# Sizes of a bucket in bytes: a larger one waits long for its last gradient, each smaller one costs a round of messages.
_LARGEST, _SMALLEST = 25 * 2**20, 2**20
_BUCKETS = 4  # that a network is split into between these sizes
_ALIKE = nn.SyncBatchNorm, parametrizations._SpectralNorm  # whose buffers are the same on all devices


def all_reduce_mean(tensors: list[Tensor]) -> None:
    """Replaces every tensor by its mean over all devices, in one reduction a dtype."""
    for dtype in dict.fromkeys(t.dtype for t in tensors):
        group = [t for t in tensors if t.dtype == dtype]
        flat = torch.cat([t.reshape(-1) for t in group])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for tensor, mean in zip(group, flat.split([t.numel() for t in group]), strict=True):
            tensor.copy_(mean.view_as(tensor))


class MeanGradients:
    """A context around a backward, at whose end gradients are their means over all devices.

    Gradients travel in buckets of 1 to 25 MiB, a few for each network. A bucket leaves as soon as backward has filled
    it and those before it, and arrives while backward goes on. Where several backwards make one step, only the last one
    is in the context.

    The buckets follow the order of the parameters, last layers first, which is about the order in which backward
    reaches them, and are the same on all devices and in every run. The order that was really seen would hide a little
    more; but it is not known in a resumed run's first batch, and other buckets are other sums in the last bit.

    A parameter that backward does not reach on this device, but perhaps on another, takes part with zeros.

    Args:
        parameters: whose gradients.
        beside: other tensors, known before backward begins, which travel in the first bucket of their number type.
        limit: largest size of a bucket in bytes, unless a single parameter is larger.

    Raises:
        UsageError: in backward, if that comes twice to a parameter whose gradient is on its way.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *beside: Tensor, limit: int | None = None) -> None:
        self._parameters = list(parameters)
        if limit is None:
            limit = min(max(sum(p.nbytes for p in self._parameters) // _BUCKETS, _SMALLEST), _LARGEST)
        self._buckets = _filled(self._parameters, beside, limit)
        self._home = {p: bucket for bucket in self._buckets for p in bucket.parameters}
        self._sent = 0  # buckets; they leave in their order, or one device would wait for another one's next
        self._hooks: list[Any] = []

    def __enter__(self) -> "MeanGradients":
        self._hooks = [p.register_post_accumulate_grad_hook(self._take) for p in self._parameters]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        if error is None:
            self._send(len(self._buckets))
            for bucket in self._buckets:
                bucket.receive()

    def _take(self, parameter: Tensor) -> None:
        """Notes that a parameter has its gradient; sends what is complete."""
        bucket = self._home[parameter]  # type: ignore[index]
        if bucket.work is not None:
            raise UsageError(
                "backward came twice to a parameter whose gradient was already on its way to the other devices; "
                "torch.utils.checkpoint needs use_reentrant=False"
            )
        bucket.missing.discard(parameter)
        while self._sent < len(self._buckets) and not self._buckets[self._sent].missing:
            self._send(self._sent + 1)

    def _send(self, until: int) -> None:
        for bucket in self._buckets[self._sent : until]:
            bucket.send()
        self._sent = until


class _Bucket:
    """Gradients, and tensors beside them, that travel together."""

    def __init__(self) -> None:
        self.parameters: list[nn.Parameter] = []
        self.beside: list[Tensor] = []
        self.missing: set[nn.Parameter] = set()  # without their gradient so far
        self.size = 0  # in bytes
        self.work: Any = None  # what to wait for, once it is on its way

    def add(self, tensor: Tensor, is_gradient: bool) -> None:
        """Makes room for a tensor, or for a parameter's gradient."""
        if is_gradient:
            self.parameters.append(tensor)  # type: ignore[arg-type]
            self.missing.add(tensor)  # type: ignore[arg-type]
        else:
            self.beside.append(tensor)
        self.size += tensor.nbytes

    @torch.no_grad()
    def send(self) -> None:
        """Copies everything into one tensor, of which the other devices' are added while this device goes on."""
        own = [*self.beside, *map(_gradient, self.parameters)]
        self._sum = torch.empty(sum(t.numel() for t in own), dtype=own[0].dtype, device=own[0].device)
        parts = self._sum.split([t.numel() for t in own])
        likes = [*self.beside, *self.parameters]
        self._means = [part.as_strided(t.shape, _strides(t)) for part, t in zip(parts, likes, strict=True)]
        torch._foreach_copy_(self._means, own)
        self.work = dist.all_reduce(self._sum, async_op=True)

    @torch.no_grad()
    def receive(self) -> None:
        """Waits for the sums; gradients become parts of the bucket, so that nothing is copied back."""
        self.work.wait()
        self._sum /= dist.get_world_size()
        for tensor, mean in zip(self.beside, self._means, strict=False):
            tensor.copy_(mean)
        for parameter, mean in zip(self.parameters, self._means[len(self.beside) :], strict=True):
            parameter.grad = mean


def _filled(parameters: list[nn.Parameter], beside: Sequence[Tensor], limit: int) -> list[_Bucket]:
    """Buckets in the order in which they leave, each of one number type and device."""
    buckets: list[_Bucket] = []
    last: dict[Any, _Bucket] = {}
    for tensor, is_gradient in [*((t, False) for t in beside), *((p, True) for p in reversed(parameters))]:
        kind = tensor.dtype, tensor.device
        if kind not in last or last[kind].size + tensor.nbytes > limit:
            buckets.append(_Bucket())
            last[kind] = buckets[-1]
        last[kind].add(tensor, is_gradient)
    return buckets


def _gradient(parameter: nn.Parameter) -> Tensor:
    """The gradient of this device, dense; zeros where backward has not come."""
    if parameter.grad is None:
        return torch.zeros_like(parameter)
    return parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad


def _strides(tensor: Tensor) -> tuple[int, ...]:
    """The strides of a parameter's gradient: its own, unless its values overlap or have gaps between them."""
    is_dense = tensor.is_contiguous() or (tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last))
    return tensor.stride() if is_dense else torch.empty_like(tensor, device="meta").stride()


def moving_statistics(networks: Iterable[nn.Module]) -> list[tuple[nn.Module, str]]:
    """The buffers that devices must average, since each moves them by its own part of a batch: owners and names.

    These are all of floating point, say batch norm's running means and those of a network of yours, but for

    - buffers that are not saved (``persistent=False``): kernels, frequencies, tables. What is no part of a checkpoint
      must not move in training, or a resumed run would differ;
    - those that a module names in its attribute ``constant_buffers``: drawn once, and saved for that reason alone;
    - the vectors of spectral norm, which follow from the weights, and the statistics of synchronised batch norm, which
      are of all devices' batches: both are the same everywhere;
    - those of a module whose ``each_device_its_own`` is true, say older fakes.

    Nothing is learned by watching: batch norm moves its buffers without a trace in their version counters, a comparison
    with earlier values would wait for the device at every step, and a part that rests at first may move later.
    """
    return [
        (module, name)
        for network in networks
        for module in network.modules()
        if not isinstance(module, _ALIKE) and not getattr(module, "each_device_its_own", False)
        for name, buffer in module._buffers.items()
        if buffer is not None
        and buffer.is_floating_point()
        and name not in module._non_persistent_buffers_set
        and name not in getattr(module, "constant_buffers", ())
    ]

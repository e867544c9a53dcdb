"""A model's function as a graph of PyTorch, and the check that a file computes the same."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lit_gans.errors import UsageError, one, reason
from lit_gans.networks.exported import LEAST, ROWS, Exported

_SPREAD = (37, 50)  # sides that are multiples of nothing, for the check


class Program:
    """A function that `torch.export` has followed.

    Args:
        function: of a model.

    Raises:
        UsageError: if it cannot be followed, say where a generator of one's own asks for ``len(x)``.
    """

    def __init__(self, function: Exported) -> None:
        self.function = function
        try:
            self.graph, self.any_size = _followed(function, any_size=True), bool(function.sides)
        except Exception as error:  # the compiler's own have no common class
            if not function.sides:
                raise self._refusal(error) from error
            try:  # a translator of one's own, which may need one size
                self.graph, self.any_size = _followed(function, any_size=False), False
            except Exception as again:
                raise self._refusal(again) from again
        _forget_sources(self.graph)

    def _refusal(self, error: Exception) -> UsageError:
        name = type(self.function.generator).__name__
        return UsageError(
            f"torch.export cannot follow the generator {name} ({reason(error)}); sizes must be x.shape[0] and not "
            "len(x), and no branch may depend on values"
        )

    def described(self) -> dict[str, Any]:
        """The ports and the notes, as plain values."""
        function = self.function
        fixed = dict(zip(("height", "width"), function.sides, strict=False)) if not self.any_size else {}

        def told(port: Any) -> dict[str, Any]:
            shape = [fixed.get(size, size) for size in port.shape]
            return {"name": port.name, "shape": shape, "type": port.dtype, "values": port.meaning}

        notes = list(function.notes)
        if self.any_size:
            notes.append(f"height and width may be any from {LEAST} on")
        return {
            "inputs": [told(port) for port in function.inputs],
            "outputs": [told(function.output)],
            "notes": notes,
        }

    def difference(self, run: Callable[[Sequence[Tensor]], Tensor]) -> float:
        """The largest difference of a file's values from those of the model, for batches and images of several sizes.

        Args:
            run: computes what the file computes.
        """
        most = 0.0
        for inputs in self._checked():
            with torch.no_grad():
                expected = self.function(*inputs)
            given = run(inputs)
            if tuple(given.shape) != tuple(expected.shape):
                return float("inf")
            apart = (given - expected).abs().max()
            most = max(most, float(apart)) if bool(torch.isfinite(apart)) else float("inf")
        return most

    def _checked(self) -> Iterator[tuple[Tensor, ...]]:
        yield from (self.function.example(n) for n in (1, ROWS))
        if self.any_size:
            yield self.function.example(3, _SPREAD)
            yield self.function.example(1, (LEAST, LEAST))


def _followed(function: Exported, any_size: bool) -> Any:
    """The graph; where ``any_size``, height and width may change too."""
    batch = torch.export.Dim("batch")
    names = {"batch": batch}
    if any_size:
        names |= {name: torch.export.Dim(name, min=LEAST) for name in ("height", "width")}
    shapes = [
        {place: names[str(size)] for place, size in enumerate(port.shape) if size in names} for port in function.inputs
    ]
    # other sides than the model's own: of a map of one pixel torch would take for granted that it has one
    sides = tuple(2 * side + 3 for side in function.sides) if any_size else function.sides
    with torch.no_grad(), quiet():
        graph = torch.export.export(
            function,
            function.example(3, sides or None),
            dynamic_shapes=tuple(shapes),
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    return graph


def _forget_sources(graph: Any) -> None:
    """Removes what would tell of this machine, and assertions that are not of the function.

    While it follows a function, torch notes that a map has not one pixel. Such a map is computed as well as others, as
    the check that follows shows.
    """
    nodes = graph.graph_module.graph
    for node in list(nodes.nodes):
        node.meta.pop("stack_trace", None)
        if node.target is torch.ops.aten._assert_scalar.default:
            nodes.erase_node(node)
    nodes.eliminate_dead_code()
    graph.graph_module.recompile()


def refuse_far(model: Any, difference: float, tolerance: float, kind: str) -> None:
    """Raises a `UsageError` for a file that computes something else than the model."""
    if not difference <= tolerance:
        raise UsageError(
            f"the {kind} file of {one(model)} would differ from the model by {difference:.2g}, more than "
            f"tolerance={tolerance:g}, so none was written; raise the tolerance if that is little enough for your use"
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While it lasts, torch keeps its progress and its advice to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

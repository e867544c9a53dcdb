"""What a model gives to a file of another program: one function of tensors, and what it takes and gives."""

from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor, nn

from lit_gans.core.sampling import Sampling, finite_truncation
from lit_gans.errors import UsageError, one
from lit_gans.networks.exported import ROWS, Exported, FromNoise, Port


class Exporting(Sampling):
    """Gives the averaged generator as a function that needs neither this library nor a Trainer."""

    value_range: ClassVar[tuple[float, float] | None]
    num_classes: int | None

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """The function that `lit_gans.export` writes: the averaged generator with all that a draw does around it.

        Args:
            to: one of ``domains``; by default the first.
            truncation: as `sample` takes it; it is fixed.

        Raises:
            UsageError: if no single pass through a network draws what the model draws, or an option does not go with
                it.
        """
        ports = self.ports_to_draw(to, truncation)
        return FromNoise(self.exported_part(), *ports, truncation=truncation)

    def ports_to_draw(self, to: str | None, truncation: float) -> tuple[Port, Port]:
        """The sample and the noise of a model that draws.

        Raises:
            UsageError: if it does not draw by one pass, or there is a direction or a truncation that it cannot have.
        """
        if not self.draws:
            self.refuse_export("draws nothing")
        self.refuse_direction(to)
        noise = self.port_of_noise()
        if finite_truncation(truncation) != 1 and noise.dtype != "float32":
            raise UsageError(f"noise of whole numbers cannot be scaled: leave truncation at 1, got {truncation}")
        return self.port_of_samples(), noise

    def refuse_direction(self, to: str | None) -> None:
        """Raises a `UsageError` for a direction of a model that translates no images."""
        if to is not None:
            raise UsageError(f"{one(self)} translates no images; leave out the direction, got to={to!r}")

    def refuse_export(self, does: str) -> NoReturn:
        """Raises a `UsageError` for a model that is no function of tensors because of what it ``does``."""
        raise UsageError(
            f"{one(self)} {does}, which is no single pass through a network from noise or an image to a sample, as "
            "ONNX and torch.export hold it; the format safetensors holds every model"
        )

    def exported_part(self) -> nn.Module:
        """The averaged generator's part that draws (the plain one's if there is no average)."""
        network = self.generator if self.generator_ema is None else self.generator_ema.following(self.generator)
        return self.drawing(network)

    def port_of_samples(self) -> Port:
        """The output of a function that draws."""
        shape, inside = self.shape, self.value_range
        what = "images" if len(shape) == 3 and inside is not None else "samples"
        meaning = what if inside is None or len(shape) != 3 else f"{what} in [{inside[0]:g}, {inside[1]:g}]"
        return Port("image" if what == "images" else "sample", ("batch", *shape), meaning)

    def port_of_noise(self) -> Port:
        """The noise that a function draws from."""
        rows = self.draw_noise(ROWS, torch.Generator().manual_seed(0)).cpu()
        rows = rows.float() if rows.is_floating_point() else rows
        own = type(self).draw_noise is not Sampling.draw_noise
        meaning = "noise as the model's draw_noise gives it" if own else "independent numbers from N(0, 1)"
        return Port("noise", ("batch", *rows.shape[1:]), meaning, rows, _type_of(rows))

    def told_classes(self) -> str:
        """The classes by number, in words."""
        classes, names = self.num_classes or 0, self.class_names
        told = "" if names is None else ": " + ", ".join(f"{number} {name}" for number, name in enumerate(names))
        return f"from 0 to {classes - 1}{told}"


def port_of_image(name: str, channels: int, meaning: str = "images in [-1, 1]") -> Port:
    """An image of any height and width."""
    return Port(name, ("batch", channels, "height", "width"), meaning)


def refuse_truncation(model: Any, truncation: float) -> None:
    """Raises a `UsageError` for a truncation of a model that draws from no noise."""
    if truncation != 1:
        raise UsageError(f"{one(model)} does not draw from noise, which truncation is about; leave it out")


def _type_of(rows: Tensor) -> Any:
    return "float32" if rows.is_floating_point() else "int64"

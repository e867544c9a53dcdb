"""What samples show of several attributes at once, as a classifier of real images reads it."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.images.shape import as_float
from lit_gans.metrics.features import Classifier
from lit_gans.metrics.training import train_classifier
from lit_gans.networks.base import in_parts

_BATCH = 64  # many small steps: characters of any colour on any other are not easily read


class AttributeReader:
    """A classifier that reads every attribute of an image: its size, its colour, what it shows.

    It learns from real images and then reads samples, whose attributes were asked for. Its own error is measured the
    same way, on real images that it did not learn from; put it beside the samples'.

    Args:
        network: gives a logit for each value of each attribute, in the order of ``sizes``.
        sizes: the number of values of each attribute, by its name.

    Examples:
        >>> images, shade = torch.zeros(64, 1, 8, 8), torch.arange(64) % 2
        >>> images[shade == 1] = 1.0
        >>> reader = AttributeReader.learn(images, {"shade": shade}, epochs=12)
        >>> reader.score(images, {"shade": shade})["all"]
        1.0
    """

    def __init__(self, network: Classifier, sizes: Mapping[str, int]) -> None:
        self.network, self.sizes = network, dict(sizes)

    @classmethod
    def learn(
        cls, images: Tensor, attributes: Mapping[str, Tensor], epochs: int = 4, seed: int = 0
    ) -> "AttributeReader":
        """Trains the classifier, see `train_classifier`.

        Args:
            images: (N, C, H, W) real images, uint8 or float in [-1, 1].
            attributes: (N,) whole numbers from 0 for each name.
            epochs: passes over the images.
            seed: of the weights and the order.

        Raises:
            UsageError: if there is no attribute, or not a value for every image.
        """
        _refuse_other(attributes, len(images))
        sizes = {name: int(values.max()) + 1 for name, values in attributes.items()}
        told = torch.stack([*attributes.values()], 1)

        def entropies(logits: Tensor, wanted: Tensor) -> Tensor:
            parts = zip(logits.split([*sizes.values()], 1), wanted.unbind(1), strict=True)
            return torch.stack([F.cross_entropy(*part) for part in parts]).sum()

        network = train_classifier(images, told, sum(sizes.values()), epochs, seed, "reader", _BATCH, entropies)
        return cls(network, sizes)

    @torch.no_grad()
    def read(self, images: Tensor) -> dict[str, Tensor]:
        """The values (N,) of each attribute that images (N, C, H, W), in [-1, 1] or uint8, seem to have."""
        logits = in_parts(lambda part: self.network.logits(as_float(part)), images, like=images)
        parts = logits.split([*self.sizes.values()], 1)
        return {name: part.argmax(1) for name, part in zip(self.sizes, parts, strict=True)}

    def score(self, images: Tensor, wanted: Mapping[str, Tensor], balanced: bool = False) -> dict[str, float]:
        """The share of images that show each attribute as wanted, and as ``all`` of those that show all of them so.

        Args:
            images: (N, C, H, W) in [-1, 1] or uint8.
            wanted: the values (N,) of each attribute.
            balanced: whether an attribute's share is the mean over its values, whatever their numbers of images.

        Raises:
            UsageError: if there is no image, or not a value of each attribute for every image.
        """
        _refuse_other(wanted, len(images))
        if wanted.keys() != self.sizes.keys():
            raise UsageError(f"the reader reads {', '.join(self.sizes)}, but asked is for {', '.join(wanted)}")
        seen = self.read(images)
        right = {name: seen[name].cpu() == wanted[name].cpu() for name in self.sizes}
        shares = {
            name: balanced_mean(hits, wanted[name].cpu()) if balanced else float(hits.float().mean())
            for name, hits in right.items()
        }
        return {**shares, "all": float(torch.stack([*right.values()]).all(0).float().mean())}


def balanced_mean(right: Tensor, values: Tensor) -> float:
    """The mean, over the values that occur, of the share that is right (balanced accuracy).

    Examples:
        >>> balanced_mean(torch.tensor([True, True, False, False, True]), torch.tensor([0, 0, 0, 0, 1]))
        0.75
    """
    return float(torch.stack([right[values == value].float().mean() for value in values.unique()]).mean())


def _refuse_other(attributes: Mapping[str, Tensor], count: int) -> None:
    if not attributes or not count or any(values.shape != (count,) for values in attributes.values()):
        said = ", ".join(f"{name} {tuple(values.shape)}" for name, values in attributes.items()) or "no attribute"
        raise UsageError(f"attributes are whole numbers (N,) for N = {count} images, at least one, got {said}")

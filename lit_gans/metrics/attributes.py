"""What samples show of several attributes at once, as classifiers of real images read it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.images.shape import to_float
from lit_gans.metrics.features import Classifier
from lit_gans.metrics.training import train_classifier
from lit_gans.networks.base import in_parts


class AttributeReaders:
    """A classifier for each attribute of an image: its size, its colour, what it shows.

    They learn from real images and then read samples, whose attributes were asked for. On real images that they did
    not learn from their own error is measured the same way; put it beside the samples'.

    Args:
        networks: a classifier for each attribute, by its name.

    Examples:
        >>> images, shade = torch.zeros(64, 1, 8, 8), torch.arange(64) % 2
        >>> images[shade == 1] = 1.0
        >>> readers = AttributeReaders.learn(images, {"shade": shade}, epochs=12)
        >>> readers.score(images, {"shade": shade})["all"]
        1.0
    """

    def __init__(self, networks: Mapping[str, Classifier]) -> None:
        self.networks = dict(networks)

    @classmethod
    def learn(
        cls, images: Tensor, attributes: Mapping[str, Tensor], epochs: int = 4, seed: int = 0
    ) -> "AttributeReaders":
        """Trains the classifiers, see `train_classifier`.

        Args:
            images: (N, C, H, W) real images, uint8 or float in [-1, 1].
            attributes: (N,) whole numbers from 0 for each name.
            epochs: passes over the images.
            seed: of the weights and the order.

        Raises:
            UsageError: if there is no attribute, or not a value for every image.
        """
        _refuse_other(attributes, len(images))
        return cls(
            {
                name: train_classifier(images, values, int(values.max()) + 1, epochs, seed, f"reader of {name}")
                for name, values in attributes.items()
            }
        )

    @torch.no_grad()
    def read(self, images: Tensor) -> dict[str, Tensor]:
        """The values (N,) of each attribute that images (N, C, H, W), in [-1, 1] or uint8, seem to have."""
        return {
            name: in_parts(
                lambda part, network=network: network.logits(to_float(part) if part.dtype == torch.uint8 else part),
                images,
                like=images,
            ).argmax(1)
            for name, network in self.networks.items()
        }

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
        if wanted.keys() != self.networks.keys():
            raise UsageError(f"the readers read {', '.join(self.networks)}, but asked is for {', '.join(wanted)}")
        seen = self.read(images)
        right = {name: seen[name].cpu() == wanted[name].cpu() for name in self.networks}
        shares = {
            name: balanced_mean(hits, wanted[name].cpu()) if balanced else float(hits.float().mean())
            for name, hits in right.items()
        }
        return {**shares, "all": float(torch.stack([*right.values()]).all(0).float().mean())}


def balanced_mean(right: Tensor, values: Tensor) -> float:
    """The mean, over the values that occur, of the share that is right (balanced accuracy).

    Examples:
        >>> balanced_mean(torch.tensor([True, True, False, True]), torch.tensor([0, 0, 0, 1]))
        0.8333333134651184
    """
    return float(torch.stack([right[values == value].float().mean() for value in values.unique()]).mean())


def _refuse_other(attributes: Mapping[str, Tensor], count: int) -> None:
    if not attributes or not count or any(values.shape != (count,) for values in attributes.values()):
        said = ", ".join(f"{name} {tuple(values.shape)}" for name, values in attributes.items()) or "no attribute"
        raise UsageError(f"attributes are whole numbers (N,) for N = {count} images, at least one, got {said}")

"""The game of two domains in which each patch of a translation must match its patch of the source."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least, finite_from
from lit_gans.families import UnpairedGAN
from lit_gans.losses import Terms, least_squares_discriminator, least_squares_generator
from lit_gans.networks import PatchProjector
from lit_gans.networks.base import evaluating
from lit_gans.networks.translators import ReflectBlock
from lit_gans.precision import full

_PROBE = 32  # side of an image that is encoded once, to count channels


class CUT(UnpairedGAN):
    """One generator; each patch of its translation must be most like the patch of the source at the same place.

    Park, Efros, Zhang & Zhu 2020, *Contrastive Learning for Unpaired Image-to-Image Translation*, arXiv:2007.15651.

    The discriminator minimises `1/2 E (D(b) - 1)^2 + 1/2 E D(G(a))^2`. Generator and heads minimise
    `validity E (D(G(a)) - 1)^2 + contrast NCE(G(a), a) + identity NCE(G(b), b)` with
    `NCE(y, x) = -E log (exp(q_s.k_s / temperature) / sum_t exp(q_s.k_t / temperature))`: q_s are normalised features of
    y at a place s, k_t those of x at places t of the same image, and the mean is over places and layers. Features
    are maps of the generator's own encoder, passed through a head of two layers. k has no gradient, so that the
    translation moves towards the source.

    A batch costs one forward of the generator, over both domains if ``identity`` is on; its encoder gives k on the way.
    One more pass of the encoder over the translations gives q, and the heads run twice. One discriminator judges one
    domain, and no fakes are kept. A batch of CycleGAN costs six forwards of a generator, and has two discriminators.

    Good at: the tasks of `CycleGAN`, with one direction, half the networks and more freedom of shape. Bad at: the way
    back, which it does not learn.

    Instance norm is the paper's; the backbone's ``norm="layer"`` keeps brightness and colours, see `CycleGAN`.

    Args:
        generator: ``nn.ModuleDict({"a_to_b": network})`` in place of the backbone's; the network has an
            ``nn.Sequential`` ``encoder`` and a ``decoder``, and the game adds the heads. A network with batch norm
            translates the domains one after the other.
        validity: weight of the adversarial term, 1 in the paper.
        contrast: weight of the patches of translations, 1 in the paper and 10 in its FastCUT.
        identity: weight of the patches of images of domain b, which are translated too; 1 in the paper and 0 in its
            FastCUT. The authors' program halves this and ``contrast``. It needs domains of equally many channels.
        patches: number of places of each map that are compared; all of a map that has fewer.
        temperature: temperature of the softmax; at a low one only the most similar patches count.
        features: number of hidden units of the heads, and of their outputs.
        layers: the layers of the encoder that are compared: 0 is the image, n the output of the n-th module. By default
            the paper's: the image, the two halvings and the first and fifth residual block.
        translation: arguments of `UnpairedGAN`. Where the channels of the domains differ, the mean of a
            translation's channels is compared.

    Raises:
        UsageError: if an argument is out of range, ``identity`` meets domains of different channels, or the generator
            has no such encoder.

    Examples:
        >>> from lit_gans.networks import ResNetTranslation
        >>> model = CUT(image_shape=(3, 32, 32), backbone=ResNetTranslation(width=8, blocks=1))
        >>> model.translate(torch.zeros(2, 3, 48, 40)).shape
        torch.Size([2, 3, 48, 40])

    Card: docs/models/cut.md; configuration: examples/configs/cut_horse2zebra.yaml.
    """

    scores_have_zero = False
    generator: nn.ModuleDict
    layers: Sequence[int]

    def __init__(
        self,
        *,
        generator: nn.ModuleDict | None = None,
        validity: float = 1.0,
        contrast: float = 1.0,
        identity: float = 1.0,
        patches: int = 256,
        temperature: float = 0.07,
        features: int = 256,
        layers: Sequence[int] = (),
        **translation: Any,
    ) -> None:
        at_least(0, validity=validity, contrast=contrast, identity=identity)
        at_least(2, patches=patches)  # a single patch has no others to be compared with
        if validity == contrast == identity == 0:
            raise UsageError("validity, contrast and identity are all 0, which leaves the generator nothing to do")
        if not (finite_from(0, temperature) and temperature):
            raise UsageError(f"temperature must be above 0, got {temperature}")
        self.features, self.layers = features, tuple(layers)
        super().__init__(generator=None if generator is None else self._with_heads(generator["a_to_b"]), **translation)
        if identity:
            self.refuse_unlike_channels("identity")
        self.validity, self.contrast, self.identity = validity, contrast, identity
        self.patches, self.temperature = patches, temperature
        # batch statistics over both domains would suit neither
        self._apart = any(isinstance(module, _BatchNorm) for module in self.generator["a_to_b"].modules())

    def make_generator(self) -> nn.Module:
        """The translator, and the heads for its encoder's features."""
        return self._with_heads(self.backbone.generator(self.shape, self.source))

    def _with_heads(self, translator: nn.Module) -> nn.ModuleDict:
        encoder = encoder_of(translator)
        self.layers = self.layers or spread_layers(encoder)
        heads = PatchProjector(map_channels(encoder, self.layers), self.features)
        return nn.ModuleDict({"a_to_b": translator, "heads": heads})

    def generate(self, batch: Batch) -> Fake:
        """The translation ``b`` of ``batch["a"]`` and, if ``identity`` is on, ``identity`` of ``batch["b"]``.

        For the contrast also the ``places``, the ``source``'s features there, and ``uncropped``, the translations as
        the decoder makes them. These are for all images, those of domain a first.
        """
        images = [batch["a"], batch["b"]] if self.identity else [batch["a"]]
        parts = images if self._apart or len(images) == 1 else [torch.cat(images)]
        runs = [translate_tapped(self.generator["a_to_b"], part, self.layers) for part in parts]
        places = draw_places(runs[0].maps, self.patches)
        picked = [pick([m.detach() for m in run.maps], places) for run in runs]
        if len(runs) == len(images):
            translations = [run.images for run in runs]
        else:
            translations = list(runs[0].images.split([len(domain) for domain in images]))
        return {
            **dict(zip(("b", "identity")[: len(translations)], translations, strict=True)),
            "places": places,
            "source": [torch.cat(features) for features in zip(*picked, strict=True)],
            "uncropped": [run.uncropped for run in runs],
        }

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals of domain b to 1, translations to 0."""
        return least_squares_discriminator(self.discriminator(batch["b"]), self.discriminator(fake["b"]))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Translations to 1, and every patch to the source's patch at its place."""
        terms: Terms = {}
        if self.validity:
            # the loss has a factor 1/2, which the authors' generator does not
            terms["validity"] = self.validity * 2 * least_squares_generator(self.discriminator(fake["b"]))["fake"]
        if self.contrast or self.identity:
            nce = self._nce(fake)
            translated = len(fake["b"])
            if self.contrast:
                terms["contrast"] = self.contrast * nce[:translated].mean()
            if self.identity:
                terms["identity"] = self.identity * nce[translated:].mean()
        return terms

    def _nce(self, fake: Fake) -> Tensor:
        """The contrast (N,) of every translated image, those of domain a first."""
        heads, encoder = self.generator["heads"], encoder_of(self.generator["a_to_b"])
        parts = [pick(encode(encoder, self._as_source(u), self.layers), fake["places"]) for u in fake["uncropped"]]
        queries = heads([torch.cat(features) for features in zip(*parts, strict=True)])  # (N, P, features) a layer
        with torch.no_grad():
            keys = heads(fake["source"])
        pairs = zip(queries, keys, strict=True)
        # (layers, N) to (N,)
        return torch.stack([patch_nce(query, key, self.temperature) for query, key in pairs]).mean(0)

    def _as_source(self, images: Tensor) -> Tensor:
        """Images of domain b, with as many channels as the encoder takes: their mean, if they have others."""
        channels = self.source[0]
        if images.shape[1] == channels:
            return images
        return images.mean(1, keepdim=True).expand(-1, channels, -1, -1)  # (N, channels, H, W)

    def towards(self, generator: Any, to: str) -> nn.Module:
        """The network that translates images of domain a."""
        return generator["a_to_b"]

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Translates a batch.

        Returns:
            ``fake`` and ``real`` of domain b, which metrics compare as sets, and ``shown``, for pictures side by side.
        """
        batch = self.receive(batch)
        fake = self.translate(batch["a"], seed=self.number(batch_idx))
        return {"fake": fake, "real": batch["b"], "shown": {"a": batch["a"], "a_to_b": fake, "b": batch["b"]}}


def patch_nce(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """-log softmax of a patch's similarity to its own place, over all places; Park et al. 2020, eq. 3 and 4.

    Args:
        query: features (N, P, features) of the translations; they are normalised here.
        key: features of the sources, of the same shape.
        temperature: the number that cosines are divided by.

    Returns:
        (N,) float32, the mean over the places of each image.
    """
    with torch.autocast(query.device.type, enabled=False):
        query, key = F.normalize(full(query), dim=2), F.normalize(full(key), dim=2)
        logits = query @ key.mT / temperature  # (N, P, P)
        return (logits.logsumexp(2) - logits.diagonal(dim1=1, dim2=2)).mean(1)


# -------------------------------------------------------------------- features of patches


class Translation(NamedTuple):
    """A translator's output, and the maps of its encoder on the way."""

    images: Tensor
    #: the decoder's output before the padding was cropped away
    uncropped: Tensor
    #: (N, C, H, W) for each layer, in the order of the layers
    maps: list[Tensor]


def translate_tapped(translator: nn.Module, images: Tensor, layers: Sequence[int]) -> Translation:
    """One forward of a translator that also gives the maps of some layers of its encoder."""
    encoder, decoder = encoder_of(translator), translator.get_submodule("decoder")
    maps: list[Tensor] = []  # of layer 0, which is the image, then of every module in turn
    uncropped: list[Tensor] = []
    hooks = [module.register_forward_hook(lambda _, __, made: maps.append(made)) for module in {*encoder}]
    hooks += [encoder.register_forward_pre_hook(lambda _, given: maps.append(given[0]))]
    hooks += [decoder.register_forward_hook(lambda _, __, made: uncropped.append(made))]
    try:
        translation = translator(images)
    finally:
        for hook in hooks:
            hook.remove()
    return Translation(translation, uncropped[-1], [maps[layer] for layer in layers])


def encoder_of(translator: nn.Module) -> nn.Sequential:
    """The encoder of a translator.

    Raises:
        UsageError: if it does not have both an encoder and a decoder.
    """
    encoder, decoder = getattr(translator, "encoder", None), getattr(translator, "decoder", None)
    if not isinstance(encoder, nn.Sequential) or not isinstance(decoder, nn.Module):
        raise UsageError(
            "CUT compares features of the generator's encoder: the generator must have an nn.Sequential 'encoder' and "
            f"a module 'decoder', as ResNetTranslator does, but {type(translator).__name__} does not; add them"
        )
    return encoder


def spread_layers(encoder: nn.Sequential) -> tuple[int, ...]:
    """The layers that the paper compares: the pixels, the convolutions that halve, the first and the fifth block.

    With fewer than five blocks the last takes the place of the fifth. Layer 0 is the image, layer n the output of
    the n-th module.

    Raises:
        UsageError: if the encoder has no such convolution and no block.

    Examples:
        >>> from lit_gans.networks import ResNetTranslation
        >>> spread_layers(ResNetTranslation(width=4).generator((3, 64, 64), (3, 64, 64)).encoder)
        (0, 4, 7, 10, 14)
    """
    modules = list(enumerate(encoder, 1))
    halving = [n for n, module in modules if isinstance(module, nn.Conv2d) and max(module.stride) > 1]
    blocks = [n for n, module in modules if isinstance(module, ReflectBlock)]
    layers = (0, *halving, *sorted({*blocks[:1], *blocks[:5][-1:]}))
    if len(layers) == 1:
        raise UsageError(
            "an encoder without strided convolutions and ReflectBlocks does not say which of its layers to compare; "
            f"give layers, numbers from 0 (the image) to {len(encoder)}"
        )
    return layers


def encode(encoder: nn.Sequential, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
    """The maps (N, C, H, W) of some layers; runs the encoder up to the deepest of them."""
    maps = [images]
    for module in encoder[: max(layers)]:
        maps.append(module(maps[-1]))
    return [maps[layer] for layer in layers]


def map_channels(encoder: nn.Sequential, layers: Sequence[int]) -> list[int]:
    """The number of channels of the maps of some layers.

    Raises:
        UsageError: if there is no such layer.
    """
    if not layers or min(layers) < 0 or max(layers) > len(encoder):
        raise UsageError(
            f"layers are numbers from 0 (the image) to {len(encoder)} (the encoder's last), got {tuple(layers)}"
        )
    channels = next((module.in_channels for module in encoder.modules() if isinstance(module, nn.Conv2d)), 3)
    with evaluating(encoder), torch.no_grad():
        maps = encode(encoder, next(encoder.parameters()).new_zeros(1, channels, _PROBE, _PROBE), layers)
    return [layer.shape[1] for layer in maps]


def draw_places(maps: Sequence[Tensor], patches: int) -> list[Tensor]:
    """Random places of every map, ``patches`` of them or all, none twice."""
    return [torch.randperm(m.shape[2] * m.shape[3], device=m.device)[:patches] for m in maps]


def pick(maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
    """Features (N, P, C) of maps (N, C, H, W) at places (P,)."""
    # (N, C, H, W) to (N, H * W, C), a view where maps are in channels_last order, to (N, P, C)
    return [m.permute(0, 2, 3, 1).flatten(1, 2)[:, p] for m, p in zip(maps, places, strict=True)]

"""The game of two domains in which a patch of the translation must be recognisable among those of its source."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import UnpairedGAN, required
from lit_gans.losses import Terms, least_squares_discriminator, least_squares_generator
from lit_gans.networks import Discriminator, Generator, PatchDiscriminator, PatchProjector, ResNetTranslator
from lit_gans.networks.blocks import Norm
from lit_gans.networks.contrast import (
    draw_places,
    encode,
    encoder_of,
    map_channels,
    pick,
    spread_layers,
    translate_tapped,
)
from lit_gans.precision import full


class CUT(UnpairedGAN):
    """One generator, and of every patch of its translation it must be plain which patch of the source it was.

    Park, Efros, Zhang & Zhu 2020, *Contrastive Learning for Unpaired Image-to-Image Translation*, arXiv:2007.15651.

    The discriminator minimises `1/2 E (D(b) - 1)^2 + 1/2 E D(G(a))^2`. Generator and heads minimise
    `validity E (D(G(a)) - 1)^2 + contrast NCE(G(a), a) + identity NCE(G(b), b)` with
    `NCE(y, x) = -E log (exp(q_s.k_s / temperature) / sum_t exp(q_s.k_t / temperature))`: q_s are normalised features of
    y at a place s, k_t those of x at places t of the same image, and the mean is over places and layers. Features are
    maps of the generator's own encoder through a head of two layers; k is held fixed, so that gradients move the
    translation and not what it is compared with.

    A batch costs one forward of the generator, over both domains where ``identity`` is on, whose encoder gives k on the
    way, one more pass of the encoder over the translations, for q, and the heads twice; the discriminator judges one
    domain, and no fakes are kept. CycleGAN's costs six forwards of a generator, and two discriminators.

    Good at: what `CycleGAN` does, with one direction, half the networks and more freedom of shape. Bad at: the way
    back, which it does not learn.

    Args:
        a_to_b: a network from images of domain a to such of b that has an ``nn.Sequential`` ``encoder`` and a
            ``decoder``; by default `ResNetTranslator`. One with batch norm translates the domains one after the other.
        judge: a network that judges images of domain b; by default `PatchDiscriminator`.
        image_shape: (channels, height, width) of domain b; needed by the default networks.
        source_shape: of domain a; by default the same. Only the channels may differ: a translation is then compared by
            the mean of its channels.
        width: channels of the finest hidden maps, for the default networks.
        blocks: residual blocks of the default generator; by default 9 from 256 pixels up and 6 below.
        norm: of the default networks, ``instance`` in the paper; ``layer`` keeps brightness and colours of small
            images, see `CycleGAN`.
        validity: weight of the discriminator's verdict, 1 in the paper.
        contrast: weight of the patches of translations, 1 in the paper and 10 in its FastCUT.
        identity: weight of the patches of domain b, translated though they are there already; 1 in the paper and 0 in
            its FastCUT. The authors' program halves this and ``contrast``. It needs domains of equally many channels.
        patches: how many places of each map are compared, or all of a map that has fewer.
        temperature: of the softmax; the lower, the more it is the most similar patches that count.
        features: hidden units of the heads, and as many outputs.
        layers: the layers of the encoder that are compared, 0 being the image and n what the n-th module gives; by
            default the paper's: the image, the two halvings and the first and fifth residual block.
        translation: arguments of `TranslationGAN`.

    Raises:
        UsageError: if an argument is out of range, ``identity`` meets domains of different channels, or the generator
            has no such encoder.

    Examples:
        >>> model = CUT(image_shape=(3, 32, 32), width=8, blocks=1)
        >>> model.translate(torch.zeros(2, 3, 48, 40)).shape
        torch.Size([2, 3, 48, 40])
    """

    generator: nn.ModuleDict

    def __init__(
        self,
        a_to_b: Generator | None = None,
        judge: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        width: int = 64,
        blocks: int | None = None,
        norm: Norm = "instance",
        validity: float = 1.0,
        contrast: float = 1.0,
        identity: float = 1.0,
        patches: int = 256,
        temperature: float = 0.07,
        features: int = 256,
        layers: tuple[int, ...] | None = None,
        **translation: Any,
    ) -> None:
        b = required(image_shape, "a generator and a discriminator")
        a = source_shape or b
        _check(validity, contrast, identity, patches, temperature)
        if identity and a[0] != b[0]:
            raise UsageError(
                f"identity translates images of domain b as if they were of a, but they have {b[0]} and {a[0]} "
                "channels; set identity to 0"
            )
        translator = ResNetTranslator(b, a, width, blocks, norm) if a_to_b is None else a_to_b
        encoder = encoder_of(translator)
        compared = spread_layers(encoder) if layers is None else tuple(layers)
        heads = PatchProjector(map_channels(encoder, a[0], compared), features)
        super().__init__(
            nn.ModuleDict({"a_to_b": translator, "heads": heads}),
            PatchDiscriminator(b, width, norm=norm) if judge is None else judge,
            image_shape=image_shape,
            source_shape=source_shape,
            **translation,
        )
        self.validity, self.contrast, self.identity = validity, contrast, identity
        self.patches, self.temperature, self.layers = patches, temperature, compared
        # statistics of a batch would be those of neither domain
        self._apart = any(isinstance(module, _BatchNorm) for module in translator.modules())

    def generate(self, batch: Batch) -> Fake:
        """The translation ``b`` of ``batch["a"]`` and, if ``identity`` is on, ``identity`` of ``batch["b"]``.

        Besides, for the contrast: the ``places``, the ``source``'s features there, and the ``whole`` translations as
        the decoder has made them. They are of all images, those of domain a first.
        """
        images = [batch["a"], batch["b"]] if self.identity else [batch["a"]]
        parts = images if self._apart or len(images) == 1 else [torch.cat(images)]
        runs = [translate_tapped(self.generator["a_to_b"], part, self.layers) for part in parts]
        places = draw_places(runs[0].maps, self.patches)
        picked = [pick([m.detach() for m in run.maps], places) for run in runs]
        if len(runs) == len(images):
            made = [run.images for run in runs]
        else:
            made = list(runs[0].images.split([len(domain) for domain in images]))
        return {
            **dict(zip(("b", "identity")[: len(made)], made, strict=True)),
            "places": places,
            "source": [torch.cat(features) for features in zip(*picked, strict=True)],
            "whole": [run.whole for run in runs],
        }

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals of domain b to 1, translations to 0."""
        return least_squares_discriminator(self.discriminator(batch["b"]), self.discriminator(fake["b"]))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Translations to 1, and every patch to the one at its place in the source."""
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
        """(N,): the contrast of every image that has been translated, those of domain a first."""
        heads, encoder = self.generator["heads"], encoder_of(self.generator["a_to_b"])
        parts = [pick(encode(encoder, self._as_source(w), self.layers), fake["places"]) for w in fake["whole"]]
        queries = heads([torch.cat(features) for features in zip(*parts, strict=True)])
        with torch.no_grad():
            keys = heads(fake["source"])
        pairs = zip(queries, keys, strict=True)
        return torch.stack([patch_nce(query, key, self.temperature) for query, key in pairs]).mean(0)

    def _as_source(self, images: Tensor) -> Tensor:
        """Images of domain b with as many channels as the encoder takes."""
        assert self.source_shape is not None
        channels = self.source_shape[0]
        if images.shape[1] == channels:
            return images
        return images.mean(1, keepdim=True).expand(-1, channels, -1, -1)

    def translate(self, images: Tensor, *, seed: int | None = None) -> Tensor:
        """What the averaged generator makes of images of domain a.

        Args:
            images: (N, C, H, W) in [-1, 1], of any height and width.
            seed: makes the noise repeatable, where the generator has any.

        Returns:
            (N, C', H, W) float32 in [-1, 1].
        """
        return self._through(lambda generator: generator["a_to_b"], images, seed)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Translates a batch.

        Returns:
            ``fake`` and ``real`` of domain b, to be compared as sets, and ``shown``, to be looked at side by side.
        """
        batch = self.receive(batch)
        fake = self.translate(batch["a"], seed=self.number(batch_idx))
        return {"fake": fake, "real": batch["b"], "shown": {"a": batch["a"], "a_to_b": fake, "b": batch["b"]}}


def patch_nce(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """-log of the share that a patch's own place has among all places of the image, Park et al. 2020, eq. 3 and 4.

    Args:
        query: (N, P, features) of translations; they are normalised here.
        key: the same of the sources.
        temperature: that cosines are divided by.

    Returns:
        (N,) float32, the mean over the places of each image.
    """
    with torch.autocast(query.device.type, enabled=False):
        query, key = F.normalize(full(query), dim=2), F.normalize(full(key), dim=2)
        logits = query @ key.mT / temperature
        return (logits.logsumexp(2) - logits.diagonal(dim1=1, dim2=2)).mean(1)


def _check(validity: float, contrast: float, identity: float, patches: int, temperature: float) -> None:
    if not finite_from(0, validity, contrast, identity):
        raise UsageError(
            f"validity, contrast and identity must not be negative, got {validity}, {contrast} and {identity}"
        )
    if validity == contrast == identity == 0:
        raise UsageError("validity, contrast and identity are all 0, which leaves the generator nothing to do")
    if patches < 2 or not (finite_from(0, temperature) and temperature):
        raise UsageError(
            f"patches must be at least 2, as one has no other to differ from, and temperature above 0, got {patches} "
            f"and {temperature}"
        )

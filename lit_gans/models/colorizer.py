"""Colour for grey images, where somebody says so and elsewhere by guess."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import TranslationGAN, required
from lit_gans.images.hints import simulate_hints
from lit_gans.images.lab import AB, rgb_to_lab, with_colours
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import Discriminator, Generator, PatchDiscriminator, UNet
from lit_gans.networks.blocks import Norm

_HINTS = 10  # of an image in validation
_USUAL = 25.0  # a or b of a colour as photographs have them: hints in this unit are learned sooner than in 110ths


class Colorizer(TranslationGAN):
    """A U-Net gives a grey image colours: those that a person points out where they are, and likely ones elsewhere.

    Zhang, Zhu, Isola, Geng, Lin, Yu & Efros 2017, *Real-Time User-Guided Image Colorization with Learned Deep Priors*,
    arXiv:1705.02999, with the judge of patches of Isola et al. 2017, arXiv:1611.07004, which the paper has not.

    With lightness L, colours c = (a, b) of CIE Lab, hints u and the mask m of where they are, the generator gives
    `c' = G(L, u, m)` and minimises
    `regression E h((c' - c) / 110) + hint E[h((c' - c) / 110) | m = 1] - adversarial E log D(L, c')`; h is Huber's, the
    absolute value rounded off below one unit of a or b. The discriminator minimises
    `1/2 (-E log D(L, c) - E log(1 - D(L, c')))`. It judges colours beside the grey image and does not see the hints.

    Training takes colour images alone: `simulate_hints` makes hints of their own colours. No hints at all is automatic
    colorization, for which one image of eight is trained.

    Good at: colours where somebody says what is what; lightness, and with it all detail, stays. Bad at: colours that
    nothing in the grey image tells; without a hint they become a mean, which is dull.

    Args:
        generator: a network from `L / 50 - 1`, the hints' `a / 25` and `b / 25` and `m - 1/2` (4 channels) to
            `a / 110` and `b / 110` in [-1, 1]; by default `UNet`, or a `ResNetTranslator`.
        discriminator: a network from Lab images (3 channels in [-1, 1]) to logits of any shape; by default
            `PatchDiscriminator`.
        image_shape: (3, height, width) of the images; needed by the default networks.
        width: channels of the finest hidden maps, for the default networks.
        norm: of the default generator. Batch norm, as in the paper, keeps how strong a hint is; instance norm takes
            a map's strength away.
        regression: weight of the Huber loss.
        hint: weight of the same over hinted pixels alone, which the paper has not. They are one in a hundred, so that
            nothing else makes a short training obey them.
        adversarial: weight of the generator's other term; 0 leaves the paper's plain regression. A judge asks for
            colours that are lively, not for those of the hints: the more it weighs, the further colours are from the
            true ones and, a little, from the hints.
        translation: arguments of `TranslationGAN`.

    Raises:
        UsageError: if a weight is negative, or ``image_shape`` is not one of colour images.

    Examples:
        >>> from lit_gans.images.hints import place_hints
        >>> model = Colorizer(image_shape=(3, 32, 32), width=8)
        >>> grey = torch.zeros(1, 1, 48, 40)
        >>> model.colorize(grey, *place_hints((48, 40), [(20, 30, (255, 0, 0))])).shape
        torch.Size([1, 3, 48, 40])
    """

    needs = ("image",)

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        width: int = 64,
        norm: Norm = "batch",
        regression: float = 100.0,
        hint: float = 10.0,
        adversarial: float = 0.3,
        **translation: Any,
    ) -> None:
        if image_shape is not None and image_shape[0] != 3:
            raise UsageError(
                f"Colorizer learns from colour images of shape (3, height, width), got {tuple(image_shape)}; use a "
                "data set in colour"
            )
        if not finite_from(0, regression, hint, adversarial):
            raise UsageError(
                f"regression, hint and adversarial must not be negative, got {regression}, {hint} and {adversarial}"
            )
        super().__init__(
            _unet(required(image_shape), width, norm) if generator is None else generator,
            PatchDiscriminator(required(image_shape, "discriminator"), width)
            if discriminator is None
            else discriminator,
            image_shape=image_shape,
            **translation,
        )
        self.regression, self.hint, self.adversarial = regression, hint, adversarial

    # ---------------------------------------------------------------- the game, in Lab of about [-1, 1]

    def generate(self, batch: Batch) -> Fake:
        """Colours for the lightness of a batch, some of the true ones being known.

        Returns:
            ``lab``, the true images, ``ab``, the colours that the generator gives them, and ``mask``, where it knew.
        """
        lab = rgb_to_lab(batch["image"]).to(batch["image"].dtype)
        hints, mask = simulate_hints(lab[:, 1:])
        return {"lab": _scaled(lab), "ab": self.generator(_joined(lab, hints, mask)), "mask": mask}

    def judge(self, lab: Tensor, ab: Tensor) -> Tensor:
        """The discriminator's logits of colours beside the lightness they are for."""
        return self.discriminator(torch.cat([lab[:, :1], ab.to(lab.dtype)], 1))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """True colours against given ones, at half the weight, which slows the discriminator down."""
        lab = fake["lab"]
        terms = minimax_discriminator(self.judge(lab, lab[:, 1:]), self.judge(lab, fake["ab"]))
        return {name: term / 2 for name, term in terms.items()}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Colours near the true ones, above all where they were known, and such as the discriminator calls real."""
        lab, ab, mask = fake["lab"], fake["ab"].to(fake["lab"].dtype), fake["mask"]
        error = F.smooth_l1_loss(ab, lab[:, 1:], beta=1 / AB, reduction="none").mean(1, keepdim=True)
        terms = {"regression": self.regression * error.mean()}
        if self.hint:
            terms["hint"] = self.hint * (error * mask).sum() / mask.sum().clamp(min=1)
        if self.adversarial:
            game = non_saturating_generator(self.judge(lab, ab))
            terms |= {name: self.adversarial * term for name, term in game.items()}
        return terms

    # ---------------------------------------------------------------- use

    def colours(self, images: Tensor, hints: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """The averaged generator's a and b for images.

        Args:
            images: (N, 1, H, W) grey or (N, 3, H, W) in colour, of which the lightness counts, in [-1, 1].
            hints: (N, 2, H, W) known a and b, as `place_hints` and `simulate_hints` give them; by default none.
            mask: (N, 1, H, W), 1 where they are known and 0 elsewhere.

        Returns:
            (N, 2, H, W) float32 in [-110, 110].

        Raises:
            UsageError: if hints come without a mask or do not fit the images.
        """
        grey = images[:, :1].expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        lab = rgb_to_lab(grey)
        shape = (len(lab), 2, *lab.shape[2:])
        if (hints is None) != (mask is None):
            raise UsageError("hints need a mask that says where they are, and a mask needs hints: give both or none")
        if hints is None or mask is None:
            hints, mask = lab.new_zeros(shape), lab.new_zeros(len(lab), 1, *shape[2:])
        elif tuple(hints.shape) != shape or tuple(mask.shape) != (len(lab), 1, *shape[2:]):
            raise UsageError(
                f"hints must be of shape {shape} and the mask of {(len(lab), 1, *shape[2:])}, as the images are, got "
                f"{tuple(hints.shape)} and {tuple(mask.shape)}"
            )
        mask = mask.to(lab)
        given = hints.to(lab) * mask  # what is not known counts as 0, whatever it holds
        return AB * self._through(lambda generator: generator, _joined(lab, given, mask), None)

    def colorize(self, images: Tensor, hints: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Images with the colours that the averaged generator gives them; their lightness stays.

        Args:
            images: (N, 1, H, W) grey or (N, 3, H, W) in colour, of which the lightness counts, in [-1, 1], of any
                height and width.
            hints: (N, 2, H, W) known a and b, as `place_hints` and `simulate_hints` give them; by default none.
            mask: (N, 1, H, W), 1 where they are known and 0 elsewhere.

        Returns:
            (N, 3, H, W) float32 in [-1, 1]; colours that sRGB has not are clipped, which moves their lightness.

        Raises:
            UsageError: if hints come without a mask or do not fit the images.
        """
        return with_colours(images, self.colours(images, hints, mask))

    def translate(self, images: Tensor, *, seed: int | None = None) -> Tensor:
        """`colorize` without hints; there is no noise for the seed."""
        return self.colorize(images)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Colours a batch without hints and with ten, the same ones at every validation.

        Logs ``val/psnr`` and ``val/psnr_10``, the peak signal-to-noise ratio in dB of RGB, a mean over images.

        Returns:
            ``fake`` (without hints) and ``real``, to be compared as sets, and ``shown``, to be looked at side by side.
        """
        image = self.receive(batch)["image"].float()
        lab = rgb_to_lab(image)
        hints, mask = simulate_hints(lab[:, 1:], _HINTS, rng=torch.Generator().manual_seed(self.number(batch_idx)))
        fake, helped = self.colorize(image), self.colorize(image, hints, mask)
        stage = "test" if self.trainer.testing else "val"
        values = {f"{stage}/psnr": psnr(fake, image).mean(), f"{stage}/psnr_{_HINTS}": psnr(helped, image).mean()}
        self.log_dict(values, batch_size=len(image), sync_dist=True)
        grey = with_colours(image, torch.zeros_like(hints))
        shown = {"grey": grey, "automatic": fake, "hints": with_colours(image, hints), "with_hints": helped}
        return {"fake": fake, "real": image, "shown": {**shown, "image": image}}


def psnr(images: Tensor, others: Tensor) -> Tensor:
    """Each image's peak signal-to-noise ratio in dB, (N,), of (N, C, H, W) in [-1, 1]."""
    return peak_signal_noise_ratio(images, others, data_range=2.0, dim=(1, 2, 3), reduction="none")


def _unet(image_shape: ImageShape, width: int, norm: Norm) -> UNet:
    """The default generator, without noise: a colour is asked for, not one of many."""
    return UNet((2, *image_shape[1:]), (4, *image_shape[1:]), width, norm, dropout=0.0)


def _scaled(lab: Tensor) -> Tensor:
    """Lab with every axis in about [-1, 1]."""
    return torch.cat([lab[:, :1] / 50 - 1, lab[:, 1:] / AB], 1)


def _joined(lab: Tensor, hints: Tensor, mask: Tensor) -> Tensor:
    """What the generator is given of Lab images, hints and their mask, (N, 4, H, W)."""
    return torch.cat([lab[:, :1] / 50 - 1, hints / _USUAL, mask - 0.5], 1)

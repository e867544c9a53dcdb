"""Colours for grey images, from hints where a person gives them, and guessed elsewhere."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.functional.image import peak_signal_noise_ratio

from lit_gans.core.exporting import port_of_image, refuse_truncation
from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import TranslationGAN
from lit_gans.images.hints import Hint, place_hints, refuse_outside, simulate_hints
from lit_gans.images.lab import AB, rgb_to_lab, with_colours
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import UNetTranslation
from lit_gans.networks.exported import Exported, FromHints

_HINTS = 10  # hints of an image in validation
_SIDE = 256  # of a model that was not told the size of its images
_HINT_SCALE = 25.0  # hints enter as a/25 and b/25, near 1 for photographs; scaled by 110 they are learned later


class Colorizer(TranslationGAN):
    """A U-Net colours a grey image: with the colours of hints at their places, and with likely ones elsewhere.

    Zhang, Zhu, Isola, Geng, Lin, Yu & Efros 2017, *Real-Time User-Guided Image Colorization with Learned Deep Priors*,
    arXiv:1705.02999, with the discriminator of patches of Isola et al. 2017, arXiv:1611.07004, which the paper does not
    have.

    With lightness L, colours c = (a, b) of CIE Lab, hints u and the mask m of their places, the generator gives
    `c' = G(L, u, m)` and minimises
    `regression E h((c' - c) / 110) + hint E[h((c' - c) / 110) | m = 1] - adversarial E log D(L, c')`; h is Huber's
    loss, the absolute value made smooth below one unit of a or b. The discriminator minimises
    `1/2 (-E log D(L, c) - E log(1 - D(L, c')))`. It judges colours together with the grey image and does not get the
    hints.

    Training needs only colour images: `simulate_hints` makes hints of their own colours. One image of eight gets no
    hints: automatic colorization.

    Good at: colours of things that have a hint; lightness, and with it all detail, stays. Bad at: colours that the grey
    image does not tell; without a hint they become a mean, which is dull.

    The generator gets `L / 50 - 1`, the hints' `a / 25` and `b / 25` and `m - 1/2` (4 channels) and gives `a / 110` and
    `b / 110` in [-1, 1]; the discriminator judges Lab images (3 channels in [-1, 1]). The backbone's batch norm, as in
    the paper, keeps the strength of a hint; instance norm would remove it.

    Args:
        regression: weight of the Huber loss.
        hint: weight of the same loss over hinted pixels alone, which the paper does not have. One pixel in a hundred is
            hinted, so that without this weight a short training would ignore hints.
        adversarial: weight of the generator's adversarial term; 0 leaves the paper's plain regression. A discriminator
            asks for lively colours, not for those of the hints. With a larger weight colours are further from the true
            ones and, a little, from the hints.
        translation: arguments of `TranslationGAN`.

    Raises:
        UsageError: if a weight is negative, or ``image_shape`` is not one of colour images.

    Examples:
        >>> from lit_gans.images.hints import place_hints
        >>> model = Colorizer(image_shape=(3, 32, 32), backbone=UNetTranslation(width=8, norm="batch", dropout=0.0))
        >>> grey = torch.zeros(1, 1, 48, 40)
        >>> model.colorize(grey, *place_hints((48, 40), [(20, 30, (255, 0, 0))])).shape
        torch.Size([1, 3, 48, 40])

    Card: docs/models/colorizer.md; configuration: examples/configs/colorizer_celeba.yaml.
    """

    default_backbone = UNetTranslation(norm="batch", dropout=0.0, discriminator_norm="instance")
    takes_images_alone = False
    needs = ("image",)

    def __init__(
        self, *, regression: float = 100.0, hint: float = 10.0, adversarial: float = 0.3, **translation: Any
    ) -> None:
        super().__init__(**translation)
        if self.image_shape is not None and self.image_shape[0] != 3:
            raise UsageError(
                f"Colorizer learns from colour images of shape (3, height, width), got {tuple(self.image_shape)}; use "
                "a data set in colour, or give data.channels=3 for pictures of your own"
            )
        at_least(0, regression=regression, hint=hint, adversarial=adversarial)
        self.regression, self.hint, self.adversarial = regression, hint, adversarial

    def make_generator(self) -> nn.Module:
        """The backbone's generator, from lightness, hints and their mask (4 channels) to a and b (2 channels)."""
        sides = self.shape[1:]
        return self.backbone.generator((2, *sides), (4, *sides))

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The discriminator as a function of RGB images, which are converted to Lab for it."""
        return lambda image: self.discriminator(_scaled(rgb_to_lab(image)))

    # ---------------------------------------------------------------- the game, in Lab scaled to about [-1, 1]

    def generate(self, batch: Batch) -> Fake:
        """Colours a batch from its lightness and simulated hints of the true colours.

        Returns:
            ``lab``: the true images (N, 3, H, W); ``ab``: the generator's colours (N, 2, H, W); ``mask``: the places of
            the hints (N, 1, H, W).
        """
        lab = rgb_to_lab(batch["image"]).to(batch["image"].dtype)
        hints, mask = simulate_hints(lab[:, 1:])
        return {"lab": _scaled(lab), "ab": self.generator(_joined(lab, hints, mask)), "mask": mask}

    def judge(self, lab: Tensor, ab: Tensor) -> Tensor:
        """The discriminator's logits of colours, together with the lightness that they belong to."""
        return self.discriminator(torch.cat([lab[:, :1], ab.to(lab.dtype)], 1))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """True colours against the generator's, at half the weight, which slows the discriminator down."""
        lab = fake["lab"]
        terms = minimax_discriminator(self.judge(lab, lab[:, 1:]), self.judge(lab, fake["ab"]))
        return {name: term / 2 for name, term in terms.items()}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be near the true colours, above all at hints, and be called real."""
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
        """The colours a and b that the averaged generator gives images.

        Args:
            images: (N, 1, H, W) grey or (N, 3, H, W) in colour, of which the lightness counts, in [-1, 1].
            hints: (N, 2, H, W) known a and b, as `place_hints` and `simulate_hints` give them; by default none.
            mask: (N, 1, H, W), 1 where they are known and 0 elsewhere.

        Returns:
            (N, 2, H, W) float32 in [-110, 110].

        Raises:
            UsageError: if hints come without a mask or do not fit the images.
        """
        grey = images[:, :1].expand(-1, 3, -1, -1) if images.shape[1] == 1 else images  # (N, 3, H, W)
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
        given = hints.to(lab) * mask  # outside of the mask hints count as 0, whatever they hold
        return AB * self._through(lambda generator: generator, _joined(lab, given, mask), None)

    def colorize(self, images: Tensor, hints: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Images with the colours that the averaged generator gives them; their lightness stays.

        Args:
            images: (N, 1, H, W) grey or (N, 3, H, W) in colour, of which the lightness counts, in [-1, 1], of any
                height and width.
            hints: (N, 2, H, W) known a and b, as `place_hints` and `simulate_hints` give them; by default none.
            mask: (N, 1, H, W), 1 where they are known and 0 elsewhere.

        Returns:
            (N, 3, H, W) float32 in [-1, 1]; colours that sRGB does not have are clipped, which moves their lightness.

        Raises:
            UsageError: if hints come without a mask or do not fit the images.
        """
        return with_colours(images, self.colours(images, hints, mask))

    def colorize_photo(self, photo: Tensor, hints: Sequence[Hint] = (), side: int | None = None) -> Tensor:
        """A photograph with colours that are found at about the size of the training images, and enlarged.

        Args:
            photo: (1, 1 or 3, H, W) in [-1, 1].
            hints: (x, y, (r, g, b)), x and y in pixels of the photograph.
            side: pixels that the short side of the photograph is reduced to, if it is longer; by default that of the
                images that the model was trained on.

        Returns:
            (1, 3, H, W) float32 in [-1, 1], on the CPU.

        Raises:
            UsageError: if a hint is outside the photograph, or a colour is none.
        """
        refuse_outside(photo.shape, hints)
        side = side or (min(self.image_shape[1:]) if self.image_shape else _SIDE)
        height, width = photo.shape[2:]
        scale = min(1.0, side / min(height, width))
        shape = max(1, round(height * scale)), max(1, round(width * scale))
        small = photo if scale == 1 else F.interpolate(photo, shape, mode="bilinear", antialias=True)
        down, across = shape[0] / height, shape[1] / width
        moved = [((int(x) + 0.5) * across, (int(y) + 0.5) * down, colour) for x, y, colour in hints]
        colours = self.colours(small, *(place_hints(shape, moved) if moved else ())).cpu()
        return with_colours(photo, colours if scale == 1 else F.interpolate(colours, (height, width), mode="bilinear"))

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """All of `colorize`, as a function of images, hints and their mask, of any size."""
        self.domain(to)
        refuse_truncation(self, truncation)
        ports = (
            port_of_image("coloured", 3),
            port_of_image("image", 3, "images in [-1, 1], of which the lightness counts"),
            port_of_image("hints", 2, "a and b of CIE Lab, in [-110, 110], where the mask is 1"),
            port_of_image("mask", 1, "1 where there is a hint, else 0"),
        )
        return FromHints(self.exported_part(), *ports, sides=self.shape[1:], join=_joined)

    def translate_large(self, picture: Tensor, *, to: str | None = None, tile: int = 512) -> Tensor:
        """Refused: colours are decided by the whole picture."""
        raise UsageError(f"{type(self).__name__} decides colours by the whole picture, so it cannot work in tiles")

    def translate(self, images: Tensor, *, to: str | None = None, seed: int | None = None) -> Tensor:
        """Colours images without hints, see `colorize`; there is no noise, so the seed has no effect."""
        self.domain(to)
        return self.colorize(images)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Colours a batch without hints, and with ten hints an image, the same ones at every validation.

        Logs ``val/psnr`` and ``val/psnr_10``, the peak signal-to-noise ratio in dB of RGB, a mean over images.

        Returns:
            ``fake`` (without hints) and ``real``, which metrics compare as sets, and ``shown``, for pictures side by
            side.
        """
        image = self.receive(batch)["image"].float()
        lab = rgb_to_lab(image)
        hints, mask = simulate_hints(lab[:, 1:], _HINTS, rng=torch.Generator().manual_seed(self.number(batch_idx)))
        fake, helped = self.colorize(image), self.colorize(image, hints, mask)
        values = {
            f"{self.stage_name}/psnr": psnr(fake, image).mean(),
            f"{self.stage_name}/psnr_{_HINTS}": psnr(helped, image).mean(),
        }
        self.log_dict(values, batch_size=len(image), sync_dist=True)
        grey = with_colours(image, torch.zeros_like(hints))
        shown = {"grey": grey, "automatic": fake, "hints": with_colours(image, hints), "with_hints": helped}
        return {"fake": fake, "real": image, "shown": {**shown, "image": image}}


def psnr(images: Tensor, others: Tensor) -> Tensor:
    """Peak signal-to-noise ratios (N,) in dB of images (N, C, H, W) in [-1, 1]."""
    return peak_signal_noise_ratio(images, others, data_range=2.0, dim=(1, 2, 3), reduction="none")


def _scaled(lab: Tensor) -> Tensor:
    """Lab images with every channel scaled to about [-1, 1]."""
    return torch.cat([lab[:, :1] / 50 - 1, lab[:, 1:] / AB], 1)


def _joined(lab: Tensor, hints: Tensor, mask: Tensor) -> Tensor:
    """The generator's input (N, 4, H, W), from Lab images, hints and their mask."""
    return torch.cat([lab[:, :1] / 50 - 1, hints / _HINT_SCALE, mask - 0.5], 1)

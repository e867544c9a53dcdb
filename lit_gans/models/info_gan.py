"""The game with codes that must be visible in the images."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least, finite_from
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import AuxiliaryDiscriminator, ConditionalGenerator, DCGANBackbone
from lit_gans.networks.base import evaluating, in_parts
from lit_gans.networks.exported import ROWS, Exported, FromCode, Port
from lit_gans.precision import full

_CODES = 1 << 31  # a bit flipped in a seed, so that codes and noise of the same seed come from different numbers
_HIDDEN = 128  # units of the second head, as in the paper


class InfoGAN(LatentGAN):
    """A part of the generator's input is a code, which a second head of the discriminator must read from the image.

    Chen, Duan, Houthooft, Schulman, Sutskever & Abbeel 2016, *InfoGAN: Interpretable Representation Learning by
    Information Maximizing Generative Adversarial Nets*, arXiv:1606.03657. Without labels, codes learn the
    largest differences between images: for digits the categorical code learns the digit, the continuous ones slant and
    width of the stroke.

    With codes c and the second head's guess Q(c | x), the discriminator minimises
    `-E log D(x) - E log(1 - D(G(z, c))) - lambda E log Q(c | G(z, c))`, the generator
    `-E log D(G(z, c)) - lambda E log Q(c | G(z, c))`. The last term bounds the mutual information of code and image:
    `I(c; G(z, c)) >= H(c) + E log Q(c | G(z, c))`.

    For a categorical code `-log Q` is the cross-entropy in nats; for a continuous one Q is a Gaussian of unit variance
    around the guess, so it is half the squared error and a constant. A learned variance would
    have no lower bound: with good guesses a still smaller variance always gains.

    A `Fake` is ``{"image": (N, C, H, W), "code": (N, codes)}``, where a code is a one-hot row for each categorical
    code, then the continuous ones.

    Good at: finding classes and directions of variation that nobody named. Bad at: being predictable: a category may
    mix two classes, another seed finds other ones, and continuous codes can show the same thing.

    Args:
        categories: number of values of each categorical code; all values are equally likely.
        continuous: number of continuous codes, uniform on [-1, 1].
        information: weight lambda of the categorical codes, 1 in the paper.
        continuous_information: weight lambda of the continuous codes; smaller than the other in the paper.
        latent: arguments of `LatentGAN`. A generator of your own maps noise and codes to images, a discriminator images
            to logits (N,) and guesses (N, codes); ``latent_dim`` does not count the codes.

    Raises:
        UsageError: if there is no code, a categorical code has fewer than 2 values, or a weight is negative.

    Examples:
        >>> model = InfoGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8, dense=16), categories=(10,))
        >>> images = model.sample(4, seed=0, category=[3, 7])
        >>> {name: len(guess[0]) for name, guess in model.guess(images).items()}
        {'category0': 10, 'continuous': 2}

    Card: docs/models/info_gan.md; configuration: examples/configs/info_gan_mnist.yaml.
    """

    default_backbone = DCGANBackbone(latent_dim=62, dense=16)  # 1,024 units at width 64, as in the paper for digits

    def __init__(
        self,
        *,
        categories: Sequence[int] = (10,),
        continuous: int = 2,
        information: float = 1.0,
        continuous_information: float = 0.1,
        **latent: Any,
    ) -> None:
        _refuse_codes(categories, continuous)
        at_least(0, information=information, continuous_information=continuous_information)
        self.categories, self.continuous = tuple(categories), continuous
        self.information, self.continuous_information = information, continuous_information
        super().__init__(**latent)

    def make_generator(self) -> nn.Module:
        """The backbone's generator, which gets the code together with the noise."""
        return ConditionalGenerator(self.drawing_from(self.noise_size + self.code_dim), self.code_dim, "input")

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator, with a second head that reads the codes by a hidden layer."""
        return AuxiliaryDiscriminator(super().make_discriminator(), self.code_dim, hidden=_HIDDEN)

    # ---------------------------------------------------------------- the game

    def generate(self, batch: Batch) -> Fake:
        """Makes as many fakes as the batch has images, each from a random code."""
        n, device = len(batch["image"]), batch["image"].device
        drawn = [F.one_hot(torch.randint(size, (n,), device=device), size).to(self.dtype) for size in self.categories]
        uniform = torch.rand(n, self.continuous, device=device).to(self.dtype) * 2 - 1
        code = torch.cat([*drawn, uniform], 1)  # (N, code_dim)
        return {"image": self.drawing_part(self.noise_for(batch), code), "code": code}

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The first head alone, real against fake, which uses no code."""
        return lambda image: self.discriminator(image)[0]

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Tell reals from fakes, and read the fakes' codes."""
        real, (fooled, guess) = self.discriminator(batch["image"])[0], self.discriminator(fake["image"])
        return {**minimax_discriminator(real, fooled), **self.information_loss(guess, fake["code"])}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real, and show the code."""
        fooled, guess = self.discriminator(fake["image"])
        return {**non_saturating_generator(fooled), **self.information_loss(guess, fake["code"])}

    def information_loss(self, guess: Tensor, code: Tensor) -> Terms:
        """-lambda E log Q(c | x) without constants, the part of the bound that weights change (eq. 5 of the paper).

        Args:
            guess: outputs (N, codes) of the second head: logits of each categorical code, then means of the continuous
                ones.
            code: codes (N, codes) that the images were drawn from.

        Returns:
            ``categorical`` and ``continuous``, each the sum over its codes, if there are any.
        """
        (*logits, means), (*classes, values) = self._parts(full(guess)), self._parts(full(code))
        terms = {}
        if self.categories:
            entropies = [F.cross_entropy(logit, one_hot) for logit, one_hot in zip(logits, classes, strict=True)]
            terms["categorical"] = self.information * torch.stack(entropies).sum()
        if self.continuous:
            terms["continuous"] = self.continuous_information * (means - values).square().sum(1).mean() / 2
        return terms

    def _parts(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Splits (N, codes) into one part (N, values) for each categorical code, and one for all continuous ones."""
        return rows.split([*self.categories, self.continuous], 1)  # (N, values) each, (N, continuous)

    # ---------------------------------------------------------------- codes and samples

    @property
    def code_dim(self) -> int:
        """Length of a code: the values of all categorical codes, and the continuous codes."""
        return sum(self.categories) + self.continuous

    @property
    def draws_from_latents(self) -> bool:
        """False: an image depends on its code, too."""
        return False

    @property
    def columns(self) -> int:
        """The columns of a grid of samples that show one category each; 0 without categorical codes."""
        return self.categories[0] if self.categories else 0

    def codes(self, n: int, *, seed: int | None = None, category: int | Sequence[int] | None = None) -> Tensor:
        """Codes as the generator takes them.

        Args:
            n: how many codes.
            seed: makes the draw repeatable; without it the global random state is used.
            category: value of the first categorical code, or values that take turns; by default all take turns. The
                other codes are drawn.

        Returns:
            (n, codes) on the CPU.

        Raises:
            UsageError: if the first categorical code has no such value.
        """
        rng = None if seed is None else torch.Generator().manual_seed(seed ^ _CODES)
        classes = [torch.randint(size, (n,), generator=rng) for size in self.categories]
        if self.categories or category is not None:
            turns = self._turns(category)
            classes[0] = turns[torch.arange(n) % len(turns)]
        one_hot = [F.one_hot(rows, size).float() for rows, size in zip(classes, self.categories, strict=True)]
        return torch.cat([*one_hot, torch.rand(n, self.continuous, generator=rng) * 2 - 1], 1)

    def _turns(self, category: int | Sequence[int] | None) -> Tensor:
        """The values of the first categorical code that take turns."""
        if not self.categories:
            raise UsageError(
                f"category fixes a categorical code, but this model has none; leave it out, got {category}"
            )
        turns = torch.as_tensor(range(self.columns) if category is None else category).view(-1)
        if not len(turns) or turns.is_floating_point() or not 0 <= int(turns.min()) <= int(turns.max()) < self.columns:
            raise UsageError(
                f"category must be values of the first categorical code, from 0 to {self.columns - 1}, got {category}"
            )
        return turns

    def forward(self, noise: Tensor, code: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) by the averaged generator in evaluation mode; without ``code`` it draws `codes`."""
        return super().forward(noise, self.codes(len(noise)).to(noise) if code is None else code)

    @torch.no_grad()
    def sample(
        self,
        n: int = 64,
        *,
        seed: int | None = None,
        noise: Tensor | None = None,
        code: Tensor | None = None,
        category: int | Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Draws images from the averaged generator (the plain one if ``ema_decay=0``).

        Args:
            n: how many images.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` is then ignored.
            code: rows (m, codes) that take turns, in place of a draw by `codes`; they may be mixtures, and their
                continuous codes may be outside of [-1, 1], the range in training.
            category: value of the first categorical code, or values that take turns; by default all take turns.
            truncation: a factor on the noise, but not on the code; below 1 images are more typical and less varied.

        Returns:
            (n, C, H, W) float32 in [-1, 1].

        Raises:
            UsageError: if there is no such category, or rows of code have another length.
        """
        n, noise = self.counted(n, noise)
        if code is None:
            return self.draw(n, seed, noise, self.codes(n, seed=seed, category=category), truncation=truncation)
        if category is not None:
            raise UsageError("code says everything that category would; pass only one of them")
        rows = code if code.ndim == 2 else code.reshape(1, -1)  # (m, codes)
        if rows.shape[1] != self.code_dim or not len(rows):
            raise UsageError(
                f"code must be rows of {self.code_dim} values, one-hot categories, then continuous, got "
                f"{tuple(code.shape)}"
            )
        turns = rows[torch.arange(n, device=rows.device) % len(rows)]
        return self.draw(n, seed, noise, turns, truncation=truncation)

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """The generator as a function of noise and a code."""
        image, noise = self.ports_to_draw(to, truncation)
        parts = [f"{size} values of which one is 1, for a category" for size in self.categories]
        parts += [f"{self.continuous} numbers in [-1, 1]"] * bool(self.continuous)
        code = Port("code", ("batch", self.code_dim), ", then ".join(parts), self.codes(ROWS, seed=0))
        return FromCode(self.exported_part(), image, noise, code, truncation=truncation)

    def rows(self, n: int, *, seed: int | None = None, noise: Tensor | None = None) -> dict[str, Tensor]:
        """The inputs of n samples, also their codes (n, codes) as ``code``."""
        return {**super().rows(n, seed=seed, noise=noise), "code": self.codes(n, seed=seed)}

    @torch.no_grad()
    def guess(self, images: Tensor) -> dict[str, Tensor]:
        """The codes that Q reads from images, real or drawn, with the discriminator in evaluation mode.

        Args:
            images: (N, C, H, W) in [-1, 1].

        Returns:
            ``category0``, ``category1``, ...: probabilities (N, values) of each categorical code; ``continuous``: the
            means (N, continuous). Kinds of codes that the model does not have are left out.
        """
        with evaluating(self.discriminator):
            rows = in_parts(lambda part: self.discriminator(part)[1], images, like=self._like())
        *logits, means = self._parts(rows)
        found = {f"category{number}": logit.softmax(1) for number, logit in enumerate(logits)}
        return found | ({"continuous": means} if self.continuous else {})


def _refuse_codes(categories: Sequence[int], continuous: int) -> None:
    """Raises a `UsageError` for codes that cannot be drawn."""
    if any(size < 2 for size in categories) or not finite_from(0, continuous) or not (len(categories) or continuous):
        raise UsageError(
            "categories are the numbers of values of categorical codes, each at least 2, and continuous counts codes; "
            f"there must be a code, got categories={list(categories)} and continuous={continuous}"
        )

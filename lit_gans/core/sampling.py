"""The generator of a model and its average: samples, and members that say what the model can draw."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.checkpoints import class_path
from lit_gans.core.held_out import HeldOut
from lit_gans.errors import UsageError, one, usable_seed
from lit_gans.images.kinds import Kind
from lit_gans.networks.base import evaluating, in_parts
from lit_gans.optim import ExponentialAverage

_MARK = "_made_for_lit_gans"  # attribute of a network


class Sampling(HeldOut):
    """Keeps the averaged generator, draws from it, and says what it can draw."""

    generator: nn.Module
    generator_ema: ExponentialAverage | None
    #: the networks that train, as attributes
    players: ClassVar[tuple[str, ...]]
    #: whether `sample` draws from noise
    draws: ClassVar[bool] = False
    #: the domains that images can be translated to, the default first
    domains: ClassVar[tuple[str, ...]] = ()
    #: whether ``sample(text=...)`` draws by a sentence
    draws_by_text: ClassVar[bool] = False
    #: the stages that ``sample(stage=...)`` knows
    stages: ClassVar[int] = 1
    #: size of the latent vector that, alone or with a label, determines a sample; None if there is no such vector
    latent_dim: int | None = None
    #: whether the classes of `known_classes` are attributes, any of which may hold at once
    multi_label: bool = False
    #: the names of the classes, or attributes, in their order, if the data gives them
    class_names: tuple[str, ...] | None = None
    #: the kind of numbers in the files that it has learned from, in which samples are written
    image_kind: Kind = Kind()
    image_shape: tuple[int, ...] | None
    ema_decay: float
    given_networks: dict[str, str]
    _mark: str

    def set_generator(self, network: nn.Module) -> None:
        """Makes a network the generator, with an average that begins at its weights."""
        self.generator = network
        self.generator_ema = ExponentialAverage(network, self.ema_decay) if self.ema_decay else None

    def renew(self, player: str = "generator") -> None:
        """Gives a network's new layers to its average; call it after the layers were added.

        The average keeps all other layers. Where the optimizer is made already, `BaseGAN` gives it the new parameters
        too.
        """
        network, old = getattr(self, player), self.generator_ema
        if player != "generator" or old is None:
            return
        average = self.generator_ema = ExponentialAverage(network, self.ema_decay).to(self.device)
        own, kept = average.module.state_dict(), old.module.state_dict()
        alike = {key: value for key, value in kept.items() if key in own and own[key].shape == value.shape}
        average.module.load_state_dict(alike, strict=False)
        average.updates = old.updates
        average.n_averaged.copy_(old.n_averaged)

    def was_made(self) -> None:
        """Leaves a mark on the networks that the model was made with, which copies and pickles of it keep."""
        for player in self.players:
            if (network := self._modules.get(player)) is not None:
                network.__dict__[_MARK] = self._mark

    def _take_over(self) -> None:
        """Notices networks that were replaced or have grown since the model was made."""
        for player in self.players:
            network = getattr(self, player)
            if getattr(network, _MARK, None) != self._mark:  # a compiled network passes the question on
                self.given_networks[player] = class_path(type(network))
        if self.generator_ema is not None:
            shapes = [[p.shape for p in net.parameters()] for net in (self.generator, self.generator_ema.module)]
            if shapes[0] != shapes[1]:
                self.renew()

    def drawing(self, player: nn.Module) -> nn.Module:
        """The part of the generator, or of its average, that maps noise to samples: all of it.

        Override it where the generator is an ``nn.ModuleDict`` of several networks.
        """
        return player

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample, mostly (channels, height, width): ``image_shape``, or else that of a drawn sample.

        Raises:
            UsageError: if nobody has said it and there is nothing to draw with yet.
        """
        drawn = self.latent_dim or type(self).draw_noise is not Sampling.draw_noise
        if self.image_shape is None and self.draws and drawn and "generator" in self._modules:
            return tuple(self.sample(1, seed=0).shape[1:])
        if self.image_shape is None:
            names = " and ".join(f"a {player}" for player in self.players)
            raise UsageError(
                f"the default networks of {type(self).__name__} need image_shape=(channels, height, width); pass it, "
                f"or pass {names} of your own"
            )
        return self.image_shape

    @property
    def stage_name(self) -> str:
        """``test`` in a test, ``val`` in a validation; logged names begin with it."""
        return "test" if self.trainer.testing else "val"

    @contextmanager
    def inference_generator(self) -> Iterator[nn.Module]:
        """The averaged generator (the plain one if there is no average) in evaluation mode, put back afterwards."""
        network = self.generator if self.generator_ema is None else self.generator_ema.following(self.generator)
        with evaluating(network):
            yield network

    def reset_average(self) -> None:
        """Restarts the average at the generator's present weights, say after weights were loaded into it."""
        if self.generator_ema is not None:
            self.generator_ema.restart(self.generator)

    def forward(self, *inputs: Any) -> Any:
        """The averaged generator in evaluation mode: noise (N, latent_dim) to samples for most models.

        It has a gradient; `sample` does not.
        """
        if inputs and isinstance(inputs[0], Tensor) and self.draws_from_latents:
            self.counted(0, inputs[0])  # refuses noise of another size
        with self.inference_generator() as generator:
            return self.drawing(generator)(*inputs)

    def draw_noise(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Noise (n, latent_dim) from N(0, I), in training and for samples.

        Override it for any other distribution or shape.

        Args:
            n: how many rows.
            rng: what to draw from, on the CPU; by default the global random state of the model's device.
        """
        device = self.device if rng is None else torch.device("cpu")
        return torch.randn(n, self.latent_dim or 0, generator=rng, device=device)

    def counted(self, n: int, noise: Any) -> tuple[int, Tensor | None]:
        """How many samples a user wants, and the noise for them, if it is given, as a tensor (n, latent_dim).

        Raises:
            UsageError: if that is no number, or the noise has another size.
        """
        if noise is None:
            _refuse_count(n)
            return n, None
        noise = torch.as_tensor(noise)
        own = type(self).draw_noise is not Sampling.draw_noise
        if not own and self.latent_dim and (noise.ndim != 2 or noise.shape[1] != self.latent_dim):
            one = "; for one sample give noise[None]" if noise.shape == (self.latent_dim,) else ""
            raise UsageError(
                f"noise for this {type(self).__name__} must be (n, latent_dim), that is (n, {self.latent_dim}), got "
                f"{tuple(noise.shape)}{one}"
            )
        return len(noise), noise

    @torch.no_grad()
    def draw(
        self,
        n: int,
        seed: int | None,
        noise: Tensor | None,
        *inputs: Tensor,
        truncation: float = 1.0,
        **options: Any,
    ) -> Tensor:
        """Samples of the averaged generator, in float32.

        Args:
            n: how many samples, unless ``noise`` is given.
            seed: makes the draw repeatable, on any device.
            noise: rows to use in place of a draw.
            inputs: further inputs of the generator, one row for each row of the noise.
            truncation: factor on the distance of the styles from their mean, where the generator ``truncates``, and on
                the noise elsewhere: below 1 samples are more typical and less varied.
            options: further arguments of the generator's forward.

        Raises:
            UsageError: if ``truncation`` is not finite, or not 1 for noise of whole numbers.
        """
        noise = self._noise(n, seed, noise)
        with self.inference_generator() as generator:
            part = self.drawing(generator)
            if truncation != 1 and getattr(part, "truncates", False) is True:  # also of a compiled network
                options["truncation"] = finite_truncation(truncation)
            elif truncation != 1:
                noise = _scaled(noise, truncation)
            return in_parts(part, noise, *inputs, like=self._like(), **options)

    def rows(self, n: int, *, seed: int | None = None, noise: Tensor | None = None) -> dict[str, Tensor]:
        """The inputs of n samples: ``sample(**rows(n, seed=seed))`` draws what ``sample(n, seed=seed)`` does.

        They can be drawn from a few at a time.

        Returns:
            Tensors (n, ...) by the names of `sample`'s arguments.
        """
        return {"noise": self._noise(n, seed, noise)}

    def _noise(self, n: int, seed: int | None, noise: Tensor | None) -> Tensor:
        """The noise that was given, or n rows of a draw."""
        n, noise = self.counted(n, noise)
        usable_seed(seed=seed)
        if noise is None:
            noise = self.draw_noise(n, None if seed is None else torch.Generator().manual_seed(int(seed)))
        return noise

    def _like(self) -> Tensor:
        """An empty tensor with the device and the number type of the networks."""
        return torch.empty(0, device=self.device).to(self.dtype)

    def sample(self, n: int = 64, *, seed: int | None = None) -> Tensor:
        """Refused, unless a family draws from noise.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{one(self)} does not draw from noise; use translate(images), or 'lit-gans translate'"
            if self.domains
            else f"{one(self)} does not draw samples"
        )

    @property
    def known_classes(self) -> Tensor | None:
        """The classes that ``sample(label=...)`` takes; None if it takes none."""
        return None

    @property
    def draws_classes(self) -> bool:
        """Whether ``sample(label=...)`` takes classes, rather than attributes or nothing."""
        return self.known_classes is not None and not self.multi_label

    @property
    def draws_from_latents(self) -> bool:
        """Whether a latent vector (latent_dim,), alone or with a label, determines a sample."""
        return self.draws and self.latent_dim is not None

    @property
    def columns(self) -> int:
        """The columns of a grid of samples that show one class each; 0 if there are no classes."""
        return 0

    def captions(self, n: int) -> list[str]:
        """The sentences that ``sample(n)`` draws by; none for a model that draws without."""
        return []

    def conditions(self, label: Any, n: int) -> Tensor | None:
        """Turns a label into n conditions (n, num_classes) for the generator; None for a model without labels.

        Raises:
            UsageError: if there is a label, which this model cannot draw by.
        """
        if label is not None:
            raise UsageError(f"{one(self)} does not draw by class; leave out the label, got {label!r}")
        return None


def finite_truncation(truncation: float) -> float:
    """The factor, if it is a finite number.

    Raises:
        UsageError: if it is none.
    """
    if not math.isfinite(truncation):
        raise UsageError(f"truncation must be a finite number, say 0.7, got {truncation}")
    return truncation


def _scaled(noise: Tensor, truncation: float) -> Tensor:
    if not noise.is_floating_point():
        raise UsageError(f"noise of whole numbers cannot be scaled: leave truncation at 1, got {truncation}")
    return noise * finite_truncation(truncation)


def _refuse_count(n: Any) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        given = f"a {type(n).__name__} of shape {tuple(n.shape)}" if isinstance(n, Tensor) else repr(n)
        cure = "; give noise by its name" if isinstance(n, Tensor) else ""
        raise UsageError(f"sample takes the number of samples, a whole number from 0, got {given}{cure}")


def noise_size(generator: nn.Module, asked: int | None = None) -> int:
    """The size of a generator's noise: its own ``latent_dim``, or what was asked for.

    Raises:
        UsageError: if neither says it, or they differ.
    """
    own = getattr(generator, "latent_dim", None)
    if isinstance(own, int) and asked not in (None, own):
        raise UsageError(
            f"the generator {type(generator).__name__} takes noise of size {own}, got latent_dim={asked}; leave out "
            "latent_dim"
        )
    if not isinstance(own, int) and asked is None:
        raise UsageError(
            f"the generator {type(generator).__name__} does not say how large its noise is; pass latent_dim, give it "
            "an int attribute latent_dim, or write draw_noise()"
        )
    return own if isinstance(own, int) else asked or 0


def with_latent_dim(network: Any, size: int) -> Any:
    """Gives a network a ``latent_dim``, the length of the vectors that it draws from, unless it has one."""
    if not isinstance(getattr(network, "latent_dim", None), int):
        network.latent_dim = size
    return network

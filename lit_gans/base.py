"""BaseGAN: the alternating game of two players, and everything about it that no paper says."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import DDPStrategy
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_gans.errors import UsageError
from lit_gans.generative import Batch, GenerativeModel
from lit_gans.losses import Terms
from lit_gans.optim import Adam, named

Fake = Any
Objective = Callable[[Batch, Fake], Terms]

PLAYERS = ("generator", "discriminator")


class BaseGAN(GenerativeModel):
    """A game of two players, played in turns, one batch a step.

    A family (`LatentGAN`, ...) says what a fake is made from; a variant says what each player
    wants, as two methods that return named, weighted, 0-dim terms. The rest is here: one fake a batch that both players
    judge, one optimizer and schedule a player, gradients only for the player whose turn it is, clipping, the averaged
    generator, logging, several devices, exact resume and checkpoints that describe themselves.

    One batch is one step: ``max_steps``, checkpoint intervals and the loggers' x axis all count batches, whatever
    ``generator_every`` is. The discriminator moves on every batch; the generator on the first of every
    ``generator_every``.

    Args:
        generator: the player that makes fakes; several networks go into one ``nn.ModuleDict``.
        discriminator: the player that judges them.
        generator_optimizer: makes the generator's optimizer from its parameters: a class or ``functools.partial``.
        discriminator_optimizer: the same for the discriminator.
        generator_scheduler: makes the generator's learning-rate schedule, which is stepped once a batch.
        discriminator_scheduler: the same for the discriminator.
        generator_every: the generator moves once in so many batches (WGAN's n_critic).
        model: arguments of `GenerativeModel`: image_shape, num_classes, clip_norm and ema_decay.

    Raises:
        UsageError: if an argument is out of range or a factory cannot be named in a checkpoint.
    """

    discriminator: nn.Module
    players: ClassVar[tuple[str, ...]] = PLAYERS
    #: what a schedule on a plateau watches; by default the player's own loss
    plateau: ClassVar[str | None] = None
    #: whether D(x) is an energy, low for reals and not a score that is high for them
    judges_by_energy: ClassVar[bool] = False

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        generator_optimizer: OptimizerCallable = Adam,
        discriminator_optimizer: OptimizerCallable = Adam,
        generator_scheduler: LRSchedulerCallable | None = None,
        discriminator_scheduler: LRSchedulerCallable | None = None,
        generator_every: int = 1,
        **model: Any,
    ) -> None:
        super().__init__(generator, **model)
        if generator_every < 1:
            raise UsageError(f"generator_every counts batches and must be at least 1, got {generator_every}")
        self.automatic_optimization = False
        self.discriminator = discriminator
        self.optimizer_factories = (
            named("generator_optimizer", generator_optimizer),
            named("discriminator_optimizer", discriminator_optimizer),
        )
        self.scheduler_factories = (
            named("generator_scheduler", generator_scheduler),
            named("discriminator_scheduler", discriminator_scheduler),
        )
        self.generator_every = generator_every
        self._trainable: dict[str, list[nn.Parameter]] = {}

    # ---------------------------------------------------------------- what a family and a variant write

    @abstractmethod
    def generate(self, batch: Batch) -> Fake:
        """The generator's move, with its graph: a tensor or a collection of tensors."""

    @abstractmethod
    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """The terms that the discriminator minimises the sum of; ``fake`` is detached."""

    @abstractmethod
    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """The terms that the generator minimises the sum of; ``fake`` has its graph, the discriminator is frozen."""

    # ---------------------------------------------------------------- what a variant may wrap

    def discriminator_penalty(self, batch: Batch, fake: Fake) -> Terms:
        """Terms that a family adds to every variant's discriminator: none here."""
        return {}

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn: freeze the generator, terms, backward, clip, step."""

        def objective(batch: Batch, fake: Fake) -> Terms:
            return {**self.discriminator_loss(batch, fake), **self.discriminator_penalty(batch, fake)}

        return self._descend("discriminator", objective, batch, fake)

    def generator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The generator's turn: freeze the discriminator, terms, backward, clip, step."""
        return self._descend("generator", self.generator_loss, batch, fake)

    # ---------------------------------------------------------------- the game

    def training_step(self, batch: Any, batch_idx: int) -> Terms:
        """One batch: a fake, the discriminator's turn, the generator's turn, the average. Not to be overridden.

        Returns:
            Every term as ``discriminator/<term>`` and ``generator/<term>``, each player's sum as ``.../loss``, and
            whatever else a variant's step returns, which by convention is named ``state/<name>``.
        """
        batch = self.receive(batch)
        generator_moves = self.batch_number % self.generator_every == 0
        with torch.set_grad_enabled(generator_moves):
            fake = self.generate(batch)
        terms = self.discriminator_step(batch, apply_to_collection(fake, Tensor, Tensor.detach))
        if generator_moves:
            terms |= self.generator_step(batch, fake)
        if self.trainer.world_size > 1:
            self._average_batch_statistics()
        if generator_moves and self.generator_ema is not None:
            self.generator_ema.update_parameters(self.generator)
        self._step_schedules(terms)
        if self._logs_this_batch():
            self.log_dict(terms)
        return terms

    def _descend(self, player: str, objective: Objective, batch: Batch, fake: Fake) -> Terms:
        with self._turn(player):
            terms = objective(batch, fake)
            loss = torch.stack([term.float() for term in terms.values()]).sum()
            self._refuse_nonfinite(player, terms)
            generator_optimizer, discriminator_optimizer = self._optimizers()
            if player == "discriminator":
                discriminator_optimizer.zero_grad()
                self._backward(player, loss)
                discriminator_optimizer.step()  # the one step a batch that Lightning counts
            else:
                raw = generator_optimizer.optimizer
                raw.zero_grad()
                self._backward(player, loss)
                self.trainer.strategy.optimizer_step(raw, lambda: None)  # the same, but not counted
        return {f"{player}/{name}": term.detach() for name, term in {**terms, "loss": loss}.items()}

    @contextmanager
    def _turn(self, player: str) -> Iterator[None]:
        """Freezes the other player, so that no gradient is computed to be thrown away."""
        (other,) = set(PLAYERS) - {player}
        for parameter in self._trainable[other]:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self._trainable[other]:
                parameter.requires_grad_(True)

    def _backward(self, player: str, loss: Tensor) -> None:
        """Backward, and on several devices one reduction of this player's gradients alone."""
        if self.trainer.world_size == 1:
            self.manual_backward(loss)
            return
        strategy = self.trainer.strategy
        assert isinstance(strategy, DDPStrategy)
        with strategy.block_backward_sync():  # DDP's own reducer expects gradients of both players at once
            self.manual_backward(loss)
        for parameter in self._trainable[player]:
            if parameter.grad is None:  # unused on this device, perhaps not on another
                parameter.grad = torch.zeros_like(parameter)
        _all_reduce_mean([p.grad for p in self._trainable[player] if p.grad is not None])

    @torch.no_grad()
    def _average_batch_statistics(self) -> None:
        """Each device has seen its own part of the batch; all keep the mean of their running statistics."""
        players = (self.generator, self.discriminator)
        _all_reduce_mean([b for player in players for b in player.buffers() if b.is_floating_point()])

    # ---------------------------------------------------------------- optimizers and schedules

    def configure_optimizers(self) -> Any:
        """One optimizer and, if wanted, one schedule a player, over the parameters that are not frozen by then."""
        networks = (self.generator, self.discriminator)
        for name, network in zip(PLAYERS, networks, strict=True):
            self._trainable[name] = [p for p in network.parameters() if p.requires_grad]
            if not self._trainable[name]:
                raise UsageError(f"the {name} has no parameter that requires a gradient, so it cannot learn")
        optimizers = [make(self._trainable[n]) for n, make in zip(PLAYERS, self.optimizer_factories, strict=True)]
        schedules = [
            {"scheduler": make(optimizer), "name": f"lr-{name}"}
            for name, optimizer, make in zip(PLAYERS, optimizers, self.scheduler_factories, strict=True)
            if make is not None
        ]
        return optimizers, schedules

    def _optimizers(self) -> list[Any]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers

    def _step_schedules(self, terms: Terms) -> None:
        for config in self.trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, ReduceLROnPlateau):
                watched = terms.get(self.plateau or f"{str(config.name).removeprefix('lr-')}/loss")
                if watched is not None:
                    config.scheduler.step(watched)
            else:
                config.scheduler.step()


def _all_reduce_mean(tensors: list[Tensor]) -> None:
    """Replaces every tensor by its mean over all devices, in one reduction a dtype."""
    for dtype in dict.fromkeys(t.dtype for t in tensors):
        group = [t for t in tensors if t.dtype == dtype]
        flat = torch.cat([t.reshape(-1) for t in group])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for tensor, mean in zip(group, flat.split([t.numel() for t in group]), strict=True):
            tensor.copy_(mean.view_as(tensor))

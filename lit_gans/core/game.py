"""BaseGAN: the alternating game of two players, and everything about it that no paper says."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import DDPStrategy
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_gans.core.checks import checked_terms, refuse_idle
from lit_gans.core.generative import Batch, GenerativeModel
from lit_gans.core.gradients import all_reduce_mean, parameters_of, reduce_gradients
from lit_gans.errors import UsageError
from lit_gans.losses import Terms
from lit_gans.optim import Adam, named
from lit_gans.precision import full

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
            terms = checked_terms("discriminator", self.discriminator_loss(batch, fake))
            penalty = self.discriminator_penalty(batch, fake)
            if not isinstance(penalty, dict):
                raise UsageError(
                    "discriminator_penalty must return a dict of named terms, {} for none this time, got a "
                    f"{type(penalty).__name__}"
                )
            if twice := terms.keys() & penalty.keys():
                raise UsageError(
                    f"the discriminator's loss and its penalty both have a term {min(twice)!r}; rename one of them"
                )
            return {**terms, **penalty}

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
        steps = self.trainer.global_step
        batch = self.receive(batch)
        generator_moves = self.batch_number % self.generator_every == 0
        with torch.set_grad_enabled(generator_moves):
            fake = self.generate(batch)
        self._inspect_fake(batch, fake)
        terms = self._step("discriminator", batch, apply_to_collection(fake, Tensor, Tensor.detach))
        if generator_moves:
            terms |= self._step("generator", batch, fake)
        if self.trainer.world_size > 1:
            self._average_batch_statistics()
        if generator_moves and self.generator_ema is not None:
            self.generator_ema.update_parameters(self.generator)
        self._step_schedules(terms)
        self._count_one_step(steps)
        self._log_terms(terms)
        return terms

    def _inspect_fake(self, batch: Batch, fake: Fake) -> None:
        """Refuses, once a run, fakes of another shape than the images that they should look like."""
        drawn = fake.get("image") if isinstance(fake, dict) else fake
        real = batch.get("image")
        if "fake" in self._inspected or not isinstance(drawn, Tensor) or not isinstance(real, Tensor):
            return
        self._inspected.add("fake")
        if drawn.ndim == real.ndim and drawn.shape[1:] != real.shape[1:]:
            raise UsageError(
                f"the generator makes images of shape {tuple(drawn.shape[1:])} (channels, height, width), but the data "
                f"gives {tuple(real.shape[1:])}; make one of them like the other"
            )

    def _step(self, player: str, batch: Batch, fake: Fake) -> Terms:
        """A player's step, which a variant may have wrapped."""
        name = f"{player}_step"
        terms = getattr(self, name)(batch, fake)
        if not isinstance(terms, dict):
            raise UsageError(
                f"{name} must return a dict of terms: super().{name}(batch, fake) gives one, {{}} is "
                f"a move that is left out; got a {type(terms).__name__}"
            )
        return dict(terms)

    def _descend(self, player: str, objective: Objective, batch: Batch, fake: Fake) -> Terms:
        optimizer = self._optimizers()[PLAYERS.index(player)]
        self._watched.player = player
        with self._turn(player):
            terms = checked_terms(player, objective(batch, fake))
            loss = torch.stack([full(term) for term in terms.values()]).sum()
            optimizer.zero_grad()
            if self.trainer.world_size == 1:
                self._refuse_nonfinite(player, terms)
                self.manual_backward(loss)
            else:
                terms = self._backward_together(optimizer, loss, terms)
                self._refuse_nonfinite(player, terms)  # the devices' mean: all of them stop here, or none
                loss = torch.stack([*terms.values()]).sum()
            optimizer.step()
        return {f"{player}/{name}": term.detach() for name, term in {**terms, "loss": loss}.items()}

    @contextmanager
    def _turn(self, player: str) -> Iterator[None]:
        """Freezes what only the other player moves, so that no gradient is computed to be thrown away.

        Who moves what is asked for every time: a callback may freeze and unfreeze layers.
        """
        moved = [parameters_of(optimizer) for optimizer in self._optimizers()]
        own, others = moved if player == PLAYERS[0] else moved[::-1]
        shared = set(map(id, own))
        frozen = [p for p in others if p.requires_grad and id(p) not in shared]
        for parameter in frozen:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in frozen:
                parameter.requires_grad_(True)

    def _backward_together(self, optimizer: Any, loss: Tensor, terms: Terms) -> Terms:
        """Backward, then one reduction of this player's gradients alone, and of its terms: their mean over devices."""
        strategy = self.trainer.strategy
        assert isinstance(strategy, DDPStrategy)
        with strategy.block_backward_sync():  # DDP's own reducer expects gradients of both players at once
            self.manual_backward(loss)
        values = torch.stack([full(term.detach()) for term in terms.values()])
        reduce_gradients((p for p in parameters_of(optimizer) if p.requires_grad), values)
        return dict(zip(terms, values.unbind(), strict=True))

    def _count_one_step(self, before: int) -> None:
        """A batch is one step, however often a variant's discriminator has moved in it: not at all, or three times."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        surplus = self.trainer.global_step - before - 1
        for counter in (progress.total, progress.current):
            counter.ready -= surplus
            counter.completed -= surplus

    @torch.no_grad()
    def _average_batch_statistics(self) -> None:
        """Each device has seen its own part of the batch; all keep the mean of their running statistics."""
        players = (self.generator, self.discriminator)
        all_reduce_mean([b for player in players for b in player.buffers() if b.is_floating_point()])

    # ---------------------------------------------------------------- optimizers and schedules

    def configure_optimizers(self) -> Any:
        """One optimizer and, if wanted, one schedule a player, over the parameters that are not frozen by then.

        An override gives two optimizers, the generator's first. Its schedules are stepped once an epoch, or where their
        ``interval`` is ``step``, once a batch.
        """
        optimizers = []
        for name, make in zip(PLAYERS, self.optimizer_factories, strict=True):
            trainable = [p for p in getattr(self, name).parameters() if p.requires_grad]
            if not trainable:
                raise UsageError(f"the {name} has no parameter that requires a gradient, so it cannot learn")
            optimizers.append(make(trainable))
        schedules = [
            {"scheduler": make(optimizer), "name": f"lr-{name}", "interval": "step"}
            for name, optimizer, make in zip(PLAYERS, optimizers, self.scheduler_factories, strict=True)
            if make is not None
        ]
        return optimizers, schedules

    def on_train_start(self) -> None:
        """Also refuses weights that nobody would move."""
        super().on_train_start()
        moved = [parameters_of(optimizer) for optimizer in self._optimizers()]
        for name, parameters in zip(PLAYERS, moved, strict=True):
            own = set(map(id, getattr(self, name).parameters()))
            if not any(id(p) in own for p in parameters):
                raise UsageError(
                    f"configure_optimizers must give the generator's optimizer, then the discriminator's; the {name}'s "
                    "has none of its parameters"
                )
        refuse_idle(self, [p for parameters in moved for p in parameters], "the generator or the discriminator")

    def _optimizers(self) -> list[Any]:
        """The generator's and the discriminator's."""
        given = self.optimizers()
        optimizers = given if isinstance(given, list) else [given]
        if len(optimizers) != len(PLAYERS):
            raise UsageError(
                f"configure_optimizers must give two optimizers, the generator's and the discriminator's, got "
                f"{len(optimizers)}; put the parameters of a third network into one of the two"
            )
        return optimizers

    def _step_schedules(self, terms: Terms) -> None:
        for config in self.trainer.lr_scheduler_configs:
            by_epoch = config.interval == "epoch"  # as in Lightning; the base's own are stepped by the batch
            number = self.trainer.current_epoch if by_epoch else self.batch_number
            if (by_epoch and not self.trainer.is_last_batch) or (number + 1) % config.frequency:
                continue
            if not isinstance(config.scheduler, ReduceLROnPlateau):
                config.scheduler.step()
                continue
            name = config.monitor or self.plateau
            known = terms if name is None or name in terms else {**self.trainer.callback_metrics, **terms}
            if name is not None and name not in known and not by_epoch and self.batch_number == 0:
                raise UsageError(
                    f"a schedule watches {name!r}, which is none of the terms of a batch: {', '.join(terms)}; set "
                    f"{type(self).__name__}.plateau to one of them"
                )
            watched = known.get(name or f"{str(config.name).removeprefix('lr-')}/loss")
            if watched is not None:
                config.scheduler.step(self._over_devices(watched))

    def _over_devices(self, value: Any) -> Any:
        """The mean of a number over all devices, since schedules must not differ between them."""
        if self.trainer.world_size > 1:
            value = torch.as_tensor(value, device=self.device).detach().float().clone()
            all_reduce_mean([value])
        return value

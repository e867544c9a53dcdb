"""The alternating game of two or more players: everything that is the same for every paper."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn

from lit_gans.augment.attach import Attached
from lit_gans.core.checks import checked_terms
from lit_gans.core.compiling import Compiled, begin_batch, checked, compile_players, detached
from lit_gans.core.factories import named, options_of
from lit_gans.core.first_move import first_move, refusing_closure
from lit_gans.core.generative import Batch as Batch
from lit_gans.core.gradients import parameters_of
from lit_gans.core.micro_batches import MicroBatches, Turn
from lit_gans.core.players import PLAYERS as PLAYERS
from lit_gans.core.reduction import MeanGradients
from lit_gans.core.regularised import Fake as Fake
from lit_gans.core.regularised import Regularised
from lit_gans.core.scalers import Scalers
from lit_gans.errors import UsageError, at_least
from lit_gans.losses import Terms
from lit_gans.optim import Adam
from lit_gans.precision import full

Objective = Callable[[Batch, Fake], Terms]


class BaseGAN(Regularised):
    """A game of two players, played in turns, one batch a step.

    A family (`LatentGAN`, ...) says what a fake is made from; a variant says what each player minimises, in two methods
    that return named, weighted, 0-dim terms. The rest is here: one fake a batch, which both players use, one optimizer
    and schedule a player, gradients only for the player whose turn it is, clipping, the averaged generator,
    logging, several devices, exact resume and checkpoints that describe themselves.

    One batch is one step: ``max_steps``, checkpoint intervals and the loggers' x axis all count batches, whatever
    ``generator_every`` is. The discriminator moves on every batch; the generator on the first of every
    ``generator_every``.

    The networks are made here, by `make_generator` and `make_discriminator`, after the call has been recorded. Plain
    values that these methods read are set before ``super().__init__()``, everything else after it. A third player is a
    further name in ``players``, with a method ``make_<name>`` and a method ``<name>_loss``.

    Two options help every game where data are few: ``r1`` is the zero-centred penalty on real images, and ``augment``
    changes what the discriminator sees, real and fake alike.

    Args:
        generator: the player that makes fakes. Several networks go into one ``nn.ModuleDict``.
        discriminator: the player that judges them.
        optimizer: makes each player's optimizer from its parameters: a class or its name, a ``functools.partial``, or a
            function at the top of a module. A function whose argument is called ``named_parameters`` gets the names
            too, for groups of parameters.
        generator_optimizer: the generator's, where it is another one.
        discriminator_optimizer: the discriminator's, where it is another one.
        scheduler: makes each player's learning-rate schedule. It is stepped once a batch; in Lightning's dict,
            ``{"scheduler": ..., "interval": "epoch"}``, it is stepped as that says.
        generator_scheduler: the generator's, where it is another one.
        discriminator_scheduler: the discriminator's, where it is another one.
        generator_every: the generator moves once in so many batches (WGAN's n_critic).
        r1: gamma of the penalty gamma/2 E |grad D(x)|^2 on reals (Mescheder et al. 2018, arXiv:1801.04406); 0 turns it
            off.
        r1_every: the penalty is computed once in so many batches, times that number (lazy regularisation, Karras et
            al. 2020, arXiv:1912.04958, appendix B).
        r1_noise: deviation of a noise to take differences by; these stand for the gradient where a network has no
            second derivative. 0.01, say; gamma wants to be its own then, see `scores_and_slopes`.
        augment: names of `Augment`'s policies, DiffAugment's or ADA's; none by default.
        augment_p: the probability that each is applied to an image, by default 1; with ``augment_target`` the
            probability that it starts from, by default 0.
        augment_target: the mean sign of D(x) on reals that adaptive augmentation steers ``augment_p`` to; 0.6 in the
            paper (Karras et al. 2020, arXiv:2006.06676). Only for games whose scores are positive for reals.
        accumulate: parts in which a batch goes through the players; their gradients add up before a step, so that a
            batch of 64 takes the memory of one of 16 with 4. Norms over the batch see a part of it.
        compiled: compile the players when a fit begins, which pays on GPUs; ``torch.compile`` takes a minute or so and
            mostly does not pay on CPUs. Penalties on slopes go by the networks as they were. Checkpoints are the same.
            ``reduce-overhead`` also records CUDA graphs, for small steps of batches of one shape; not tried on a GPU.
        model: arguments of `GenerativeModel`: image_shape, source_shape, num_classes, clip_norm and ema_decay.

    Raises:
        UsageError: if an argument is out of range, a factory cannot be named in a checkpoint, ``r1`` meets batch norm
            in the discriminator, or adaptive augmentation a game whose scores have no zero.
    """

    #: whether D(x) is an energy, which is low for reals, rather than a score, which is high for them
    judges_by_energy: ClassVar[bool] = False

    def __init__(
        self,
        *,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        optimizer: OptimizerCallable = Adam,
        generator_optimizer: OptimizerCallable | None = None,
        discriminator_optimizer: OptimizerCallable | None = None,
        scheduler: LRSchedulerCallable | None = None,
        generator_scheduler: LRSchedulerCallable | None = None,
        discriminator_scheduler: LRSchedulerCallable | None = None,
        generator_every: int = 1,
        r1: float = 0.0,
        r1_every: int = 16,
        r1_noise: float = 0.0,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        accumulate: int = 1,
        compiled: Compiled = False,
        **model: Any,
    ) -> None:
        super().__init__(**model)
        at_least(1, generator_every=generator_every, r1_every=r1_every, accumulate=accumulate)
        at_least(0, r1=r1, r1_noise=r1_noise)
        self.automatic_optimization = False
        self.generator_every, self.r1, self.r1_every, self.r1_noise = generator_every, r1, r1_every, r1_noise
        self._make_players({"generator": generator, "discriminator": discriminator})
        own = {
            "generator": (generator_optimizer, generator_scheduler),
            "discriminator": (discriminator_optimizer, discriminator_scheduler),
        }
        self.optimizer_factories: dict[str, Any] = {}
        self.scheduler_factories: dict[str, Any] = {}
        self.scheduler_options: dict[str, dict[str, Any]] = {}
        for player in self.players:
            makes, paces = own.get(player, (None, None))
            self.optimizer_factories[player] = _either(player, "optimizer", makes, optimizer)
            self.scheduler_factories[player] = _either(player, "scheduler", paces, scheduler)
            self.scheduler_options[player] = options_of("scheduler", scheduler if paces is None else paces)
        if r1:
            self.refuse_batch_norm("r1")
        self.augment = self._augmentation(augment, augment_p, augment_target)
        self.accumulate, self.compiled = accumulate, checked(compiled)
        self._micro_batches: MicroBatches | None = None
        self._attached: Attached | None = None
        self._scalers = Scalers()
        self._moved: set[str] = set()  # players whose first move of this run is done

    # ---------------------------------------------------------------- a family and a variant write these

    @abstractmethod
    def generate(self, batch: Batch) -> Fake:
        """Makes the fakes for a batch, with their graph: a tensor or a collection of tensors."""

    @abstractmethod
    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """The terms whose sum the discriminator minimises; ``fake`` is detached."""

    @abstractmethod
    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """The terms whose sum the generator minimises; ``fake`` has its graph, the discriminator is frozen."""

    # ---------------------------------------------------------------- a variant may wrap these

    def movers(self) -> tuple[str, ...]:
        """The players that move on this batch, in this order; the generator once in ``generator_every`` batches, last.

        Override it for a game in which players rest, or in which a phase trains one of them alone. All players but the
        generator get fakes without their graph.
        """
        moves = self.batch_number % self.generator_every == 0
        return tuple(player for player in self.players[::-1] if moves or player != "generator")

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn: freeze the others, terms, backward, clip, step; adapts the augmentation."""
        adaptive = self._attached if self._attached is not None and self._attached.augment.adaptive else None

        def objective(batch: Batch, fake: Fake) -> Terms:
            if adaptive is not None:
                adaptive.reals = batch[self.subject]
            with self.listening(batch, fake):
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

        terms = self._move("discriminator", objective, batch, fake)
        if adaptive is None:
            return terms
        if adaptive.reals is not None:
            raise UsageError(
                f"adaptive augmentation never saw {type(self).__name__} judge the reals by themselves: its "
                f'discriminator_loss must call self.discriminator(batch["{self.subject}"]); or leave out augment_target'
            )
        return {**terms, "state/augment_p": adaptive.augment.p.detach().clone()}

    def generator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The generator's turn: freeze the others, terms, backward, clip, step."""
        return self._move("generator", self.generator_loss, batch, fake)

    # ---------------------------------------------------------------- the game

    def on_fit_start(self) -> None:
        """Also compiles the players, where that is asked for."""
        super().on_fit_start()
        compile_players([getattr(self, player) for player in self.players], self.compiled, self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Also adds the scale of each player's gradients, in float16."""
        super().on_save_checkpoint(checkpoint)
        scales = {} if self._trainer is None else self._scalers.state_dict(self.trainer.precision_plugin)
        if scales:
            checkpoint["scalers"] = scales

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Also takes the scale of each player's gradients."""
        super().on_load_checkpoint(checkpoint)
        self._scalers.load_state_dict(checkpoint.get("scalers", {}))

    def training_step(self, batch: Any, batch_idx: int) -> Terms:
        """One batch: a fake, the discriminator's turn, the generator's turn, the average. Not to be overridden.

        Returns:
            Every term as ``discriminator/<term>`` and ``generator/<term>``, each player's sum as ``.../loss``, and
            whatever else a variant's step returns, which by convention is named ``state/<name>``.
        """
        steps = self.trainer.global_step
        begin_batch(self.compiled)
        batch = self.receive(batch)
        movers = self._movers()
        fake = self._draw(batch, "generator" in movers)
        self._inspect_fake(batch, fake)
        seen = detached(fake, self.compiled)
        terms: Terms = {}
        for player in movers:
            terms |= self._step(player, batch, fake if player == "generator" else seen)
        if self.trainer.world_size > 1:
            self._average_batch_statistics()
        if "generator" in movers and self.generator_ema is not None:
            self.generator_ema.update_parameters(self.generator)
        self._step_schedules(terms)
        self._count_one_step(steps)
        self._log_terms(terms)
        self._micro_batches = None
        return terms

    def _draw(self, batch: Batch, with_graph: bool) -> Fake:
        """The fakes for a batch; where it goes through the players in parts, without a graph."""
        if self.accumulate > 1:
            self._micro_batches = MicroBatches(self.generate, batch, self.accumulate)
            return self._micro_batches.fake
        with torch.set_grad_enabled(with_graph):
            return self.generate(batch)

    def _movers(self) -> tuple[str, ...]:
        """The players that `movers` names; refuses names that are not players."""
        movers = tuple(self.movers())
        if unknown := [name for name in movers if name not in self.players]:
            raise UsageError(f"movers() must name players of {', '.join(self.players)}, got {unknown[0]!r}")
        return movers

    def _inspect_fake(self, batch: Batch, fake: Fake) -> None:
        """Refuses fakes whose shape is not that of the real samples; checks them once a run."""
        drawn = fake.get(self.subject) if isinstance(fake, dict) else fake
        real = batch.get(self.subject)
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
        step = getattr(self, name, None)  # a third player need not have one
        terms = (
            step(batch, fake) if step else self._move(player, self._hook(f"{player}_loss", "named terms"), batch, fake)
        )
        if not isinstance(terms, dict):
            raise UsageError(
                f"{name} must return a dict of terms: super().{name}(batch, fake) gives one, {{}} is "
                f"a move that is left out; got a {type(terms).__name__}"
            )
        return dict(terms)

    def _move(self, player: str, objective: Objective, batch: Batch, fake: Fake) -> Terms:
        """One step of a player's optimizer, down the sum of its objective's terms."""
        optimizer = self._optimizers()[self.players.index(player)]
        self._watched.player = player
        self._scalers.take(self.trainer.precision_plugin, player)
        is_first = player not in self._moved
        self._moved.add(player)
        shown: Terms = {}
        passes = 1 if self._micro_batches is None else len(self._micro_batches.parts)
        with self._turn(player):
            optimizer.zero_grad()
            for number, (share, part, drawn) in enumerate(self._passes(player, batch, fake), 1):
                with first_move(self, player) if is_first else nullcontext(), self._as_written(is_first):
                    terms = checked_terms(player, objective(part, drawn))
                # a stack: sum() would begin with an integer and add one term after the other, a kernel each
                terms = {**terms, "loss": torch.stack([full(term) for term in terms.values()]).sum()}
                for name, term in terms.items():
                    mean = term.detach() if share == 1 else share * term.detach()
                    shown[name] = shown[name] + mean if name in shown else mean
                loss = terms["loss"] if share == 1 else share * terms["loss"]
                shown = self._backward(player, optimizer, loss, shown, is_last=number == passes)
            optimizer.step(refusing_closure(optimizer) if is_first else None)
        return {f"{player}/{name}": term for name, term in shown.items()}

    def _passes(self, player: str, batch: Batch, fake: Fake) -> Iterable[Turn]:
        """What a player's move goes through: the batch as a whole, or its parts."""
        parts = self._micro_batches
        return [(1.0, batch, fake)] if parts is None else parts.turns(player == "generator")

    def _backward(self, player: str, optimizer: Any, loss: Tensor, terms: Terms, is_last: bool) -> Terms:
        """Backward from a loss; the last one of a move averages gradients and terms over devices. Returns the terms."""
        if self.trainer.world_size == 1:
            self._refuse_nonfinite(player, terms)
            self.manual_backward(loss)
            return terms
        strategy = self.trainer.strategy
        assert isinstance(strategy, DDPStrategy)
        values = torch.stack([full(term) for term in terms.values()])
        trained = (p for p in parameters_of(optimizer) if p.requires_grad)
        # DDP's own reducer expects the gradients of all players at once
        with strategy.block_backward_sync(), MeanGradients(trained, values) if is_last else nullcontext():
            self.manual_backward(loss)
        if not is_last:
            return terms
        terms = dict(zip(terms, values.unbind(), strict=True))
        self._refuse_nonfinite(player, terms)  # the devices' mean: all of them stop here, or none
        return terms

    def _as_written(self, is_first: bool) -> Any:
        """While it lasts, compiled players run as they were: hooks that look at a first move see nothing else."""
        return torch.compiler.set_stance("force_eager") if self.compiled and is_first else nullcontext()

    @contextmanager
    def _turn(self, player: str) -> Iterator[None]:
        """Freezes what only other players move, so that no gradient is computed to be thrown away.

        The parameters of each player are looked up every time, because a callback may freeze and unfreeze layers.
        """
        moved = dict(zip(self.players, map(parameters_of, self._optimizers()), strict=True))
        own = set(map(id, moved.pop(player)))
        frozen = [p for others in moved.values() for p in others if p.requires_grad and id(p) not in own]
        for parameter in frozen:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in frozen:
                parameter.requires_grad_(True)

    def _count_one_step(self, before: int) -> None:
        """Counts the batch as one step, however often optimizers stepped in it: three times, or not at all."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        surplus = self.trainer.global_step - before - 1
        for counter in (progress.total, progress.current):
            counter.ready -= surplus
            counter.completed -= surplus


def _either(player: str, kind: str, own: Any, both: Any) -> Any:
    """A player's own factory, else the one for all players; its errors name the argument that it was given as."""
    return named(kind, both) if own is None else named(f"{player}_{kind}", own)

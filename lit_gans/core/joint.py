"""Models without a game: one objective and one optimizer for all networks."""

from abc import abstractmethod
from functools import wraps
from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_gans.core.checks import checked_terms, refuse_idle
from lit_gans.core.factories import named, options_of
from lit_gans.core.generative import Batch, GenerativeModel
from lit_gans.core.gradients import parameters_of
from lit_gans.core.reduction import MeanGradients
from lit_gans.errors import UsageError
from lit_gans.losses import Terms
from lit_gans.optim import Adam, ExponentialAverage


class JointModel(GenerativeModel):
    """Networks that minimise one sum of named terms together, by Lightning's automatic optimization.

    A variant sets the networks named in ``players`` after ``super().__init__()`` and writes `loss`. The rest is here:
    one optimizer and schedule, averages, logging, several devices. One batch is one step.

    Args:
        optimizer: makes the optimizer from all parameters: a class or its name, a ``functools.partial`` or a function.
        scheduler: makes the learning-rate schedule, which is stepped once a batch, or as Lightning's dict says.
        model: arguments of `GenerativeModel`: image_shape, num_classes, clip_norm and ema_decay.

    Raises:
        UsageError: if an argument is out of range, or a factory cannot be named in a checkpoint.
    """

    players: ClassVar[tuple[str, ...]] = ("generator",)

    def __init__(
        self, *, optimizer: OptimizerCallable = Adam, scheduler: LRSchedulerCallable | None = None, **model: Any
    ) -> None:
        super().__init__(**model)
        self.optimizer_factory = named("optimizer", optimizer, again=True)
        self.scheduler_factory = named("scheduler", scheduler)
        self.scheduler_options = options_of("scheduler", scheduler)
        self._followed = -1
        self._reduced: set[int] = set()

    @abstractmethod
    def loss(self, batch: Batch) -> Terms:
        """The terms, means over the batch, whose sum all networks minimise."""

    def averages(self) -> list[tuple[ExponentialAverage, nn.Module]]:
        """Every average that is kept, with the network that it follows."""
        return [] if self.generator_ema is None else [(self.generator_ema, self.generator)]

    def training_step(self, batch: Any, batch_idx: int) -> Terms:
        """One batch: every term and, as ``loss``, their sum."""
        terms = checked_terms("model", self.loss(self.receive(batch)))
        loss = torch.stack(list(terms.values())).sum()
        shown = {name: term.detach() for name, term in {**terms, "loss": loss}.items()}
        if self.trainer.world_size > 1:  # the devices' mean: all of them stop here, or none
            values = self.trainer.strategy.reduce(torch.stack(list(shown.values())), reduce_op="mean")
            shown = dict(zip(shown, values.unbind(), strict=True))
        self._refuse_nonfinite("model", shown)
        self._log_terms(shown)
        return {**shown, "loss": loss}

    def on_fit_start(self) -> None:
        """Also remembers the parameters whose gradients DDP averages over devices: those that are not frozen by now."""
        super().on_fit_start()
        self._reduced = {id(p) for p in self.parameters() if p.requires_grad}

    def backward(self, loss: Tensor, *arguments: Any, **options: Any) -> None:
        """Lightning's; on several devices also averages the gradients of parameters that were unfrozen since."""
        super().backward(loss, *arguments, **options)
        if self.trainer.world_size > 1:
            with MeanGradients(p for p in self.parameters() if p.requires_grad and id(p) not in self._reduced):
                pass  # backward is over

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """Lightning's, then moves the averages, which must happen before any callback can save."""
        super().optimizer_step(*arguments, **options)
        self._follow()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if (override := vars(cls).get("optimizer_step")) is not None:

            @wraps(override)
            def optimizer_step(self: "JointModel", *arguments: Any, **named: Any) -> None:
                override(self, *arguments, **named)
                self._follow()  # Lightning's own examples step the optimizer here, without super()

            cls.optimizer_step = optimizer_step  # type: ignore[method-assign]

    def _follow(self) -> None:
        """Moves the averages, once a batch."""
        if self._followed != self.batch_number:
            self._followed = self.batch_number
            for average, network in self.averages():
                average.update_parameters(network)

    def on_train_start(self) -> None:
        """Also lets the averages go on from where a checkpoint left them; refuses weights that no optimizer moves."""
        super().on_train_start()
        moved = [p for optimizer in self.trainer.optimizers for p in parameters_of(optimizer)]
        players = " or ".join(f"the {player}" for player in self.players)
        refuse_idle(self, moved, f"{players}, or give it to the one optimizer")
        self._followed = -1
        for average, _ in self.averages():
            average.updates = None

    def reset_average(self) -> None:
        """Restarts all averages at the present weights."""
        for average, network in self.averages():
            average.restart(network)

    def configure_optimizers(self) -> Any:
        """One optimizer and, if wanted, one schedule, over all parameters that are not frozen."""
        pairs = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        if not pairs:
            raise UsageError(f"no network of {', '.join(self.players)} has a parameter that requires a gradient")
        optimizer = self.optimizer_factory([p for _, p in pairs], named_parameters=pairs)
        if self.scheduler_factory is None:
            return optimizer
        scheduler = self.scheduler_factory(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau) and "monitor" not in self.scheduler_options:
            raise UsageError(
                f"{type(self).__name__} steps its schedule after every batch, and ReduceLROnPlateau waits for a score; "
                "use lit_gans.optim.LinearDecay or another one of fixed length, or name the score in Lightning's dict: "
                "scheduler={'scheduler': ..., 'monitor': 'val/fid'}"
            )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"name": "lr", **self.scheduler_options, "scheduler": scheduler},
        }

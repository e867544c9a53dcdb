"""BaseGAN: the alternating game of two players, and everything about it that no paper says."""

import atexit
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities import rank_zero_warn
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_gans import checkpoints
from lit_gans.errors import NonFiniteLoss, UsageError
from lit_gans.losses import Terms
from lit_gans.networks.base import evaluating
from lit_gans.optim import Adam, ExponentialAverage

Batch = dict[str, Tensor]
Fake = Any
ImageShape = tuple[int, int, int]
Objective = Callable[[Batch, Fake], Terms]

PLAYERS = ("generator", "discriminator")
_IMAGES = ("image", "source", "target", "a", "b")


class BaseGAN(LightningModule, ABC):
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
        image_shape: (channels, height, width); the command line takes it from the data.
        num_classes: number of classes; the command line takes it from the data.
        generator_optimizer: makes the generator's optimizer from its parameters: a class or ``functools.partial``.
        discriminator_optimizer: the same for the discriminator.
        generator_scheduler: makes the generator's learning-rate schedule, which is stepped once a batch.
        discriminator_scheduler: the same for the discriminator.
        generator_every: the generator moves once in so many batches (WGAN's n_critic).
        clip_norm: largest gradient norm of a player; longer gradients are scaled down to it.
        ema_decay: share of the averaged generator that one update keeps; 0 keeps no average.

    Raises:
        UsageError: if an argument is out of range or a factory cannot be named in a checkpoint.
    """

    generator: nn.Module
    discriminator: nn.Module
    #: names that a batch must have
    needs: tuple[str, ...] = ()

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        image_shape: ImageShape | None = None,
        num_classes: int | None = None,
        generator_optimizer: OptimizerCallable = Adam,
        discriminator_optimizer: OptimizerCallable = Adam,
        generator_scheduler: LRSchedulerCallable | None = None,
        discriminator_scheduler: LRSchedulerCallable | None = None,
        generator_every: int = 1,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
    ) -> None:
        super().__init__()
        if generator_every < 1:
            raise UsageError(f"generator_every counts batches and must be at least 1, got {generator_every}")
        if not 0 <= ema_decay < 1:
            raise UsageError(f"ema_decay must be in [0, 1), where 0 keeps no average, got {ema_decay}")
        if clip_norm is not None and clip_norm <= 0:
            raise UsageError(f"clip_norm must be positive, or None not to clip, got {clip_norm}")
        self.automatic_optimization = False
        self.given_networks = checkpoints.save_hyperparameters(self)
        self.image_shape = None if image_shape is None else tuple(image_shape)
        self.num_classes = num_classes
        self.generator = generator
        self.discriminator = discriminator
        self.generator_ema = ExponentialAverage(self.generator, ema_decay) if ema_decay else None
        self.optimizer_factories = (generator_optimizer, discriminator_optimizer)
        self.scheduler_factories = (generator_scheduler, discriminator_scheduler)
        self.generator_every = generator_every
        self.clip_norm = clip_norm
        self._trainable: dict[str, list[nn.Parameter]] = {}
        self._inspected = False
        self._random_states: list[dict[str, Any]] | None = None

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

    @abstractmethod
    def sample(self, n: int = 64, *, seed: int | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] from the averaged generator, repeatable for a seed."""

    # ---------------------------------------------------------------- what a variant may wrap

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn: freeze the generator, terms, backward, clip, step."""
        return self._descend("discriminator", self.discriminator_loss, batch, fake)

    def generator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The generator's turn: freeze the discriminator, terms, backward, clip, step."""
        return self._descend("generator", self.generator_loss, batch, fake)

    # ---------------------------------------------------------------- the game

    def training_step(self, batch: Any, batch_idx: int) -> Terms:
        """One batch: a fake, the discriminator's turn, the generator's turn, the average. Not to be overridden.

        Returns:
            Every term as ``discriminator/<term>`` and ``generator/<term>``, and each player's sum as ``.../loss``.
        """
        batch = self.receive(batch)
        # batch_idx restarts every epoch, and global_step has not counted this batch yet
        generator_moves = self.trainer.fit_loop.total_batch_idx % self.generator_every == 0
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

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """As many samples as the batch has entries."""
        entry = next(iter(self.receive(batch).values()))
        return self.sample(len(entry), seed=batch_idx)

    def test_step(self, batch: Any, batch_idx: int) -> Any:
        """The same as a validation step."""
        return self.validation_step(batch, batch_idx)

    def receive(self, batch: Any) -> Batch:
        """Turns a user's own ``image`` or ``(image, label)`` into the dict of the contract and inspects the first one.

        Raises:
            UsageError: if the first batch lacks what the model ``needs``, or holds images that are not float in [-1, 1]
                or not of ``image_shape``.
        """
        if isinstance(batch, Tensor):
            batch = {"image": batch}
        elif isinstance(batch, (tuple, list)):
            batch = dict(zip(("image", "label"), batch, strict=False))
        if not self._inspected:
            if missing := [name for name in self.needs if name not in batch]:
                raise UsageError(
                    f"{type(self).__name__} needs batches with {', '.join(missing)}, but the data gives "
                    f"{', '.join(batch)}; use another data set, or a model that is made for this one"
                )
            for name in _IMAGES:
                if name in batch:
                    _inspect(name, batch[name], self.image_shape if name == "image" else None)
            self._inspected = True
        return batch

    @contextmanager
    def inference_generator(self) -> Iterator[nn.Module]:
        """The averaged generator (the plain one if there is no average) in evaluation mode, put back afterwards."""
        network = self.generator if self.generator_ema is None else self.generator_ema.module
        with evaluating(network):
            yield network

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

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clips here and nowhere else: by now a gradient scaler has taken its scale off."""
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], self.clip_norm)

    def _optimizers(self) -> list[Any]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers

    def _step_schedules(self, terms: Terms) -> None:
        for config in self.trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, ReduceLROnPlateau):
                loss = terms.get(f"{str(config.name).removeprefix('lr-')}/loss")
                if loss is not None:
                    config.scheduler.step(loss)
            else:
                config.scheduler.step()

    # ---------------------------------------------------------------- logging and safety

    def _logs_this_batch(self) -> bool:
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        due = every > 0 and (self.trainer.fit_loop.total_batch_idx + 1) % every == 0
        return due or bool(self.trainer.fast_dev_run)  # type: ignore[attr-defined]

    def _refuse_nonfinite(self, player: str, terms: Terms) -> None:
        """Stops before a broken loss reaches the weights; on an accelerator only as often as it logs, to save syncs."""
        if self.device.type != "cpu" and not self._logs_this_batch():
            return
        for name, term in terms.items():
            if not torch.isfinite(term):
                batch = self.trainer.fit_loop.total_batch_idx
                raise NonFiniteLoss(
                    f"the {player}'s term '{name}' became {float(term.detach())} at batch {batch}; training stopped, "
                    "the last checkpoint was kept; try a lower learning rate, clip_norm=1 or precision 32-true"
                )

    # ---------------------------------------------------------------- several devices, resume, checkpoints

    def setup(self, stage: str) -> None:
        """Proves before the first batch that what this run saves can be loaded."""
        if stage != "fit":
            return
        refuse_strategy(self.trainer.strategy)
        checkpoints.prove_loadable(self)
        if self.trainer.world_size > 1:
            atexit.unregister(_leave_group)
            atexit.register(_leave_group)

    def on_train_start(self) -> None:
        """Restores the random states of a resumed run; gives every device of a new one its own."""
        rank, states = self.global_rank, self._random_states
        if self.generator_ema is not None:
            self.generator_ema.updates = None  # read again from what a checkpoint has restored
        self._random_states = None
        if states is not None and len(states) == self.trainer.world_size:
            checkpoints.set_random_state(states[rank], self.device)
        elif self.trainer.world_size > 1:
            torch.manual_seed(torch.initial_seed() + rank)
            if states is not None:
                rank_zero_warn(
                    f"resuming on {self.trainer.world_size} devices what was saved on {len(states)}: "
                    "the run goes on, but is not the same bit for bit"
                )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the class, the arguments and every device's random state; refuses weights that are not finite."""
        for name, value in checkpoint["state_dict"].items():
            if isinstance(value, Tensor) and value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise NonFiniteLoss(f"{name} holds NaN or infinity: nothing was saved and the last checkpoint was kept")
        checkpoint[checkpoints.KEY] = checkpoints.describe(self)
        state = checkpoints.random_state(self.device)
        states: list[Any] = [state]
        if self._trainer is not None and self.trainer.world_size > 1:
            states = [None] * self.trainer.world_size
            dist.all_gather_object(states, state)
        checkpoint[checkpoints.RANDOM] = states

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the random states until training starts, after the data loaders have drawn from them."""
        self._random_states = checkpoint.get(checkpoints.RANDOM)

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Loads weights; ones of another architecture are a `UsageError`."""
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise UsageError(
                f"the saved weights do not fit this {type(self).__name__}; give it the arguments it was trained with: "
                f"{reason}"
            ) from None

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, map_location: Any = None, **arguments: Any) -> Any:  # type: ignore[override]
        """`load`, for a checkpoint that must hold this class or a subclass of it."""
        return checkpoints.load(checkpoint_path, map_location, expected=cls, **arguments)


def refuse_strategy(strategy: Any) -> None:
    """Raises a `UsageError` for a strategy that two players in one module cannot be trained with."""
    popen = getattr(strategy, "_start_method", "popen") == "popen"  # spawned and forked processes share no launcher
    if not isinstance(strategy, (SingleDeviceStrategy, DDPStrategy)) or not popen:
        name = f"{type(strategy).__name__}{'' if popen else ' with spawned processes'}"
        raise UsageError(
            f"a GAN trains on one device or with 'ddp' on several, each in a process of its own, got {name}; leave "
            "trainer.strategy at 'auto'"
        )


def _leave_group() -> None:
    """Ends this process's part in the group: gloo's threads, left running, can abort a process that is done."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _all_reduce_mean(tensors: list[Tensor]) -> None:
    """Replaces every tensor by its mean over all devices, in one reduction a dtype."""
    for dtype in dict.fromkeys(t.dtype for t in tensors):
        group = [t for t in tensors if t.dtype == dtype]
        flat = torch.cat([t.reshape(-1) for t in group])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for tensor, mean in zip(group, flat.split([t.numel() for t in group]), strict=True):
            tensor.copy_(mean.view_as(tensor))


def _inspect(name: str, images: Tensor, shape: tuple[int, ...] | None) -> None:
    """Refuses a batch of images that no generator with a tanh could match."""
    low, high = float(images.min()), float(images.max())
    if not images.is_floating_point() or low < -1.001 or high > 1.001:
        raise UsageError(
            f"'{name}' must be float images in [-1, 1], as the generator draws them, got {images.dtype} in "
            f"[{low:g}, {high:g}]; normalise them with image / 127.5 - 1 if they are in [0, 255] or image * 2 - 1 if "
            "they are in [0, 1]"
        )
    if low >= 0:
        rank_zero_warn(
            f"no value of the first '{name}' batch is below 0 (range [{low:g}, {high:g}]): images in [0, 1] must be "
            "normalised with image * 2 - 1"
        )
    if shape is not None and tuple(images.shape[1:]) != shape:
        raise UsageError(
            f"the model was built for images of shape {shape} (channels, height, width), but the data gives "
            f"{tuple(images.shape[1:])}; set image_shape to what the data gives"
        )

"""GenerativeModel: what every model is, whatever it is trained by."""

import atexit
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_gans import checkpoints
from lit_gans.errors import NonFiniteLoss, UsageError
from lit_gans.losses import Terms
from lit_gans.networks.base import evaluating
from lit_gans.optim import ExponentialAverage

Batch = dict[str, Tensor]
ImageShape = tuple[int, int, int]

_IMAGES = ("image", "source", "target", "a", "b")


class GenerativeModel(LightningModule, ABC):
    """A generator, its average, and what every model shares however it is trained.

    Batches are inspected once, losses that are not finite stop the run, checkpoints describe themselves, and a resumed
    run goes on bit for bit. `BaseGAN` adds the game; autoencoders add an encoder.

    Args:
        generator: what draws; several networks go into one ``nn.ModuleDict``.
        image_shape: (channels, height, width); the command line takes it from the data.
        num_classes: number of classes; the command line takes it from the data.
        clip_norm: largest norm of an optimizer's gradient; longer ones are scaled down to it.
        ema_decay: share of the averaged generator that one update keeps; 0 keeps no average.

    Raises:
        UsageError: if an argument is out of range or a factory cannot be named in a checkpoint.
    """

    generator: nn.Module
    #: the networks that train, as attributes
    players: ClassVar[tuple[str, ...]]
    #: names that a batch must have
    needs: tuple[str, ...] = ()
    #: whether `sample` draws from noise; what makes images of images does not
    draws: ClassVar[bool] = True

    def __init__(
        self,
        generator: nn.Module,
        *,
        image_shape: ImageShape | None = None,
        num_classes: int | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
    ) -> None:
        super().__init__()
        if not 0 <= ema_decay < 1:
            raise UsageError(f"ema_decay must be in [0, 1), where 0 keeps no average, got {ema_decay}")
        if clip_norm is not None and not clip_norm > 0:  # nor NaN
            raise UsageError(f"clip_norm must be positive, or None not to clip, got {clip_norm}")
        self.given_networks = checkpoints.save_hyperparameters(self)
        self.image_shape = None if image_shape is None else tuple(image_shape)
        self.num_classes = num_classes
        self.generator = generator
        self.generator_ema = ExponentialAverage(self.generator, ema_decay) if ema_decay else None
        self.clip_norm = clip_norm
        self._inspected = False
        self._random_states: list[dict[str, Any]] | None = None

    @abstractmethod
    def sample(self, n: int = 64, *, seed: int | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] from the averaged generator, repeatable for a seed."""

    @property
    def batch_number(self) -> int:
        """The number of this batch in the run, from 0: ``batch_idx`` restarts every epoch."""
        return self.trainer.fit_loop.total_batch_idx

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

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """As many samples as the batch has entries."""
        entry = next(iter(self.receive(batch).values()))
        return self.sample(len(entry), seed=batch_idx)

    def test_step(self, batch: Any, batch_idx: int) -> Any:
        """The same as a validation step."""
        return self.validation_step(batch, batch_idx)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clips here and nowhere else: by now a gradient scaler has taken its scale off."""
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], self.clip_norm)

    # ---------------------------------------------------------------- logging and safety

    def _logs_this_batch(self) -> bool:
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        due = every > 0 and (self.batch_number + 1) % every == 0
        return due or bool(self.trainer.fast_dev_run)  # type: ignore[attr-defined]

    def _refuse_nonfinite(self, player: str, terms: Terms) -> None:
        """Stops before a broken loss reaches the weights; on an accelerator only as often as it logs, to save syncs."""
        if self.device.type != "cpu" and not self._logs_this_batch():
            return
        for name, term in terms.items():
            if not torch.isfinite(term):
                raise NonFiniteLoss(
                    f"the {player}'s term '{name}' became {float(term.detach())} at batch {self.batch_number}; "
                    "training stopped, the last checkpoint was kept; try a lower learning rate, clip_norm=1 or "
                    "precision 32-true"
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
            f"a model trains on one device or with 'ddp' on several, each in a process of its own, got {name}; leave "
            "trainer.strategy at 'auto'"
        )


def _leave_group() -> None:
    """Ends this process's part in the group: gloo's threads, left running, can abort a process that is done."""
    if dist.is_initialized():
        dist.destroy_process_group()


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

"""GenerativeModel: what every model is, whatever it is trained by."""

import atexit
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_gans import checkpoints
from lit_gans.checkpoints import changes, place, resume
from lit_gans.core.checks import refuse_batch, refuse_few_bits, refuse_options, refuse_precision, refuse_strategy
from lit_gans.core.gradients import CURE, Watched
from lit_gans.core.hooks import keep_hooks
from lit_gans.data.order import first_of, repeated, size_of
from lit_gans.errors import NonFiniteLoss, UsageError, reason
from lit_gans.losses import Terms
from lit_gans.networks.base import evaluating
from lit_gans.optim import ExponentialAverage

Batch = dict[str, Tensor]
ImageShape = tuple[int, int, int]


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
        self._inspected: set[str] = set()
        self._shown: Terms = {}
        self._watched = Watched()
        self.repeats = False
        self._weight: float | None = None
        self._random_states: list[dict[str, Any]] | None = None
        self._place: place.Place | None = None
        self._saved_optimizers: list[dict[str, Any]] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        keep_hooks(cls, GenerativeModel)

    @abstractmethod
    def sample(self, n: int = 64, *, seed: int | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] from the averaged generator, repeatable for a seed."""

    @property
    def batch_number(self) -> int:
        """The number of this batch in the run, from 0: ``batch_idx`` restarts every epoch."""
        return self.trainer.fit_loop.total_batch_idx

    def receive(self, batch: Any) -> Batch:
        """Turns a user's own ``image`` or ``(image, label)`` into the dict of the contract, in the model's number type.

        The first batch of every stage of every run is inspected: of training, of validation, of a test.

        Raises:
            UsageError: if it is no such batch, lacks what the model ``needs``, or holds images that are not float in
                [-1, 1] or not of ``image_shape``.
        """
        if isinstance(batch, Tensor):
            batch = {"image": batch}
        elif isinstance(batch, (tuple, list)):
            batch = dict(zip(("image", "label"), batch, strict=False))
        elif not isinstance(batch, dict):
            raise UsageError(
                f"a batch must be images, (images, labels) or a dict such as {{'image': images}}, got a "
                f"{type(batch).__name__}; turn it into one in the data's collate_fn, or override receive()"
            )
        stage = "" if self._trainer is None else str(self.trainer.state.stage)
        if stage not in self._inspected:
            refuse_batch(type(self).__name__, batch, self.needs, self.image_shape)
            self._inspected.add(stage)
        return {
            name: value.to(self.dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
            for name, value in batch.items()
        }

    def forward(self, *inputs: Any) -> Any:
        """What the averaged generator, in evaluation mode, makes of its inputs: noise (N, latent_dim) for most models.

        It has a gradient; `sample` does not.
        """
        with self.inference_generator() as generator:
            return generator(*inputs)

    def bfloat16(self) -> "GenerativeModel":
        """All weights in bfloat16; Lightning keeps track of ``half()`` and ``double()``, but not of this one."""
        return self.to(torch.bfloat16)

    def number(self, batch_idx: int) -> int:
        """The number that a batch of a validation has where one device has them all: devices take turns."""
        if self._trainer is None:
            return batch_idx
        return batch_idx * self.trainer.world_size + self.trainer.global_rank

    def _on_before_batch_transfer(self, batch: Any, dataloader_idx: int = 0) -> Any:
        """Sees to it that on several devices no held-out sample counts twice.

        Loaders are padded, so that all devices have equally many batches. What another batch has too is cut off here;
        ``repeats`` says that this is the whole batch, which keeps step with the others and counts for nothing. (Of the
        public hook Lightning warns wherever there is a data module, and takes one of the two.)
        """
        batch = super()._on_before_batch_transfer(batch, dataloader_idx)
        trainer, self.repeats, self._weight = self._trainer, False, None
        if trainer is None or trainer.world_size == 1 or trainer.training or trainer.predicting:
            return batch
        loops = {"validate": trainer.validate_loop, "test": trainer.test_loop}
        loop = loops.get(str(trainer.state.fn.value if trainer.state.fn else ""), trainer.fit_loop.epoch_loop.val_loop)
        loaders = trainer.test_dataloaders if trainer.testing else trainer.val_dataloaders
        loader = loaders[dataloader_idx] if isinstance(loaders, (list, tuple)) else loaders
        twice, size = repeated(loader, loop.batch_progress.current.ready), size_of(batch)
        self.repeats = twice is None or (twice > 0 and twice == size)
        if size is not None:
            self._weight = 0.0 if self.repeats else float(size - (twice or 0))
        return batch if self.repeats or not twice or size is None else first_of(batch, size - twice)

    def log(self, name: str, value: Any, *arguments: Any, **options: Any) -> None:
        """Lightning's; on several devices held-out samples weigh the same wherever they are, and repeated ones nothing.

        Lightning takes the mean of the batch sizes over devices in whole numbers, unless they are floats.
        """
        if self._weight is not None and self._current_fx_name in ("validation_step", "test_step"):
            options["batch_size"] = 0.0 if self.repeats else float(options.get("batch_size") or self._weight)
        super().log(name, value, *arguments, **options)

    @contextmanager
    def inference_generator(self) -> Iterator[nn.Module]:
        """The averaged generator (the plain one if there is no average) in evaluation mode, put back afterwards."""
        network = self.generator if self.generator_ema is None else self.generator_ema.following(self.generator)
        with evaluating(network):
            yield network

    def reset_average(self) -> None:
        """Lets the average begin anew at the generator's present weights: after weights were loaded into it, say."""
        if self.generator_ema is not None:
            self.generator_ema.restart(self.generator)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """As many samples as the batch has entries."""
        entry = next(iter(self.receive(batch).values()))
        return self.sample(len(entry), seed=batch_idx)

    def test_step(self, batch: Any, batch_idx: int) -> Any:
        """The same as a validation step."""
        return self.validation_step(batch, batch_idx)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Looks at the gradient and clips it, here and nowhere else: by now a gradient scaler has taken its scale off.

        Raises:
            NonFiniteLoss: if the gradient is not finite or would overflow an optimizer's moments; on an accelerator
                the gradient is zero then, and the error comes when losses are logged or a checkpoint is saved.
        """
        self._watched.look(optimizer, self.batch_number, getattr(self.trainer.precision_plugin, "scaler", None))
        if self.clip_norm is not None:
            self._watched.clip(optimizer, self.clip_norm)

    @property
    def gradient_norms(self) -> dict[str, Tensor]:
        """The norm of every player's last gradient, before it was clipped."""
        return self._watched.norms

    # ---------------------------------------------------------------- logging and safety

    def _logs_this_batch(self) -> bool:
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        due = every > 0 and (self.batch_number + 1) % every == 0
        return due or bool(self.trainer.fast_dev_run)  # type: ignore[attr-defined]

    def _log_terms(self, terms: Terms) -> None:
        """Logs the last known value of every term: some come less often than losses are logged."""
        self._shown |= terms
        if self._logs_this_batch():
            self._watched.refuse_broken()
            self.log_dict(self._shown)

    def _refuse_nonfinite(self, player: str, terms: Terms) -> None:
        """Stops before a broken loss reaches the weights; on an accelerator only as often as it logs, to save syncs."""
        if self.device.type != "cpu" and not self._logs_this_batch():
            return
        for name, term in terms.items():
            if not torch.isfinite(term):
                raise NonFiniteLoss(
                    f"the {player}'s term '{name}' became {float(term.detach())} at batch {self.batch_number}; {CURE}"
                )

    # ---------------------------------------------------------------- several devices, resume, checkpoints

    def configure_callbacks(self) -> list[Any]:
        """None; it is the one hook before Lightning refuses what it cannot do here with advice that does not help."""
        if self.trainer.state.fn == "fit":
            refuse_options(self.trainer)
        return []

    def setup(self, stage: str) -> None:
        """Proves before the first batch that what this run saves can be loaded."""
        self._inspected.clear()  # this run's data may be other data
        if stage != "fit":
            return
        self._shown, self._watched = {}, Watched()
        refuse_strategy(self.trainer.strategy)
        refuse_precision(self.trainer.precision)
        refuse_few_bits(self)
        checkpoints.prove_loadable(self)
        if self.trainer.world_size > 1:
            # or DDP gives all devices the first one's when a run begins
            self._ddp_params_and_buffers_to_ignore = [*self._own_buffers()]
            atexit.unregister(_leave_group)
            atexit.register(_leave_group)

    def on_fit_start(self) -> None:
        """Looks whether the optimizers can go on with the states of a resumed run."""
        if self._saved_optimizers is not None:
            resume.refuse_optimizers(self.trainer.optimizers, self._saved_optimizers, self.trainer.ckpt_path)
            self._saved_optimizers = None

    def on_train_start(self) -> None:
        """Restores the random states of a resumed run; gives every device of a new one its own."""
        rank, states = self.global_rank, self._random_states
        if self._place is not None:
            place.go_on(self.trainer, self._place)
            self._place = None
        if self.generator_ema is not None:
            self.generator_ema.updates = None  # read again from what a checkpoint has restored
            if not self.generator_ema.started:
                self.reset_average()  # weights may have been loaded into the generator since it was made
        self._random_states = None
        if states is not None and len(states) == self.trainer.world_size:
            checkpoints.set_random_state(states[rank], self.device)
            for name, value in states[rank].get("buffers", {}).items():
                self.get_buffer(name).copy_(value)
            return
        if self.trainer.world_size > 1:
            torch.manual_seed(torch.initial_seed() + rank)
        if states is not None:
            rank_zero_warn(
                f"resuming on {self.trainer.world_size} device(s) what was saved on {len(states)}: the run goes on, "
                "but is not the same bit for bit"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the class, the arguments and every device's random state; refuses numbers that are not finite.

        Raises:
            NonFiniteLoss: if a weight, or what an optimizer remembers of it, is NaN or infinite.
        """
        checkpoint["state_dict"] = {
            checkpoints.plain_key(key): value for key, value in checkpoint["state_dict"].items()
        }
        checkpoint[checkpoints.KEY] = checkpoints.describe(self)
        own, complaint = checkpoints.random_state(self.device), checkpoints.broken(checkpoint) or self._watched.broken()
        states: list[Any] = [(own, complaint)]
        if self._trainer is not None and self.trainer.world_size > 1:
            states = [None] * self.trainer.world_size
            dist.all_gather_object(states, ({**own, "buffers": self._own_buffers()}, complaint))
        if complaint := next((told for _, told in states if told), None):  # on all devices or on none
            raise NonFiniteLoss(f"{complaint}: nothing was saved; {CURE}")
        checkpoint[checkpoints.RANDOM] = [state for state, _ in states]
        if self._trainer is not None:
            checkpoint[place.RUN] = {**changes.describe(self.trainer), **place.measure(self.trainer)}

    def _own_buffers(self) -> dict[str, Tensor]:
        """Those that every device fills by itself, a pool's fakes say; the others are alike on all."""
        return {
            f"{prefix}.{name}": value.cpu()
            for prefix, module in self.named_modules()
            if getattr(module, "each_device_its_own", False)
            for name, value in module.named_buffers(recurse=False)
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the random states until training starts, after the data loaders have drawn from them."""
        self._random_states = checkpoint.get(checkpoints.RANDOM)
        if self._trainer is not None:
            resume.refuse_class(self, checkpoint, self.trainer.ckpt_path)
            if self.trainer.state.fn == "fit":
                self._place = resume.begin(self, checkpoint)
                self._saved_optimizers = checkpoint["optimizer_states"]

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Loads weights; ones of another architecture are a `UsageError`.

        It does not matter whether a network was wrapped by ``torch.compile``, then or now.
        """
        own = {checkpoints.plain_key(key): key for key in self.state_dict()}
        state_dict = {own.get(checkpoints.plain_key(key), key): value for key, value in state_dict.items()}
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            raise UsageError(
                f"the saved weights do not fit this {type(self).__name__}; give it the arguments it was trained with: "
                f"{reason(error, 300)}"
            ) from None

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **arguments: Any,
    ) -> Any:
        """`load`, for a checkpoint that must hold this class, by its name, or a subclass of it.

        The arguments are Lightning's and those of `load`. No code in the file is run, whatever ``weights_only`` says.
        """
        own: dict[str, Any] = {"expected": cls, "strict": strict, "hparams_file": hparams_file}
        return checkpoints.load(checkpoint_path, map_location, **own, **arguments)


keep_hooks(GenerativeModel, GenerativeModel)  # or a hook that calls super() would not be seen to have come this far


def _leave_group() -> None:
    """Ends this process's part in the group: gloo's threads, left running, can abort a process that is done."""
    if dist.is_initialized():
        dist.destroy_process_group()

"""Checkpoints of a model, and how a run goes on from one."""

import atexit
import warnings
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans import checkpoints
from lit_gans.checkpoints import changes, class_names, place, resume, sampling_only
from lit_gans.core.checks import refuse_few_bits, refuse_precision, refuse_processes, refuse_strategy
from lit_gans.core.gradients import CURE, Watched
from lit_gans.core.hooks import keep_hooks
from lit_gans.core.texts import Texts
from lit_gans.errors import NonFiniteLoss, UsageError, reason
from lit_gans.images.kinds import Kind
from lit_gans.optim import ExponentialAverage
from lit_gans.text import Vocabulary

_Own = TypeVar("_Own", bound="Saving")


class Saving(Texts):
    """Proves that checkpoints can be loaded, writes and reads them, and puts a resumed run back where it was."""

    num_classes: int | None
    image_kind: Kind
    _inspected: set[str]
    _random_states: list[dict[str, Any]] | None = None
    _place: place.Place | None = None
    _saved_optimizers: list[dict[str, Any]] | None = None

    def setup(self, stage: str) -> None:
        """Proves before the first batch that what this run saves can be loaded."""
        self._inspected.clear()  # this run may have other data
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self._take_vocabularies(getattr(data, "vocabularies", None) or {}, type(data).__name__)
        refuse_processes(self.trainer)
        if stage != "fit":
            return
        self._shown, self._watched = {}, Watched()
        self._take_over()
        refuse_strategy(self.trainer.strategy)
        refuse_precision(self.trainer.precision)
        refuse_few_bits(self)
        checkpoints.prove_loadable(self)
        if self.trainer.world_size > 1:
            # otherwise DDP copies the first device's to all when a run begins
            self._ddp_params_and_buffers_to_ignore = [*self._own_buffers()]
            atexit.unregister(_leave_group)
            atexit.register(_leave_group)

    def on_fit_start(self) -> None:
        """Takes the names of the data's classes and the kind of its images; checks the states of a resumed run."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self.class_names = class_names.usable(getattr(data, "class_names", None), self.num_classes) or self.class_names
        if isinstance(kind := getattr(data, "image_kind", None), Kind):
            self.image_kind = kind
        if self._saved_optimizers is not None:
            resume.refuse_optimizers(self.trainer.optimizers, self._saved_optimizers, self.trainer.ckpt_path)
            self._saved_optimizers = None

    def on_train_start(self) -> None:
        """Restores the random states of a resumed run; gives every device of a new one its own."""
        # Lightning's advice for models that step by themselves; here a step is whole before it is saved
        warnings.filterwarnings("ignore", ".*but no pre-optimization state was saved")
        rank, states = self.global_rank, self._random_states
        if self._place is not None:
            place.go_on(self.trainer, self._place)
            self._place = None
        if self.generator_ema is not None:
            self.generator_ema.updates = None  # read again, since a checkpoint may have restored it
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
        if complaint := next((told for _, told in states if told), None):  # all devices raise, or none
            raise NonFiniteLoss(f"{complaint}: nothing was saved; {CURE}")
        checkpoint[checkpoints.RANDOM] = [state for state, _ in states]
        if self._trainer is not None:
            checkpoint[place.RUN] = {**changes.describe(self.trainer), **place.measure(self.trainer)}

    def _own_buffers(self) -> dict[str, Tensor]:
        """The buffers that every device fills by itself, say a pool's fakes; all others are the same on all devices."""
        return {
            f"{prefix}.{name}": value.cpu()
            for prefix, module in self.named_modules()
            if getattr(module, "each_device_its_own", False)
            for name, value in module.named_buffers(recurse=False)
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the random states until training starts, after the data loaders have drawn from them."""
        self._random_states = checkpoint.get(checkpoints.RANDOM)
        sampling_only.complete(self, checkpoint)
        saved = checkpoint.get(checkpoints.KEY, {}).get("vocabularies", {})
        self._take_vocabularies({name: Vocabulary(text) for name, text in saved.items()}, "the checkpoint")
        if self._trainer is not None:
            resume.refuse_class(self, checkpoint, self.trainer.ckpt_path)
            if self.trainer.state.fn == "fit":
                self._place = resume.begin(self, checkpoint)
                self._saved_optimizers = checkpoint["optimizer_states"]

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Loads weights; raises a `UsageError` for weights of another architecture.

        It does not matter whether a network was wrapped by ``torch.compile``, then or now. Averages that this model
        does not keep (``ema_decay=0``) are left out; those that only this model keeps begin at their networks.
        """
        own = {checkpoints.plain_key(key): key for key in self.state_dict()}
        state_dict = self._with_own_averages({checkpoints.plain_key(key): value for key, value in state_dict.items()})
        state_dict = {own.get(checkpoints.plain_key(key), key): value for key, value in state_dict.items()}
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            raise UsageError(
                f"the saved weights do not fit this {type(self).__name__}; give it the arguments it was trained with, "
                f"or take what fits by load(path, fit_what_fits=True, ...): {reason(error, 300)}"
            ) from None

    def _with_own_averages(self, state: dict[str, Any]) -> dict[str, Any]:
        """Saved weights without averages that this model does not keep, and with those that only it keeps."""
        for network in self.players:
            average, saved = f"{network}_ema", {key for key in state if key.startswith(f"{network}_ema.")}
            kept = getattr(self, average, None)
            if saved and kept is None and hasattr(self, average):
                state = {key: value for key, value in state.items() if key not in saved}
            elif isinstance(kept, ExponentialAverage) and not saved:
                prefix = f"{network}."
                copies = {
                    f"{average}.module.{key.removeprefix(prefix)}": value
                    for key, value in state.items()
                    if key.startswith(prefix)
                }
                state = {**state, **copies, **({f"{average}.n_averaged": torch.zeros(())} if copies else {})}
        return state

    @classmethod
    def load_from_checkpoint(
        cls: type[_Own],
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **arguments: Any,
    ) -> _Own:
        """Calls `load` for a checkpoint that must hold this class, by its name, or a subclass of it.

        The arguments are Lightning's and those of `load`. No code in the file is run, whatever ``weights_only`` says.
        """
        own: dict[str, Any] = {"expected": cls, "strict": strict, "hparams_file": hparams_file}
        return checkpoints.load(checkpoint_path, map_location, **own, **arguments)


keep_hooks(Saving, Saving)


def _leave_group() -> None:
    """Leaves the process group: gloo's threads, if left running, can abort a process that has finished."""
    if dist.is_initialized():
        dist.destroy_process_group()

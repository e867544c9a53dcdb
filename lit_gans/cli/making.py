"""Makes objects from the options of the command line; an option that cannot be used is named in one sentence."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch.cli import _InstantiatorFn

from lit_gans.checkpoints import recording
from lit_gans.cli.reasons import TRACEBACK
from lit_gans.core.generative import GenerativeModel
from lit_gans.errors import NonFiniteLoss, UsageError, own_line


class Making(_InstantiatorFn):
    """Makes the model and the data as Lightning does, and keeps their arguments for the checkpoint."""

    def __call__(self, class_type: Any, *args: Any, applied_instantiation_links: dict[str, Any], **kwargs: Any) -> Any:
        """Makes one; if the user did not name a model's backbone, its own is kept as an argument, too."""
        if self.key == "model":
            refuse_other_data(class_type, getattr(self.cli, "made_data", None))
        with one_sentence(class_type, kwargs):
            made = super().__call__(
                class_type, *args, applied_instantiation_links=applied_instantiation_links, **kwargs
            )
        if isinstance(made, GenerativeModel) and _leaves_backbone_open(made, kwargs):
            described = recording.plain("backbone", made.backbone)
            made.save_hyperparameters({"backbone": described})
        if self.key == "data":
            self.cli.made_data = made  # type: ignore[attr-defined]
        return made


def refuse_other_data(model: type[GenerativeModel], data: Any) -> None:
    """Refuses data of texts for a model of images, and the other way round, before there are networks.

    Raises:
        UsageError: naming what the model needs and what the data have.
    """
    images, texts = (getattr(data, name, None) is not None for name in ("image_shape", "text_shape"))
    pairs = getattr(data, "source_text_shape", None) is not None
    of_texts, name, given = model.of_texts, model.__name__, type(data).__name__
    if texts and not images and not of_texts and {"image", "a", "source"} & {*model.needs}:
        raise UsageError(
            f"{name} needs images, and {given} has texts alone; take other data, or a model of texts, such as "
            f"{'Seq2Seq' if pairs else 'LanguageModel'}"
        )
    if images and not texts and of_texts:
        raise UsageError(
            f"{name} needs texts, and {given} has images alone; take other data, such as "
            f"{'NumberPairs' if 'source' in model.needs else 'GrammarLines'}"
        )
    if texts and not pairs and of_texts and "source" in model.needs:
        raise UsageError(
            f"{name} needs pairs of texts, and {given} has single ones; take other data, such as NumberPairs, or "
            "another model, such as LanguageModel"
        )


def _leaves_backbone_open(model: GenerativeModel, options: dict[str, Any]) -> bool:
    """Whether a model has made all its networks with a backbone that is not among its options."""
    return model.hparams.get("backbone", "no such option") is None and not any(
        options.get(player) is not None for player in model.players
    )


def make(class_type: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Makes anything else: a network, a callback, an optimizer."""
    with one_sentence(class_type, kwargs):
        return class_type(*args, **kwargs)


@contextmanager
def one_sentence(class_type: Any, options: dict[str, Any]) -> Iterator[None]:
    """Turns an error of a constructor about its arguments into a `UsageError`, unless a user's own code raised it."""
    refuse_null(class_type, options)
    try:
        yield
    except Exception as error:
        if not str(error):  # the parser stumbles over an error without a text, and loses it
            error.args = (type(error).__name__,)
        if isinstance(error, (UsageError, NonFiniteLoss, OSError, MemoryError)) or own_line(error) is not None:
            raise
        said = " ".join(str(error).split())
        raise UsageError(f"{class_type.__name__} cannot be made with these options: {said}; {TRACEBACK}") from error


def refuse_null(class_type: Any, options: dict[str, Any]) -> None:
    """Refuses null for an argument that has another default and does not allow None.

    Raises:
        UsageError: naming the first such option.
    """
    for name in (name for name, value in options.items() if value is None):
        declared = _declared(class_type, name)
        if declared is None or declared.default in (None, inspect.Parameter.empty):
            continue
        if not any(word in str(declared.annotation) for word in ("None", "Optional", "_empty")):
            raise UsageError(f"{name} of {class_type.__name__} cannot be null; leave it out for its default")


def _declared(class_type: Any, name: str) -> inspect.Parameter | None:
    """The argument as it is declared in a class, or in the class that this one passes its other arguments to."""
    for owner in getattr(class_type, "__mro__", ()):
        if "__init__" in vars(owner) and name in (signature := inspect.signature(owner.__init__)).parameters:
            return signature.parameters[name]
    return None

"""The first mistakes in the call of a model or a data module, each answered in a sentence with what to write."""

import difflib
import inspect
import re
from typing import Any

from lit_gans.errors import UsageError

# arguments of 0.1 that are options of a backbone now
MOVED = [
    "width",
    "upsampling",
    "generator_norm",
    "discriminator_norm",
    "residual",
    "attention",
    "style_dim",
    "mapping_layers",
    "mixing",
    "blocks",
    "norm",
    "dropout",
    "generator_hidden",
    "discriminator_hidden",
    "skip",
    "minibatch",
    "dense",
]
_OPTIMIZER = "an optimizer has it: {0}optimizer=functools.partial(lit_gans.optim.Adam, {1}=...)"
_TRAINER = "the trainer has it: lightning.Trainer({0}=...)"
_DATA = "the data have it: {0}=... of the data module or the DataLoader"
# words of other libraries under what they are here
_ELSEWHERE = {
    _OPTIMIZER.format("", "lr"): "lr learning_rate",
    _OPTIMIZER.format("generator_", "lr"): "generator_lr lr_generator lr_g g_lr lr_gen glr",
    _OPTIMIZER.format("discriminator_", "lr"): "discriminator_lr lr_discriminator lr_d d_lr dlr",
    _OPTIMIZER.format("", "betas"): "betas beta1 b1 beta2 b2",
    _OPTIMIZER.format("", "weight_decay"): "weight_decay",
    _TRAINER.format("max_epochs"): "epochs n_epochs max_epochs num_epochs",
    _TRAINER.format("max_steps"): "steps max_steps iterations n_iter",
    _TRAINER.format("accelerator"): "device gpus accelerator cuda",
    _DATA.format("batch_size"): "batch_size batch",
    _DATA.format("num_workers"): "num_workers workers",
    "the size of the noise is latent_dim": "nz z_dim zdim noise_dim dim_z latent_size latent",
    "the shape is one argument: image_shape=(channels, height, width)": (
        "img_size image_size imsize size channels img_channels nc in_channels"
    ),
    "the number of classes is num_classes": "n_classes classes nclasses n_class",
    "the discriminator moves on every batch, the generator once in generator_every of them": (
        "n_critic d_steps n_dis critic_iters discriminator_every"
    ),
    "the average's decay is ema_decay": "ema ema_beta use_ema",
    "the widths of the networks are options of a backbone: backbone=DCGANBackbone(width=64) for example": "ngf ndf nf",
    "gradients are clipped by clip_norm": "gradient_clip_val grad_clip max_norm clip clip_grad",
    "the loss is the game itself: choose another model, HingeGAN for example, or write one (docs/add-a-gan.md)": (
        "loss criterion gan_mode loss_fn adversarial_loss"
    ),
}
_MEANT = {word: meaning for meaning, words in _ELSEWHERE.items() for word in words.split()}


def explain(cls: type, error: TypeError | AttributeError, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Raises a `UsageError` in place of Python's own words, if the call of ``cls`` itself was wrong.

    Args:
        cls: the class that was called.
        error: what its ``__init__`` has raised.
        arguments: of the call, by place.
        named: of the call, by name.
    """
    text = str(error)
    if "before Module.__init__() call" in text:
        raise UsageError(
            f"{cls.__name__}.__init__ sets a network before its parent is ready; call super().__init__(...) first, "
            "and set networks after it"
        ) from error
    own = any(text.startswith(f"{base.__qualname__}.__init__() ") for base in cls.__mro__)
    if not isinstance(error, TypeError) or not own:
        return
    if arguments and re.search(r"takes (from \d+ to )?\d+ positional arguments? but", text):
        first = next((name for name, kind in known(cls).items() if kind == inspect.Parameter.KEYWORD_ONLY), "name")
        raise UsageError(
            f"arguments of {cls.__name__} are given by name, such as {first}=..., got {_short(arguments[0])} by place"
        ) from error
    found = re.search(r"unexpected keyword argument '(\w+)'", text)
    if found and found[1] in named:
        raise UsageError(f"{cls.__name__} has no argument {advice(cls, found[1])}") from error


def advice(cls: type, name: str) -> str:
    """The name of an argument that does not exist, and what was meant by it."""
    choices = list(known(cls))
    is_model = hasattr(cls, "needs")
    if name in MOVED and hasattr(cls, "default_backbone"):
        backbone = type(cls.default_backbone).__name__
        return (
            f"{name!r}: {name} is an option of a backbone since 0.2: {cls.__name__}(backbone={backbone}(...)); "
            "docs/from-0.1.md says which one it is now"
        )
    close = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.8)
    if is_model and not close and (meant := _MEANT.get(name.lower())):
        return f"{name!r}; {meant}"
    close = close or difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.5)
    return f"{name!r}; {f'did you mean {close[0]}? It' if close else 'it'} takes {', '.join(choices)}"


def known(cls: type) -> dict[str, Any]:
    """The arguments of a class by name, and of the parents that it hands the rest on to, with their kinds."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base) or base.__module__.startswith(("lightning.", "torch.")) or base is object:
            continue
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        found |= {p.name: p.kind for p in parameters if p.kind not in variable and p.name not in found}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else f"a {type(value).__name__}"

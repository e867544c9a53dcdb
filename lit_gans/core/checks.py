"""Checks of a variant's terms, of its networks and of a trainer's strategy, before they can do harm."""

import inspect
from collections.abc import Sequence
from typing import Any

from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, ModelParallelStrategy, SingleDeviceStrategy
from torch import Tensor, nn

from lit_gans.devices import tasks
from lit_gans.errors import UsageError, one
from lit_gans.losses import Terms

_FEW_BITS = (
    "keeps the weights themselves in few bits, where the small steps of Adam and of the averaged generator are rounded "
    "to nothing; train with bf16-mixed, 16-mixed, 32-true or 64-true"
)

_TASKS = {"torchrun": "--nproc_per_node and --nnodes", "SLURM": "srun --ntasks-per-node and --nodes"}


def shape_of(name: str, given: Sequence[int] | None) -> tuple[int, ...] | None:
    """A shape as a tuple.

    Raises:
        UsageError: if it is not a sequence of whole numbers from 1.
    """
    if given is None:
        return None
    if not isinstance(given, Sequence) or not given or not all(isinstance(n, int) and n > 0 for n in given):
        raise UsageError(
            f"{name} must be (channels, height, width), or the shape of whatever a sample is, in whole numbers from 1, "
            f"got {given!r}"
        )
    return tuple(given)


def refuse_backbone(model: Any, backbone: Any, kind: type, **networks: nn.Module | None) -> None:
    """Raises a `UsageError` for a backbone of another kind, or one beside networks that leave it none to make."""
    if backbone is not None and not isinstance(backbone, kind):
        brackets = f"; write {backbone.__name__}(), with brackets" if isinstance(backbone, type) else ""
        raise UsageError(
            f"the backbone of {one(model)} must be a {kind.__name__}, such as "
            f"{type(model.default_backbone).__name__}(), got {backbone!r}{brackets}"
        )
    if backbone is not None and networks and all(network is not None for network in networks.values()):
        raise UsageError(
            f"a backbone makes default networks, and {type(model).__name__} was given all of its own; leave out "
            f"backbone, or one of {' and '.join(networks)}"
        )


def refuse_no_network(role: str, network: Any) -> None:
    """Raises a `UsageError` for a player that is given as something else than a network."""
    if network is not None and not isinstance(network, nn.Module):
        given = f"the class {network.__name__}" if isinstance(network, type) else repr(network)
        cure = f"; write {network.__name__}(...), with brackets" if isinstance(network, type) else ""
        raise UsageError(f"the {role} must be a network, an nn.Module, got {given}{cure}")


def refuse_inputs(network: nn.Module, role: str, inputs: Sequence[str], cure: str) -> None:
    """Raises a `UsageError` for a network that cannot be called with so many inputs."""
    try:
        inspect.signature(network.forward).bind(*inputs)
    except TypeError:
        raise UsageError(
            f"the {role} {type(network).__name__} is called with {' and '.join(inputs)}, which its forward does not "
            f"take; {cure}"
        ) from None
    except ValueError:  # it does not say what it takes
        pass


def checked_terms(player: str, terms: Any) -> Terms:
    """The terms that a variant's loss has returned.

    Raises:
        UsageError: if they are not a dict of tensors of one number each, or depend on no weight that trains.
    """
    if not isinstance(terms, dict) or not terms:
        given = "an empty dict" if isinstance(terms, dict) else f"a {type(terms).__name__}"
        raise UsageError(
            f"the {player}'s loss must be a dict of named terms, such as {{'fake': loss}}, got {given}; return one "
            "term at least"
        )
    for name, term in terms.items():
        if not isinstance(term, Tensor) or term.ndim:
            given = f"shape {tuple(term.shape)}" if isinstance(term, Tensor) else f"a {type(term).__name__}"
            raise UsageError(
                f"the {player}'s term {name!r} must be a tensor of one number, such as loss.mean(), got {given}"
            )
    if not any(term.requires_grad for term in terms.values()):
        raise UsageError(
            f"the {player}'s terms {', '.join(map(str, terms))} depend on no weight that trains; let them use the "
            "player's network, and do not detach them"
        )
    return terms


def refuse_idle(model: nn.Module, moved: Sequence[Tensor], players: str) -> None:
    """Raises a `UsageError` for parameters that require a gradient and that no optimizer moves."""
    known = set(map(id, moved))
    idle = [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in known]
    if idle:
        where = dict.fromkeys(name.split(".")[0] for name in idle)
        raise UsageError(
            f"{', '.join(where)} has parameters that require a gradient, {idle[0]} for one, but no optimizer that "
            f"moves them; make it a part of {players}, or freeze it with requires_grad_(False)"
        )


def refuse_strategy(strategy: Any) -> None:
    """Raises a `UsageError` for a strategy that two players in one module cannot be trained with."""
    if isinstance(strategy, (FSDPStrategy, ModelParallelStrategy)):
        raise UsageError(
            f"{type(strategy).__name__} cuts networks into parts, which penalties on gradients and the averaged "
            "generator do not survive; leave trainer.strategy at 'auto', where every device holds both players, and "
            "for large ones take a smaller data.batch_size or precision bf16-mixed"
        )
    popen = getattr(strategy, "_start_method", "popen") == "popen"  # spawned and forked processes share no launcher
    if not isinstance(strategy, (SingleDeviceStrategy, DDPStrategy)) or not popen:
        name = f"{type(strategy).__name__}{'' if popen else ' with spawned processes'}"
        raise UsageError(
            f"a model trains on one device or with 'ddp' on several, each in a process of its own, got {name}; leave "
            "trainer.strategy at 'auto'"
        )
    if getattr(strategy, "_layer_sync", None) is not None and strategy.root_device.type == "cpu":
        raise UsageError(
            "trainer.sync_batchnorm needs GPUs, since PyTorch's synchronised batch norm takes no tensors of a CPU; "
            "leave it out: each process then normalises by its own batch, and running statistics are averaged anyway"
        )


def refuse_processes(trainer: Any) -> None:
    """Raises a `UsageError` if torchrun or SLURM has started other processes than the trainer has devices for."""
    found = tasks()
    if found is None or (found[0] == "SLURM" and trainer.world_size == 1):  # several runs, side by side
        return
    name, local, nodes = found
    if (trainer.num_devices, trainer.num_nodes) != (local, nodes):
        raise UsageError(
            f"{name} has started {local} process(es) on each of {nodes} node(s), but the trainer has "
            f"{trainer.num_devices} device(s) on {trainer.num_nodes} node(s); leave out trainer.devices and "
            f"trainer.num_nodes, or give {_TASKS[name]} the same numbers"
        )


def refuse_precision(precision: str) -> None:
    """Raises a `UsageError` for number types in which small steps of the weights are lost."""
    if precision not in ("32-true", "64-true", "16-mixed", "bf16-mixed"):
        raise UsageError(f"precision {precision} {_FEW_BITS}")


def refuse_few_bits(model: nn.Module) -> None:
    """Raises a `UsageError` for a model that was converted to few bits; frozen weights may have any number type."""
    learned = (weight for weight in model.parameters() if weight.requires_grad and weight.is_floating_point())
    if few := next((weight.dtype for weight in learned if weight.element_size() < 4), None):
        name = str(few).removeprefix("torch.")
        raise UsageError(f"a model converted to {name} {_FEW_BITS}, and call float() on the model first")

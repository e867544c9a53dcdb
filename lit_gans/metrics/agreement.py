"""Compares groups that were found without labels with the classes."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from lit_gans.errors import UsageError


def confusion(assigned: Tensor, classes: Tensor) -> Tensor:
    """Counts the samples of each class in each group.

    Args:
        assigned: (N,) integers from 0, the group of each sample.
        classes: (N,) integers from 0, its class.

    Returns:
        (groups, classes) int64 on the CPU; the largest numbers given decide how many there are.

    Raises:
        UsageError: if shapes or types differ from these, or there are no samples.

    Examples:
        >>> confusion(torch.tensor([0, 0, 1]), torch.tensor([2, 2, 0]))
        tensor([[0, 0, 2],
                [1, 0, 0]])
    """
    if assigned.ndim != 1 or assigned.shape != classes.shape or not len(assigned):
        raise UsageError(
            f"a group and a class for each of N samples are wanted, got {tuple(assigned.shape)} groups and "
            f"{tuple(classes.shape)} classes"
        )
    if any(numbers.is_floating_point() or int(numbers.min()) < 0 for numbers in (assigned, classes)):
        raise UsageError(
            f"groups and classes must be integers from 0, got {assigned.dtype} from {assigned.min().item()} and "
            f"{classes.dtype} from {classes.min().item()}"
        )
    assigned, classes = assigned.cpu().long(), classes.cpu().long()
    rows, columns = int(assigned.max()) + 1, int(classes.max()) + 1
    return torch.bincount(assigned * columns + classes, minlength=rows * columns).view(rows, columns)


def matching_accuracy(assigned: Tensor, classes: Tensor) -> tuple[float, Tensor]:
    """The share of samples whose group stands for their class, under the best matching of one to the other.

    Each group stands for at most one class, each class has at most one group: the Hungarian algorithm (Kuhn 1955)
    finds the matching with the most samples. Also called clustering accuracy. Chance is not 0: for ten equally likely
    classes and random groups it is a little above 1/10.

    Args:
        assigned: (N,) integers from 0, the group of each sample.
        classes: (N,) integers from 0, its class.

    Returns:
        The share, and (groups,) int64, the class that each group stands for, -1 for a group that is left over.

    Raises:
        UsageError: if shapes or types differ from these, or there are no samples.

    Examples:
        >>> matching_accuracy(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 1]))
        (0.75, tensor([1, 0]))
    """
    counts = confusion(assigned, classes)
    rows, columns = (torch.from_numpy(found) for found in linear_sum_assignment(counts.numpy(), maximize=True))
    matching = torch.full((len(counts),), -1)
    matching[rows] = columns
    return float(counts[rows, columns].sum()) / len(assigned), matching

"""What the command line accepts as a player's network, and how any network is lent for evaluation."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


class Generator(nn.Module):
    """Maps noise (N, latent_dim) to images (N, C, H, W) in [-1, 1].

    Subclass it to name a network of your own on the command line (``--model.generator my_project.MyGenerator``); from
    Python any ``nn.Module`` will do.
    """

    latent_dim: int


class Discriminator(nn.Module):
    """Maps images (N, C, H, W) to logits (N,), patches of logits (N, 1, h, w) or whatever its game judges by."""


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Puts every module of a network into evaluation mode, and afterwards back into its own."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training

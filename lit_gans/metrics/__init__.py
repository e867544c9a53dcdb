"""Measures of a generator that torchmetrics lacks."""

from lit_gans.metrics.sliced_wasserstein import SlicedWasserstein

__all__ = ["SlicedWasserstein"]

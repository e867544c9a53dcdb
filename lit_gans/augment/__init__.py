"""Differentiable and adaptive augmentation of what a discriminator sees, for small data sets."""

from lit_gans.augment.pipeline import POLICIES, Augment

__all__ = ["POLICIES", "Augment"]

"""The part that all models share: the training loop, averages, exact resume."""

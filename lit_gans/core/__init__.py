"""The part that all models share, whatever they are made of: the loop, averages, exact resume."""

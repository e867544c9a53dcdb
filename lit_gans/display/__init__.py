"""What shows models and runs: curves, animations, and the page of ``lit-gans demo``."""

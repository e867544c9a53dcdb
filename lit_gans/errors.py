"""Errors that a user can cause: the command line prints their one sentence without a traceback."""


class UsageError(Exception):
    """Something the user gave cannot be used; the message says what was expected, what came and what to do."""


class NonFiniteLoss(RuntimeError):
    """A player's loss, or a weight about to be saved, is NaN or infinite."""

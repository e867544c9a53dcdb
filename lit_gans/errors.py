"""Errors that a user can cause: the command line prints their one sentence without a traceback."""


class UsageError(Exception):
    """Something the user gave cannot be used; the message says what was expected, what came and what to do."""


class NonFiniteLoss(RuntimeError):
    """A player's loss, or a weight about to be saved, is NaN or infinite."""


def reason(error: BaseException, longest: int = 200) -> str:
    """What an error says, for the end of a sentence: on one line, without what a damaged file does to a terminal."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return " ".join(text.split())[:longest].rstrip(" .")

"""What the pages are made of: pictures, and answers to events, one at a time, whose errors are a sentence."""

import functools
import html
import threading
import traceback
from collections.abc import Callable
from typing import Any

from lit_gans.errors import UsageError, reason

_TURN = threading.RLock()  # a model is in evaluation mode while it draws, and must not be put back by another answer


def answering(gr: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for an event of the page; where it raises, the page stays as it is and a sentence says why.

    Args:
        gr: the module gradio.
        function: takes the values of the inputs, and gives those of the outputs.
    """

    @functools.wraps(function)
    def answer(*values: Any) -> Any:
        try:
            with _TURN:
                return function(*values)
        except UsageError as error:
            said = str(error)
        except Exception as error:
            traceback.print_exc()  # where the page was started
            said = f"this cannot be done ({reason(error) or type(error).__name__})"
        gr.Warning(html.escape(sentence(said)), duration=20, title="That does not work")
        return gr.skip()

    return answer


def sentence(said: str) -> str:
    """What an error says, as a sentence of its own; the name of a file stays as it is.

    Examples:
        >>> sentence("click a sample first"), sentence("notes.txt is no picture")
        ('Click a sample first.', 'notes.txt is no picture.')
    """
    begins = said.partition(" ")[0].isalpha()
    return f"{said[:1].upper() if begins else said[:1]}{said[1:]}."


def listen(event: Any, gr: Any, function: Callable[..., Any], inputs: Any, outputs: Any, **how: Any) -> None:
    """Lets a function answer an event of the page, see `answering`; it is no part of an interface for programs."""
    event(answering(gr, function), inputs, outputs, api_visibility="private", **how)


def image(gr: Any, caption: str, name: str, alt: str) -> Any:
    """A picture under its caption; ``name`` is its class in the page, and ``alt`` is for those who cannot see it."""
    gr.Markdown(caption, elem_classes="caption")
    return gr.Image(
        show_label=False,
        format="png",
        interactive=False,
        buttons=["download"],
        elem_classes=name,
        alt_text=alt,
    )


def slider(gr: Any, least: float, most: float, usual: float, **how: Any) -> Any:
    """A slider whose field may be emptied while a number is typed, and takes the nearest to what is out of bounds."""
    made = gr.Slider(least, most, usual, **how)
    read = made.preprocess
    made.preprocess = lambda given: read(usual if given is None else min(max(given, least), most))
    return made

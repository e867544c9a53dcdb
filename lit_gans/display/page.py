"""The page of ``lit-gans demo``: a tab for each model and each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lit_gans.display.latent_page import beside_page, latent_page
from lit_gans.display.picture_page import colour_page, translation_page
from lit_gans.display.run_page import run_page
from lit_gans.display.text_page import text_page, writing_page
from lit_gans.errors import UsageError, one
from lit_gans.models import Colorizer
from lit_gans.runs import Run

TITLE = "lit_gans"


@dataclass(frozen=True)
class Shown:
    """What a tab shows: a model, or a run.

    Args:
        name: of the tab.
        model: a model that was loaded.
        run: a run to watch, in place of a model.
    """

    name: str
    model: Any = None
    run: Run | None = None


def gradio() -> Any:
    """The module gradio.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        import gradio
    except ImportError:
        raise UsageError('the page needs gradio: pip install "lit_gans[demo]"') from None
    return gradio


def refuse_unshown(name: str, model: Any) -> None:
    """Refuses a model that the page has nothing to show of.

    Raises:
        UsageError: if it neither draws, nor translates, nor writes.
    """
    if not (model.draws or model.domains or model.translates_texts):
        does = "reads texts: use 'lit-gans embed'" if model.of_texts else "draws nothing by itself"
        raise UsageError(
            f"{name} holds {one(model)}, which {does}; the page shows models that draw, translate or write"
        )


def build(shown: Sequence[Shown]) -> Any:
    """The page, as Gradio's Blocks."""
    gr = gradio()
    pictured = [(each.name, each.model) for each in shown if each.model is not None and _draws(each.model)]
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(f"# {TITLE}")
        if len(shown) == 1:
            _fill(gr, shown[0], page, page.load)
            return page
        with gr.Tabs():
            for number, each in enumerate(shown):
                with gr.Tab(each.name) as tab:
                    _fill(gr, each, page, tab.select if number else page.load)
            if len(pictured) > 1:
                with gr.Tab("side by side") as tab:
                    beside_page(gr, pictured, tab.select)
    return page


def _draws(model: Any) -> bool:
    return bool(model.draws and not model.of_texts)


def _fill(gr: Any, each: Shown, page: Any, opened: Any) -> None:
    """Builds what a tab shows; ``opened`` is the event of its first sight."""
    model = each.model
    if each.run is not None:
        run_page(gr, each.run, page)
        return
    gr.Markdown(f"**{each.name}**: {one(model)}. {_about(model)}", elem_classes="about")
    if isinstance(model, Colorizer):
        colour_page(gr, model)
    elif model.domains:
        translation_page(gr, model)
    elif model.translates_texts:
        text_page(gr, model)
    elif model.of_texts:
        writing_page(gr, model, opened)
    else:
        latent_page(gr, model, opened)


def _about(model: Any) -> str:
    """The first line of what the class says of itself."""
    return next(iter((type(model).__doc__ or "").strip().splitlines()), "")

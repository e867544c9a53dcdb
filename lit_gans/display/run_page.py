"""The page of a run: curves, grids over time, scores, the collapse monitor's words; it is read again by itself."""

from typing import Any

from lit_gans.display import watching as w
from lit_gans.display.widgets import image, listen
from lit_gans.runs import Run

EVERY = 3.0  # seconds between two looks
_HEAD = "| value | last | best | after batches |\n|---|---|---|---|\n"


def run_page(gr: Any, run: Run, page: Any) -> None:
    """Builds the page of a run; ``gr`` is the module gradio, ``page`` what it is loaded with."""
    last, seen = gr.State(()), gr.State(None)
    said = gr.Markdown("", elem_classes="said")
    with gr.Row():
        with gr.Column(scale=3):
            curves = image(gr, "Curves", "curves", "curves of the run")
        with gr.Column(scale=2):
            grid = image(gr, "Samples", "grid", "samples of the run")
            words = gr.Markdown("")
            when = gr.Slider(0, 1, 0, step=1, label="Grids, from the first to the last", visible=False)
            texts = gr.Textbox(label="Texts", lines=16, interactive=False, visible=False)
            scores = gr.Markdown("", elem_classes="scores")

    def look(mark: tuple[float, ...], before: w.Watched | None, number: float) -> tuple[Any, ...]:
        if before is not None and mark == w.mark(run):
            return (w.said(run, before.curves), *[gr.skip()] * 8)
        now = w.watched(run)
        newest = len(now.grids) - 1
        at_end = before is None or number >= len(before.grids) - 1  # one who looks at an earlier grid stays there
        place = newest if at_end else int(number)
        return (
            w.said(run, now.curves),
            w.mark(run),
            now,
            w.picture_of_curves(now),
            *w.grid_at(now, place),
            gr.update(maximum=max(1, newest), value=max(0, place), visible=newest > 0),
            gr.update(value=now.texts, visible=bool(now.texts)),
            _HEAD + "\n".join(f"| {' | '.join(row)} |" for row in now.scores) if now.scores else "",
        )

    def turn(seen: w.Watched | None, number: float) -> Any:
        return gr.skip() if seen is None else w.grid_at(seen, int(number))

    shown = [said, last, seen, curves, grid, words, when, texts, scores]
    listen(page.load, gr, look, [last, seen, when], shown, show_progress="hidden")
    listen(gr.Timer(EVERY).tick, gr, look, [last, seen, when], shown, show_progress="hidden")
    listen(when.input, gr, turn, [seen, when], [grid, words], show_progress="hidden", trigger_mode="always_last")

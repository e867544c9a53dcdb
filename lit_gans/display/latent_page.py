"""The page of a model that draws: samples to click, the way between two, arithmetic, sliders, inversion."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from lit_gans.core.texts import options_of_sample
from lit_gans.display import drawing as d
from lit_gans.display.examples import example
from lit_gans.display.uploads import KINDS, read_upload
from lit_gans.display.widgets import image, listen, slider

_TURNS = "each in turn"
_SEEDS = 10_000
_NOTHING = "Nothing is clicked yet."
_HOW = "Click a sample: it becomes **A**. Click another: **B**, and the way from A to B. A third: **C**, and A - B + C."


class _Asked(NamedTuple):
    """What the controls say."""

    seed: int
    images: int
    label: Sequence[str]
    text: str
    options: dict[str, Any]


class Controls:
    """The controls of a model's samples, on the left of its page.

    Args:
        gr: the module gradio.
        model: one that draws.
    """

    def __init__(self, gr: Any, model: Any) -> None:
        known, names = options_of_sample(model), d.choices(model)
        self.named: dict[str, Any] = {}
        if model.draws_by_text:
            first = next(iter(model.captions(1)), "")
            told = f"say: {first}" if first else None
            self.named["text"] = gr.Textbox(
                label="Sentence", info="Empty: those of training take turns", placeholder=told
            )
        if names and model.multi_label:
            self.named["label"] = gr.CheckboxGroup(names, label="Attributes")
        elif names:
            self.named["label"] = gr.Dropdown([_TURNS, *names], value=_TURNS, label="Class")
        self.named["seed"] = slider(gr, 0, _SEEDS - 1, 0, step=1, label="Seed")
        self.anew = gr.Button("Another seed")
        self.named["count"] = slider(gr, 1, d.MOST, d.usual_count(model), step=1, label="Images")
        if "truncation" in known:
            info = "Below 1: more typical, less varied"
            self.named["truncation"] = slider(gr, 0, 1.5, 1, step=0.05, label="Truncation", info=info)
        if model.stages > 1:
            self.named["stage"] = gr.Radio([*range(1, model.stages + 1)], value=model.stages, label="Stage")
        if "temperature" in known:
            self.named["temperature"] = slider(gr, 0.1, 2, 1, step=0.05, label="Temperature")
        if "guidance" in known:
            self.named["guidance"] = slider(
                gr, 0, 5, 1, step=0.25, label="Guidance", info="Above 1: closer to the text"
            )

    @property
    def components(self) -> list[Any]:
        """All of them, whose values `asked` takes."""
        return [*self.named.values()]

    def asked(self, *values: Any) -> _Asked:
        """What the values of the components say."""
        given = dict(zip(self.named, values, strict=True))
        label = given.pop("label", None) or []
        label = [] if label == _TURNS else [label] if isinstance(label, str) else label
        seed, count, text = (given.pop(name, default) for name, default in (("seed", 0), ("count", 1), ("text", "")))
        return _Asked(int(seed or 0), int(count or 1), label, text or "", given)

    def drawn(self, model: Any, *values: Any) -> d.Drawing:
        """The samples that the values of the components ask for."""
        asked = self.asked(*values)
        return d.drawn(model, asked.images, asked.seed, asked.label, asked.text, asked.options)


def latent_page(gr: Any, model: Any, opened: Any) -> None:
    """Builds the page of a model that draws from noise.

    Args:
        gr: the module gradio.
        model: one that draws images.
        opened: the event after which the first samples are drawn.
    """
    walks = model.latent_dim is not None and len(model.shape) == 3 and min(model.shape[1:]) > 1
    state = gr.State(None)
    with gr.Row():
        with gr.Column(scale=2, min_width=220):
            controls = Controls(gr, model)
        with gr.Column(scale=5, min_width=360):
            grid = image(gr, _HOW if walks else "Click a sample", "samples", "a grid of samples")
            with gr.Column(visible=False) as between:
                way = image(gr, "The way from **A** to **B**", "way", "images between two samples")
            with gr.Column(visible=False) as total:
                summed = image(gr, "**A** - **B** + **C**, of the length of C", "sum", "a sum of samples")
        with gr.Column(scale=3, min_width=260):
            large = image(gr, "The clicked sample", "large", "the clicked sample")
            words = gr.Markdown(_NOTHING, elem_classes="words")
            sliders = _sliders(gr) if walks and model.draws_from_latents else []

    def draw(*values: Any) -> tuple[Any, ...]:
        drawing = controls.drawn(model, *values)
        return drawing, d.shown(drawing), None, _NOTHING, *_hidden(gr), *_hidden(gr), *([0] * len(sliders))

    def begin(drawing: d.Drawing | None, *values: Any) -> Any:
        return draw(*values) if drawing is None else gr.skip()

    def redraw(*values: Any) -> tuple[Any, ...]:
        seed, place = random.randrange(_SEEDS), [*controls.named].index("seed")
        return seed, *draw(*values[:place], seed, *values[place + 1 :])

    def after(drawing: d.Drawing) -> tuple[Any, ...]:
        """What is shown after a click."""
        number = drawing.picks[-1]
        said = ", ".join(filter(None, [f"sample {number + 1}", drawing.said(number)]))
        said = f"**{'ABC'[len(drawing.picks) - 1]}**: {said}"
        known = len(drawing.picks) if walks else 0
        ways = (gr.update(visible=True), d.way(model, drawing)) if known > 1 else _hidden(gr)
        sums = (gr.update(visible=True), d.arithmetic(model, drawing)) if known > 2 else _hidden(gr)
        clicked = d.enlarged(d.picture(drawing.images[number]))
        return drawing, d.shown(drawing), clicked, said, *ways, *sums, *([0] * len(sliders))

    def click(drawing: d.Drawing, event: gr.SelectData) -> Any:
        number = d.cell(drawing, *event.index)
        return gr.skip() if number is None else after(d.picked(drawing, number))

    def slide(drawing: d.Drawing, *moves: float) -> tuple[Any, ...]:
        return d.moved(model, drawing, moves)

    shown = [state, grid, large, words, between, way, total, summed, *sliders]
    once: dict[str, Any] = {"show_progress": "minimal", "trigger_mode": "always_last"}
    listen(opened, gr, begin, [state, *controls.components], shown, **once)
    for name, component in controls.named.items():
        listen(component.submit if name == "text" else component.input, gr, draw, controls.components, shown, **once)
    listen(controls.anew.click, gr, redraw, controls.components, [controls.named["seed"], *shown], **once)
    listen(grid.select, gr, click, [state], shown, show_progress="hidden")
    for direction in sliders:
        how = {**once, "show_progress": "hidden"}
        listen(direction.input, gr, slide, [state, *sliders], [state, large], **how)
    if model.draws_from_latents and walks and model.shape[0] in (1, 3):
        _inversion(gr, model, controls, state, shown, after)


def _hidden(gr: Any) -> tuple[Any, Any]:
    """A column that is hidden, and nothing in its picture."""
    return gr.update(visible=False), None


def _sliders(gr: Any) -> list[Any]:
    with gr.Accordion("Move it", open=True):
        gr.Markdown("Along the directions in which it changes most; they are found at the first move.")
        return [slider(gr, -4, 4, 0, step=0.1, label=f"Direction {n + 1}") for n in range(d.SLIDERS)]


def _inversion(gr: Any, model: Any, controls: Controls, state: Any, shown: list[Any], after: Any) -> None:
    with gr.Accordion("A picture of yours: which sample is nearest to it?", open=False), gr.Row():
        with gr.Column(scale=1, min_width=200):
            file = gr.UploadButton("Upload a picture", elem_classes="upload")
            drawn = gr.Button("A drawn example")
            gr.Markdown(f"{KINDS}. It is cut and resized to what the model draws; the nearest is added to the samples.")
        with gr.Column(scale=1, min_width=200):
            yours = image(gr, "Yours", "yours", "the uploaded picture")
        with gr.Column(scale=1, min_width=200):
            nearest = image(gr, "The nearest sample", "nearest", "the sample nearest to the picture")
            error = gr.Markdown("")

    def upload(drawing: d.Drawing, path: str, *values: Any) -> tuple[Any, ...]:
        channels, height, width = model.shape
        return invert(drawing, read_upload(path, channels, (height, width)), values)

    def draw(drawing: d.Drawing, *values: Any) -> tuple[Any, ...]:
        return invert(drawing, example(model, number=random.randrange(_SEEDS)), values)

    def invert(drawing: d.Drawing, given: Any, values: tuple[Any, ...]) -> tuple[Any, ...]:
        asked = controls.asked(*values)
        found, missed = d.found(model, drawing, given, asked.label, asked.text)
        pictures = [d.enlarged(d.picture(each), 240) for each in (given[0], found.images[-1])]
        return *pictures, f"Mean squared error {missed:.4f}, of values in [-1, 1].", *after(found)

    results = [yours, nearest, error, *shown]
    listen(file.upload, gr, upload, [state, file, *controls.components], results)
    listen(drawn.click, gr, draw, [state, *controls.components], results)


def beside_page(gr: Any, shown: Sequence[tuple[str, Any]], opened: Any) -> None:
    """Builds the page that shows samples of several models side by side, by one seed."""
    with gr.Row():
        seed = slider(gr, 0, _SEEDS - 1, 0, step=1, label="Seed", info="The same for all")
        count = slider(gr, 1, d.MOST, 16, step=1, label="Images")
        truncation = slider(gr, 0, 1.5, 1, step=0.05, label="Truncation")
    with gr.Row():
        images = []
        for name, _ in shown:
            with gr.Column(min_width=240):
                images.append(image(gr, f"**{name}**", "beside", f"samples of {name}"))

    def draw(seed: float, count: float, truncation: float) -> Any:
        pictures = []
        for _, model in shown:
            options = {"truncation": truncation} if "truncation" in options_of_sample(model) else {}
            pictures.append(d.shown(d.drawn(model, int(count), int(seed), options=options)))
        return pictures if len(pictures) > 1 else pictures[0]

    for event in (opened, seed.input, count.input, truncation.input):
        how = {"show_progress": "minimal", "trigger_mode": "always_last"}
        listen(event, gr, draw, [seed, count, truncation], images, **how)

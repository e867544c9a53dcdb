"""The pages of models that translate pictures, and of those that colour them."""

import random
from typing import Any

from lit_gans.display import translating as t
from lit_gans.display.examples import example
from lit_gans.display.uploads import BYTES, KINDS, MEGAPIXELS, read_upload
from lit_gans.display.widgets import image, listen
from lit_gans.errors import UsageError

_BOUNDS = f"{KINDS}; at most {BYTES // 10**6} MB and {MEGAPIXELS:g} megapixels"

_DRAWN = 10_000  # examples


def translation_page(gr: Any, model: Any) -> None:
    """Builds the page of a model that translates pictures; ``gr`` is the module gradio."""
    ways = {"A to B": "b", "B to A": "a"}
    there = [way for way, to in ways.items() if to in model.domains]
    photo, translation = gr.State(None), gr.State(None)
    with gr.Row():
        with gr.Column(scale=1, min_width=220):
            file = gr.UploadButton("Upload a picture", variant="primary", elem_classes="upload")
            drawn = gr.Button("A drawn example")
            gr.Markdown(f"{_BOUNDS}. One with a short side of more than {t.SIDE} pixels is reduced.")
            way = gr.Radio(there, value=there[0], label="Direction", visible=len(there) > 1)
            again = gr.Button("Translate the result back", visible=len(there) > 1)
        with gr.Column(scale=2, min_width=280):
            given = image(gr, "Yours", "yours", "the uploaded picture")
        with gr.Column(scale=2, min_width=280):
            made = image(gr, "Translated", "made", "the translation")

    def translate(picture: Any, way: str) -> tuple[Any, ...]:
        """The picture, its translation, and both as they are shown."""
        wanted = t.channels_of(model, ways[way])
        picture = picture if picture.shape[1] == wanted else t.with_channels(picture, wanted)
        shown, result = t.translated(model, picture, ways[way])
        return picture, result, t.shown(picture), shown

    def upload(path: str, way: str) -> tuple[Any, ...]:
        return translate(t.reduced(read_upload(path, t.channels_of(model, ways[way]))), way)

    def draw(way: str) -> tuple[Any, ...]:
        return translate(example(model, ways[way], random.randrange(_DRAWN)), way)

    def turned(picture: Any, way: str) -> Any:
        return gr.skip() if picture is None else translate(picture, way)

    def back(result: Any, way: str) -> tuple[Any, ...]:
        if result is None:
            raise UsageError("upload a picture first: its translation is what goes back")
        other = next(each for each in there if each != way)
        return *translate(result, other), other

    shown = [photo, translation, given, made]
    listen(file.upload, gr, upload, [file, way], shown)
    listen(drawn.click, gr, draw, [way], shown)
    listen(way.input, gr, turned, [photo, way], shown)
    listen(again.click, gr, back, [translation, way], [*shown, way])


def colour_page(gr: Any, model: Any) -> None:
    """Builds the page of a Colorizer: a grey photograph, on which colours are set by clicks."""
    state = gr.State((None, ()))
    with gr.Row():
        with gr.Column(scale=1, min_width=220):
            file = gr.UploadButton("Upload a photograph", variant="primary", elem_classes="upload")
            drawn = gr.Button("A drawn example")
            gr.Markdown(f"{_BOUNDS}. In colour or grey: only its lightness is looked at.")
            colour = gr.ColorPicker("#c04040", label="Colour of the next hint")
            gr.Markdown("Choose a colour, then click into the grey photograph where it belongs.")
            undo, clear = gr.Button("Take the last hint back"), gr.Button("Take all hints back")
            told = gr.Markdown("No photograph yet.", elem_classes="words")
        with gr.Column(scale=2, min_width=280):
            grey = image(gr, "Grey, with your hints: click here", "grey", "the photograph in grey")
        with gr.Column(scale=2, min_width=280):
            made = image(gr, "In colour", "made", "the photograph in colour")

    def show(photo: Any, hints: tuple[Any, ...]) -> tuple[Any, ...]:
        if photo is None:
            raise UsageError("upload a photograph first")
        said = f"{len(hints)} hint{'s' * (len(hints) != 1)}" if hints else "Without hints: colours are guessed."
        return (photo, hints), t.grey(photo, [*hints]), t.coloured(model, photo, [*hints]), said

    def upload(path: str) -> tuple[Any, ...]:
        return show(t.reduced(read_upload(path)), ())

    def click(state: Any, colour: str, event: gr.SelectData) -> tuple[Any, ...]:
        photo, hints = state
        if photo is None:
            return show(None, ())
        hint = (*t.place(photo, *map(int, event.index)), t.colour_of(colour))
        return show(photo, (*hints, hint))

    shown = [state, grey, made, told]
    listen(file.upload, gr, upload, [file], shown)
    listen(drawn.click, gr, lambda: show(example(model, number=random.randrange(_DRAWN)), ()), [], shown)
    listen(grey.select, gr, click, [state, colour], shown, show_progress="hidden")
    listen(undo.click, gr, lambda state: show(state[0], state[1][:-1]), [state], shown, show_progress="hidden")
    listen(clear.click, gr, lambda state: show(state[0], ()), [state], shown, show_progress="hidden")

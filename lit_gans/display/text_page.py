"""The pages of models that write texts, and of those that translate them."""

from typing import Any

from lit_gans.core.texts import options_of_sample
from lit_gans.display.widgets import listen, slider
from lit_gans.errors import UsageError

_LONGEST, _MOST = 2000, 50  # letters of a text; texts


def text_page(gr: Any, model: Any) -> None:
    """Builds the page of a model that translates sentences; ``gr`` is the module gradio."""
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Sentences, one a line", lines=4, max_length=_LONGEST, elem_classes="sentence")
            beams = slider(gr, 1, 8, 1, step=1, label="Beams", info="Translations looked for at once")
            go = gr.Button("Translate", variant="primary", elem_classes="go")
        made = gr.Textbox(label="Translated", lines=4, interactive=False, elem_classes="translated")

    def translate(text: str, beams: float) -> str:
        lines = [line.strip() for line in (text or "")[:_LONGEST].splitlines() if line.strip()]
        if not lines:
            raise UsageError("write a sentence to translate")
        return "\n".join(model.translate_text(lines, beams=int(beams)))

    listen(go.click, gr, translate, [text, beams], made)
    listen(beams.release, gr, translate, [text, beams], made)


def writing_page(gr: Any, model: Any, opened: Any) -> None:
    """Builds the page of a model that writes; it writes first after the event ``opened``."""
    known = options_of_sample(model)
    with gr.Row():
        with gr.Column(scale=1, min_width=220):
            begin = gr.Textbox(label="Each begins with", max_length=_LONGEST, visible="text" in known)
            seed = slider(gr, 0, 9999, 0, step=1, label="Seed")
            count = slider(gr, 1, _MOST, 12, step=1, label="Texts")
            heat = slider(gr, 0.1, 2, 1, step=0.05, label="Temperature", info="Below 1: likelier, less varied")
            go = gr.Button("Write", variant="primary", elem_classes="go")
        made = gr.Textbox(label="Written", lines=16, interactive=False, scale=3, elem_classes="written")

    def write(begin: str | None, seed: float, count: float, heat: float) -> str:
        options: dict[str, Any] = {"temperature": heat} if "temperature" in known else {}
        if begin and begin.strip():
            options["text"] = begin.strip()
        return "\n".join(model.write(int(count), seed=int(seed), **options))

    inputs, once = [begin, seed, count, heat], {"show_progress": "minimal", "trigger_mode": "always_last"}
    listen(opened, gr, write, inputs, made, **once)
    for event in (go.click, begin.submit, seed.input, count.input, heat.input):
        listen(event, gr, write, inputs, made, **once)

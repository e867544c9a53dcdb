"""The page of ``lit-gans demo`` in a real browser: one server, one window, a test for each kind of model."""

import json
import re
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from browser import browser, needs_browser
from conftest import small
from PIL import Image
from text_models import ANSWERS, TEXTS, WORDS, WORTE, WordByWord

import lit_gans
from lit_gans import ACGAN, DCGAN, DFGAN, Colorizer, CycleGAN
from lit_gans.cli.main import main
from lit_gans.data import CaptionedGlyphs
from lit_gans.display.page import Shown, build, gradio
from lit_gans.display.serving import quiet, served
from lit_gans.runs import Run

needs_gradio = pytest.mark.skipif(not find_spec("gradio"), reason='no gradio: pip install "lit_gans[demo]"')
pytestmark = [needs_gradio, needs_browser]
SIZE = (16, 16)


def translator():
    """Knows a dozen words, each by itself."""
    model = WordByWord(text_shape=(4, len(WORTE)), source_text_shape=(4, len(WORDS)))
    model.vocabularies = {"source": WORDS, "target": WORTE}
    with torch.no_grad():
        for text, answer in zip(WORDS.encode(TEXTS), WORTE.encode(ANSWERS), strict=True):
            for word, meant in zip(text.tolist(), answer.tolist(), strict=True):
                model.generator.weight[word] = 0
                model.generator.weight[word, meant] = 9
    model.generator_ema.restart(model.generator)
    return model


def captioned():
    data = CaptionedGlyphs(size=SIZE, characters="01", count=40)
    model = small(DFGAN, image_shape=data.image_shape)
    model.vocabularies = dict(data.vocabularies)
    return model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder of a run that has begun."""
    run = Run(tmp_path_factory.mktemp("run"))
    run.metrics.write_text("step,epoch,generator/loss,discriminator/loss,val/diversity\n599,0,1.5,0.5,0.01\n")
    run.samples.mkdir()
    Image.new("L", (20, 20), 90).save(run.samples / "step_0000600.png")
    return run


@pytest.fixture(scope="module")
def page(run):
    """The address of the page, and a window that shows it."""
    quiet()
    models = {
        "latent": small(DCGAN),
        "label": small(ACGAN),
        "translation": small(CycleGAN),
        "colours": small(Colorizer),
        "sentence": captioned(),
        "text": translator(),
    }
    shown = [Shown(name, model=model.eval()) for name, model in models.items()]
    with served(gradio(), lambda: build([*shown, Shown("run", run=run)])) as address, browser(1280, 1100) as window:
        window.open(address)
        window.wait("return document.querySelector('.samples img')")
        yield Page(window, address)


SEEN = """
const seen = (e) => e.offsetParent || e.type === "file";
const tab = (e) => e.closest("[role=tabpanel]");
const found = [...document.querySelectorAll(arguments[0])].find(
  (e) => seen(e) && (!tab(e) || tab(e).offsetParent) && e.textContent.includes(arguments[1] || ""));
"""
PICTURE = SEEN + "return found && found.complete && found.src !== arguments[2] ? found.src : '';"


class Page:
    """What a person does in the window."""

    def __init__(self, window, address):
        self.window, self.address, self.marks = window, address, 0

    def until(self, script, *arguments, seconds=60):
        """Until the script returns something true, which comes back."""
        end = time.monotonic() + seconds
        while not (found := self.window.run(script, *arguments)):
            assert time.monotonic() < end, f"never true: {script} {arguments}"
            time.sleep(0.1)
        return found

    def one(self, selector, text=""):
        """A selector of the element that can be seen, of those of this selector, with this text in it."""
        self.marks += 1
        script = "if (found) found.dataset.mark = arguments[2]; return Boolean(found)"
        self.until(SEEN + script, selector, text, str(self.marks))
        return f"[data-mark='{self.marks}']"

    def do(self, action, selector, text=""):
        self.window.run(f"document.querySelector(arguments[0]).{action}", self.one(selector, text))

    def tab(self, name):
        self.do("click()", "button[role=tab]", name)
        self.one("button[role=tab][aria-selected=true]", name)

    def shows(self, name):
        """The address of a picture, which is another after a change; empty if there is none."""
        return self.window.run(PICTURE, f".{name} img")

    def changed(self, name, before=""):
        return self.until(PICTURE, f".{name} img", "", before)

    def click(self, name, x, y):
        """Clicks a picture, so far from its middle."""
        self.do("scrollIntoView({block: 'center'})", f".{name} img")
        self.window.drag(self.one(f".{name} img"), (x, y))

    def press(self, words):
        self.do("click()", "button", words)

    def upload(self, file):
        self.window.type(self.one("input[type=file]"), str(file))

    def number(self, label, value):
        """Types a number beside a slider."""
        script = "const i = document.querySelector(arguments[0]); i.value = arguments[1];"
        script += "i.dispatchEvent(new Event('input', {bubbles: true})); i.dispatchEvent(new Event('change'))"
        selector = self.one(f"input[type=number][aria-label*='{label}']")
        self.window.run(script, selector, value)
        self.window.type(selector, "\ue007")

    def says(self, words):
        self.until("return document.body.innerText.includes(arguments[0])", words)

    def holds(self, name, text):
        """Until a text field holds a text."""
        self.until(SEEN + "return found && found.value === arguments[2]", f".{name} textarea", "", text)


@pytest.fixture
def photo(tmp_path):
    file = tmp_path / "photo.png"
    Image.linear_gradient("L").resize((40, 32)).convert("RGB").save(file)
    return file


def test_samples_are_clicked(page):
    """A way between two, a sum of three, sliders, and another seed."""
    page.tab("latent")
    first = page.changed("samples")
    page.click("samples", -100, -100)
    clicked = page.changed("large")
    assert page.shows("way") == "" and page.changed("samples", first)
    page.number("Direction 1", 3)
    page.changed("large", clicked)
    page.click("samples", 100, -100)
    page.changed("way")
    page.click("samples", 100, 100)
    page.changed("sum")
    page.says("C: sample")
    before = page.shows("samples")
    page.press("Another seed")
    page.changed("samples", before)
    page.says("Nothing is clicked yet.")
    assert page.window.errors() == []


def test_a_number_that_is_half_typed_or_out_of_bounds_breaks_nothing(page):
    page.tab("latent")
    for value in ("", "-3", "99999999999"):
        before = page.shows("samples")
        page.press("Another seed")
        before = page.changed("samples", before)
        page.number("Seed", value)
        page.changed("samples", before)
    shown = page.window.run("return [...document.querySelectorAll('.error')].filter((e) => e.offsetParent).length")
    assert shown == 0 and "Error" not in page.window.run("return document.body.innerText")


def test_a_picture_is_inverted(page, photo):
    page.tab("latent")
    page.press("A picture of yours")
    page.upload(photo)
    page.changed("nearest")
    page.says("Mean squared error")


def test_a_class_is_chosen(page):
    page.tab("label")
    before = page.changed("samples")
    page.do("focus()", "input[aria-label=Class]")
    page.window.click(page.one("[role=option]", "1"))
    page.changed("samples", before)


def test_a_picture_is_translated_and_back(page, photo):
    page.tab("translation")
    page.upload(photo)
    made = page.changed("made")
    page.press("Translate the result back")
    page.changed("made", made)
    page.until(SEEN + "return found && found.checked", "input[value='B to A']")


def test_what_is_no_picture_is_refused_in_a_sentence(page, tmp_path):
    """By its kind, by its bytes, by its pixels."""
    page.tab("translation")
    (tmp_path / "notes.txt").write_text("no picture")
    page.upload(tmp_path / "notes.txt")
    page.says("notes.txt is no picture by its name: upload a picture (")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    page.upload(tmp_path / "broken.png")
    page.says("broken.png cannot be used as a picture")
    Image.new("1", (6000, 5000)).save(tmp_path / "wide.png")
    page.upload(tmp_path / "wide.png")
    page.says("30 megapixels, more than the limit of 25")
    (tmp_path / "large.png").write_bytes(bytes(21_000_000))
    page.upload(tmp_path / "large.png")
    page.says("maximum allowed size")


def test_a_photograph_is_coloured_by_clicks(page, photo):
    page.tab("colours")
    page.upload(photo)
    grey, made = page.changed("grey"), page.changed("made")
    page.click("grey", 30, 20)
    page.changed("grey", grey)
    page.says("1 hint")
    page.changed("made", made)
    page.press("Take all hints back")
    page.says("Without hints")


def test_a_sentence_is_drawn(page):
    page.tab("sentence")
    before = page.changed("samples")
    field = page.one("textarea")
    page.window.type(field, "a small red one on green\ue007")
    page.changed("samples", before)
    page.window.type(field, " with zebras\ue007")
    page.says("zebras")


def test_sentences_are_translated(page):
    page.tab("text")
    page.window.type(page.one(".sentence textarea"), "a red cup\ue007one blue hat")
    page.press("Translate")
    page.holds("translated", "ein roter becher\nein blauer hut")


def test_a_run_is_read_again_by_itself(page, run):
    page.tab("run")
    page.changed("curves")
    page.says("600 batches")
    page.says("the samples are nearly one image")
    before = page.changed("grid")
    Image.new("L", (20, 20), 200).save(run.samples / "step_0000700.png")
    with run.metrics.open("a") as file:
        file.write("699,0,1.4,0.6,0.9\n")
    page.says("700 batches")
    page.says("the collapse monitor has nothing to warn of")
    assert page.changed("grid", before)


def test_nothing_comes_from_another_server(page):
    """Not in the page, not by the browser, and the server does not fetch what a request names."""
    entries = "performance.getEntriesByType('resource').map(e => e.name)"
    assert not page.window.run(f"return {entries}.filter(name => !name.startsWith(location.origin))")
    with urllib.request.urlopen(page.address) as answer:
        policy, text = answer.headers["content-security-policy"], answer.read().decode()
    assert "default-src 'self'" in policy and "connect-src 'self'" in policy
    assert not {*re.findall(r"https?://[\w.:-]+", text)} - {page.address}
    for path in ("gradio_api/file=http://127.0.0.1:9/x", "gradio_api/proxy=http://127.0.0.1:9/x"):
        assert status(f"{page.address}/{path}") == 404
    for file in (Path(__file__).resolve(), "/etc/hostname"):
        assert status(f"{page.address}/gradio_api/file={file}") == 403
    body = {"data": [{"path": "http://127.0.0.1:9/x", "meta": {"_type": "gradio.FileData"}}], "fn_index": 0}
    assert status(f"{page.address}/gradio_api/queue/join", json.dumps(body).encode()) == 400


@needs_gradio
def test_the_command_serves_until_it_is_interrupted(tmp_path, monkeypatch, capsys):
    """A run's folder has a tab for its model and one for its record; at the end nothing listens, no upload is left."""
    lit_gans.save(small(DCGAN), tmp_path / "mine" / "checkpoints" / "last.ckpt")
    (tmp_path / "mine" / "metrics.csv").write_text("step,epoch,generator/loss\n9,0,1.0\n")
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    seen = []

    def interrupted():
        address = re.search(r"http://127.0.0.1:\d+", capsys.readouterr().out)[0]
        with urllib.request.urlopen(f"{address}/config") as answer:
            seen.append((address, answer.read().decode()))
        raise KeyboardInterrupt

    monkeypatch.setattr("lit_gans.cli.demo._for_ever", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["demo", str(tmp_path / "mine"), "--device", "cpu"])
    ((address, page),) = seen
    assert ended.value.code == 130 and '"run mine"' in page and '"mine"' in page
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address)
    assert not [*(tmp_path / "cache" / "uploads").rglob("*.png")]


def status(address, body=None):
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code

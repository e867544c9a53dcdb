"""What the page shows, without the page: nothing here needs gradio."""

import asyncio
import json
import os
import socket
import sys
import time

import pytest
import torch
from conftest import fails, refused, small
from PIL import Image

from lit_gans import ACGAN, CGAN, DCGAN, AutoEncoder, Colorizer, CycleGAN, MaskedLM, Pix2Pix
from lit_gans.callbacks.collapse import said_of
from lit_gans.display import drawing as d
from lit_gans.display import translating as t
from lit_gans.display import watching as w
from lit_gans.display.examples import example
from lit_gans.display.page import gradio, refuse_unshown
from lit_gans.display.serving import Guard, free_port
from lit_gans.display.uploads import read_upload
from lit_gans.runs import Run


@pytest.fixture(scope="module")
def dcgan():
    return small(DCGAN).eval()


@pytest.fixture(scope="module")
def acgan():
    model = small(ACGAN).eval()
    model.class_names = ("zero", "one")
    return model


def pick(drawing, *numbers):
    for number in numbers:
        drawing = d.picked(drawing, number)
    return drawing


def test_a_grid_is_what_sample_draws(dcgan):
    drawing = d.drawn(dcgan, 6, 3)
    assert torch.equal(drawing.images, dcgan.sample(6, seed=3))
    assert torch.equal(
        d.drawn(dcgan, 6, 3, options={"truncation": 0.5}).images, dcgan.sample(6, seed=3, truncation=0.5)
    )
    refused(lambda: d.drawn(dcgan, 101, 0), "1 to 100", 101)


@pytest.mark.parametrize("count", [1, 5, 36])
def test_a_click_finds_its_sample(dcgan, count):
    drawing = d.drawn(dcgan, count, 0)
    picture = d.shown(drawing)
    columns, rows = drawing.columns, -(-count // drawing.columns)
    width, height = picture.width / columns, picture.height / rows
    for number in range(count):
        down, across = divmod(number, columns)
        assert d.cell(drawing, round((across + 0.5) * width), round((down + 0.5) * height)) == number
    assert d.cell(drawing, picture.width + 99, 5) is None
    if count < columns * rows:
        assert d.cell(drawing, picture.width - 9, picture.height - 9) is None


def test_clicks_are_a_b_and_c_and_then_a_again(dcgan):
    drawing = d.drawn(dcgan, 9, 0)
    marked = pick(drawing, 4, 8, 0)
    assert marked.picks == (4, 8, 0) and pick(marked, 2).picks == (2,)
    plain, framed = d.shown(drawing).convert("RGB"), d.shown(marked).convert("RGB")
    assert plain.size == framed.size and plain.tobytes() != framed.tobytes()


def test_the_way_begins_and_ends_at_what_was_clicked(acgan):
    drawing = pick(d.drawn(acgan, 4, 0), 0, 3)
    seen = []

    class Watching:
        def sample(self, **rows):
            seen.append(rows)
            return acgan.sample(**rows)

    way = d.way(Watching(), drawing)
    (rows,) = seen
    assert way.width > way.height and len(rows["noise"]) == d.STEPS
    for end, number in ((0, 0), (-1, 3)):
        torch.testing.assert_close(rows["noise"][end], drawing.rows["noise"][number], atol=1e-5, rtol=0)
        assert torch.equal(rows["label"][end], drawing.rows["label"][number])
    assert d.arithmetic(acgan, pick(drawing, 2)).width > 4 * 100


def test_a_sum_is_of_the_noises_and_as_long_as_the_last(acgan):
    drawing = pick(d.drawn(acgan, 4, 0), 0, 0, 3)
    total = d.sum_of(drawing)
    torch.testing.assert_close(total["noise"], drawing.rows["noise"][3:], atol=1e-6, rtol=1e-6)
    drawing = pick(d.drawn(acgan, 4, 0), 0, 1, 2)
    total, (a, b, c) = d.sum_of(drawing), drawing.rows["noise"][:3]
    assert float(torch.cosine_similarity(total["noise"][0], a - b + c, dim=0)) > 0.9999
    torch.testing.assert_close(total["noise"].norm(), c.norm())
    assert torch.equal(total["label"], drawing.rows["label"][2:3])


def test_a_class_is_drawn_by_its_name(acgan):
    assert d.choices(acgan) == ["zero", "one"] and d.choices(small(DCGAN)) == []
    drawing = d.drawn(acgan, 4, 1, label=["one"])
    assert torch.equal(drawing.images, acgan.sample(4, seed=1, label=1)) and drawing.said(2) == "one"
    assert d.drawn(acgan, 12, 1).columns == 6 and d.usual_count(acgan) == 36  # each column is a class


def test_attributes_are_chosen_together():
    model = small(CGAN, multi_label=True)
    drawing = d.drawn(model, 3, 0, label=["0", "1"])
    assert drawing.rows["label"].tolist() == [[1.0, 1.0]] * 3


def test_sliders_move_the_sample_that_was_clicked(dcgan):
    drawing = d.drawn(dcgan, 4, 0)
    refused(lambda: d.moved(dcgan, drawing, [1.0]), "click a sample first")
    drawing = pick(drawing, 2)
    still, image = d.moved(dcgan, drawing, [0.0] * d.SLIDERS)
    assert image.tobytes() == d.enlarged(d.picture(drawing.images[2])).tobytes()
    again, other = d.moved(dcgan, still, [3.0])
    assert again.along is still.along and other.tobytes() != image.tobytes()


def test_the_nearest_sample_joins_the_others(dcgan, acgan):
    drawing, image = d.drawn(dcgan, 4, 0), dcgan.sample(1, seed=9)
    found, error = d.found(dcgan, drawing, image, steps=60)
    assert len(found.images) == 5 and found.picks == (4,) and error < 1e-3
    assert torch.allclose(found.images[4], dcgan.sample(noise=found.rows["noise"][4:])[0], atol=1e-5)
    refused(lambda: d.found(acgan, d.drawn(acgan, 2, 0), image), "draws by label", "choose")
    assert len(d.found(acgan, d.drawn(acgan, 2, 0), image, label=["one"], steps=2)[0].rows["label"]) == 3


def test_points_of_the_plane_are_no_cells():
    model = small(DCGAN, image_shape=(2, 1, 1))
    drawing = d.drawn(model, 9, 0)
    assert d.shown(drawing).size == (768, 768) and d.cell(drawing, 10, 10) is None


# -------------------------------------------------------------------- pictures


def test_an_upload_has_bounds(tmp_path):
    Image.new("RGB", (20, 10), "red").save(tmp_path / "a.png")
    assert read_upload(str(tmp_path / "a.png")).shape == (1, 3, 10, 20)
    assert read_upload(str(tmp_path / "a.png"), 1, (8, 8)).shape == (1, 1, 8, 8)
    expected = "at most 20 MB and 25 megapixels"
    for name, content, *parts in (
        ("a.txt", b"words", "no picture by its name", ".png"),
        ("b.png", b"words", "b.png cannot be used as a picture"),
        ("c.png", b"", "0.0 MB"),
    ):
        (tmp_path / name).write_bytes(content)
        refused(lambda name=name: read_upload(str(tmp_path / name)), name, expected, *parts)
    Image.new("1", (6000, 5000)).save(tmp_path / "d.png")
    refused(lambda: read_upload(str(tmp_path / "d.png")), "30 megapixels", expected)
    Image.new("RGB", (5, 40)).save(tmp_path / "e.png")
    refused(lambda: read_upload(str(tmp_path / "e.png")), "5x40 pixels", "at least 8")
    with (tmp_path / "f.png").open("wb") as file:
        file.truncate(20_000_001)
    refused(lambda: read_upload(str(tmp_path / "f.png")), "20.0 MB", expected)
    with pytest.raises(ValueError, match="only 5x40") as error:
        read_upload(str(tmp_path / "e.png"))
    assert str(tmp_path) not in str(error.value)


def test_a_picture_is_translated_both_ways():
    model, image = small(CycleGAN).eval(), torch.rand(1, 3, 20, 24) * 2 - 1
    picture, made = t.translated(model, image, "b")
    assert torch.equal(made, model.translate(image, to="b", seed=0)) and picture.size == (24 * 26, 20 * 26)
    assert not torch.equal(t.translated(model, image, "a")[1], made)
    assert t.reduced(torch.zeros(1, 3, 1024, 2048)).shape == (1, 3, 512, 1024)
    assert t.with_channels(image, 1).shape == (1, 1, 20, 24)


def test_hints_are_where_the_picture_was_clicked():
    model, photo = small(Colorizer).eval(), torch.rand(1, 3, 16, 24) * 2 - 1
    factor = t.shown(photo).width // 24
    x, y = t.place(photo, 5 * factor + 3, 9 * factor + 1)
    assert (x, y) == (5, 9) and t.place(photo, 10**6, -4) == (23, 0)
    hint = (x, y, t.colour_of("rgba(255.0, 0, 0, 1)"))
    grey = t.grey(photo, [hint])
    assert grey.getpixel((5 * factor + factor // 2, 9 * factor + factor // 2)) == (255, 0, 0)
    plain = t.coloured(model, photo, [])
    assert plain.size == grey.size and t.coloured(model, photo, [hint]).tobytes() != plain.tobytes()
    refused(lambda: t.colour_of("mauvish"), "#rrggbb", "mauvish")


# -------------------------------------------------------------------- runs


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_a_run_is_read_while_it_trains(run):
    assert "no value yet" in w.said(run, w.watched(run).curves)
    assert w.grid_at(w.watched(run), 0) == (None, "no grid yet")
    before = w.mark(run)
    run.metrics.write_text("step,epoch,generator/loss,val/diversity\n49,0,1.0,\n99,0,0.5,0.9\n149,0,0.")
    run.samples.mkdir()
    for step in (50, 100):
        Image.new("L", (4, 4), step).save(run.samples / f"step_{step:07}.png")
    (run.samples / "step_0000150.png").write_bytes(b"half")
    scores = [
        {"step": n, "values": {"fid": fid}, "protocol": {"split": "validation"}} for n, fid in ((50, 9), (100, 7))
    ]
    run.scores.write_text("\n".join(map(json.dumps, scores)))
    seen, now = w.watched(run), time.time()
    assert w.mark(run) != before and "100 batches; the last value came" in w.said(run, seen.curves, now)
    assert "it is over, or waits" in w.said(run, seen.curves, now + 600)
    assert "nothing to warn of" in w.said(run, seen.curves, now)
    assert ("val/fid", "7", "7", "100") in seen.scores and ("val/diversity", "0.9", "", "") in seen.scores
    assert w.grid_at(seen, 1)[1] == "after 100 batches" and w.grid_at(seen, 9)[1] == "step_0000150.png cannot be read"
    pytest.importorskip("matplotlib")
    assert w.picture_of_curves(seen).width > 500 and w.picture_of_curves(w.Watched()) is None


def test_texts_of_a_run_are_shown(run):
    run.samples.mkdir()
    (run.samples / "step_0000010.txt").write_text("old\n")
    (run.samples / "step_0000100.txt").write_text("a red cup\n")
    assert w.watched(run).texts == "a red cup\n"


def test_the_monitor_says_the_same_of_what_was_logged():
    alike = {"val/diversity": [(600, 0.01)], "discriminator/loss": [(600, 1.0)]}
    assert "penalise the discriminator" in said_of(alike)[0]
    assert "a VAE's beta" in said_of({"val/diversity": [(600, 0.01)]})[0]
    assert said_of({"val/diversity": [(400, 0.01)]}) == []
    won = [(500 + n, 1.0) for n in range(3)]
    assert "never fooled" in said_of({"val/discriminator_auroc": won})[0]
    assert "more real than real" in said_of({"val/discriminator_auroc": [(step, 0.0) for step, _ in won]})[0]
    assert said_of({"val/discriminator_auroc": [(400, 1.0), *won[:2]]}) == []


# -------------------------------------------------------------------- the server


async def asked(path, method="GET", body=b"", kind=b"text/html; charset=utf-8", page=b"<p>hello</p>", **at):
    """Status, headers and body of an answer through the guard."""
    sent, got = [], []

    async def app(scope, receive, send):
        got.append((await receive())["body"] if method == "POST" else None)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(page))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page[:5], "more_body": True})
        await send({"type": "http.response.body", "body": page[5:]})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    given = [(b"host", at.get("host", "localhost:7860").encode())]
    scope = {"type": "http", "path": path, "method": method, "headers": given}
    await Guard(app, at.get("listening", "127.0.0.1"))(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:]), got


def test_the_guard_lets_no_request_name_another_server():
    for path in ("/gradio_api/file=http://x.y/z", "/gradio_api/proxy=https://x.y", "/gradio_api/file= HTTPS://x"):
        assert asyncio.run(asked(path))[0] == 404
    file = {"data": [[{"path": "http://x.y/z"}]]}
    assert asyncio.run(asked("/queue/join", "POST", json.dumps(file).encode()))[0] == 400
    assert asyncio.run(asked("/queue/join", "POST", bytes(2_000_001)))[0] == 400
    for body in (b'{"data": [{"path": "/tmp/a.png", "url": "http://127.0.0.1/a"}]}', b"", b"no json"):
        status, _, _, got = asyncio.run(asked("/queue/join", "POST", body))
        assert status == 200 and got == [body]


def test_the_guard_knows_the_names_of_this_machine():
    for host in ("127.0.0.1:7860", "localhost", "[::1]:7860"):
        assert asyncio.run(asked("/", host=host))[0] == 200
    for host in ("elsewhere.com:7860", "", "127.0.0.1.elsewhere.com"):
        assert asyncio.run(asked("/", host=host))[0] == 403
    assert asyncio.run(asked("/", host="mine.local", listening="0.0.0.0"))[0] == 200


def test_the_guard_takes_other_servers_out_of_pages():
    page = b'<head><meta property="og:image"\n content="https://x.y/a.jpg" /></head><p>hello</p>'
    status, headers, body, _ = asyncio.run(asked("/", page=page))
    assert status == 200 and body == b"<head></head><p>hello</p>" and headers["content-length"] == str(len(body))
    assert "connect-src 'self'" in headers["content-security-policy"]
    assert asyncio.run(asked("/a.js", kind=b"text/javascript", page=page))[2] == page


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(lambda: free_port("127.0.0.1", port), f"port {port} is taken", "--port")
    assert free_port("127.0.0.1", None) >= 7860
    refused(lambda: free_port("127.0.0.1", 70_000), "65535", 70_000)
    refused(lambda: free_port("nowhere.invalid", None), "nowhere.invalid", "--host")


# -------------------------------------------------------------------- the command


def test_what_the_page_cannot_show_is_refused():
    refuse_unshown("a", small(AutoEncoder))
    refused(lambda: refuse_unshown("last.ckpt", small(MaskedLM)), "last.ckpt", "MaskedLM", "lit-gans embed")


def test_without_gradio_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    refused(gradio, 'pip install "lit_gans[demo]"')


def test_the_command_refuses_before_it_loads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "port must be" in fails("demo", "last", "--port", 70_000)
    monkeypatch.setitem(sys.modules, "gradio", None)
    before = dict(os.environ)
    try:
        assert "pip install" in fails("demo", "nothing.ckpt")
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.mark.parametrize(("model", "to"), [(DCGAN, "b"), (CycleGAN, "a"), (Pix2Pix, "b"), (Colorizer, "b")])
def test_a_drawn_example_is_of_the_shape_that_the_model_takes(model, to):
    made = small(model)
    first, second = (example(made, to, number) for number in (0, 1))
    wanted = made.shape if to == "a" or made.draws else made.source_shape
    assert tuple(first.shape) == (1, *wanted) and -1 <= float(first.min()) < float(first.max()) <= 1
    assert not torch.equal(first, second)

"""Curves and animations of runs, whole and broken ones."""

import json
import sys

import pytest
import torch
import yaml
from conftest import refused
from PIL import Image

from lit_gans.cli import comparison
from lit_gans.cli.plot import plot
from lit_gans.display.curves import panels, running_mean
from lit_gans.display.records import read_metrics
from lit_gans.errors import UsageError
from lit_gans.images.photos import write_picture
from lit_gans.metrics.scoring import LOWER_IS_BETTER

pytest.importorskip("matplotlib")
HEADER = "discriminator/fake,discriminator/loss,discriminator/real,epoch,generator/loss,step,val/fid\n"
ROWS = "0.5,1.0,0.5,0,2.0,9,\n0.4,0.9,0.5,0,nan,19,\n,,,0,,19,12.5\n"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "version_0"
    (folder / "samples").mkdir(parents=True)
    (folder / "metrics.csv").write_text(HEADER + ROWS)
    for step, level in ((20, 255), (10, 0)):
        write_picture(torch.full((3, 20, 90), level, dtype=torch.uint8), folder / "samples" / f"step_{step:07}.png")
    write_picture(torch.zeros(3, 20, 30, dtype=torch.uint8), folder / "samples" / "real.png")
    return folder


def test_plot(run, capsys):
    plot([str(run)])
    assert sorted(p.name for p in run.iterdir()) == ["metrics.csv", "plot.png", "plot.webp", "samples"]
    picture = Image.open(run / "plot.png").convert("RGB")
    colours = {colour for _, colour in picture.getcolors(2**20)}
    assert {(31, 119, 180), (255, 127, 14)} <= colours  # two players
    animation = Image.open(run / "plot.webp")
    assert animation.n_frames == 2 and animation.info["loop"] == 0
    means = []
    for number in range(2):
        animation.seek(number)
        means.append(animation.convert("L").getpixel((45, 10)))
    assert means[0] < 20 and means[1] > 235  # in the order of the steps
    assert "5 curves" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_output(run, ending, tmp_path):
    plot([str(run)], str(tmp_path / "new" / f"x.{ending}"))
    assert {p.name for p in (tmp_path / "new").iterdir()} == {f"x.{ending}", "x.webp"}


def test_the_legend_has_every_run_and_a_switch_its_whole_name(run, monkeypatch, capsys):
    from matplotlib.figure import SubFigure

    other = run.with_name("version_1")
    other.mkdir()
    (other / "metrics.csv").write_text("epoch,step,val/swd\n0,9,1.0\n0,19,0.5\n")
    for folder, off in ((run, False), (other, True)):
        (folder / "config.yaml").write_text(yaml.safe_dump({"name": folder.name, "off": {"quality": off}}))
    legends = []
    monkeypatch.setattr(SubFigure, "legend", lambda self, lines, names, **_: legends.append((len(lines), names)))
    plot([str(run), str(other)])
    assert legends == [(2, ["version_0", "version_1"])]
    heading = capsys.readouterr().out.splitlines()[0].split()
    assert heading[:3] == ["run", "off.quality", "batches"]


def test_metrics_by_step(run):
    curves = read_metrics(run / "metrics.csv")
    assert curves["discriminator/loss"] == [(10, 1.0), (20, 0.9)] and curves["val/fid"] == [(20, 12.5)]
    assert curves["generator/loss"][0] == (10, 2.0) and len(curves) == 5


@pytest.mark.parametrize(
    "tail", ["0.3,0.8,0.5,0,1.", "0.3", ",,,,,,,,,\n", "a,b,c,d,e,f,g\n", "0.3,0.8\n", "\n", "\x00"]
)
def test_broken_rows_are_left_out(run, tail):
    with (run / "metrics.csv").open("a") as file:
        file.write(tail)
    curves = read_metrics(run / "metrics.csv")
    assert curves["discriminator/loss"] == [(10, 1.0), (20, 0.9)] and curves["val/fid"] == [(20, 12.5)]


def test_panels():
    names = [
        "discriminator/fake",
        "discriminator/loss",
        "discriminator/real",
        "generator/gradient_norm",
        "generator/loss",
        "lr",
        "val/fid",
        "val/kid",
    ]
    assert panels({name: [] for name in names}) == {
        "loss": ["discriminator/loss", "generator/loss"],
        "gradient norm": ["generator/gradient_norm"],
        "terms of the discriminator": ["discriminator/fake", "discriminator/real"],
        "lr": ["lr"],
        "val/fid": ["val/fid"],
        "val/kid": ["val/kid"],
    }


def test_a_long_run_is_smoothed(run):
    lines = [f"0.5,{1 + (i % 2)},0.5,0,2.0,{i},\n" for i in range(400)]
    (run / "metrics.csv").write_text(HEADER + "".join(lines))
    plot([str(run)])
    assert running_mean([0.0, 2.0, float("nan"), 4.0], 3) == [1.0, 1.0, 3.0, 4.0]


def test_without_samples(run, capsys):
    for path in (run / "samples").iterdir():
        path.unlink()
    plot([str(run)])
    assert "no animation" in capsys.readouterr().out and not (run / "plot.webp").exists()


def test_a_broken_grid_is_left_out(run, capsys):
    (run / "samples" / "step_0000030.png").write_bytes((run / "samples" / "step_0000020.png").read_bytes()[:50])
    plot([str(run)])
    assert "step_0000030.png is left out" in capsys.readouterr().err
    assert Image.open(run / "plot.webp").n_frames == 2


def test_wrong_input(run, tmp_path, monkeypatch):
    cases = [
        (tmp_path / "nowhere", None, "there is no .*nowhere; name a run"),
        (run / "samples", None, "there is no run in"),
        (run, "x.jpg", "must end in .png"),
    ]
    for folder, output, words in cases:
        with pytest.raises(UsageError, match=words):
            plot([str(folder)], output)
    for text, words in (("", "no values yet"), (HEADER, "no values yet"), ("a,b\n1,2\n", "no column 'step'")):
        (run / "metrics.csv").write_text(text)
        with pytest.raises(UsageError, match=words):
            plot([str(run)])
    (run / "metrics.csv").write_text(HEADER + ROWS)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"pip install 'lit_gans\[plot\]'"):
        plot([str(run)])
    assert not (run / "plot.png").exists()


def test_the_runs_own_plot_is_drawn_anew_and_no_other_file(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,val/fid\n0,1.0\n1,2.0\n")
    plot([str(tmp_path)])
    first = (tmp_path / "plot.png").read_bytes()
    (tmp_path / "metrics.csv").write_text("step,val/fid\n0,1.0\n1,2.0\n2,9.0\n")
    plot([str(tmp_path)])
    assert (tmp_path / "plot.png").read_bytes() != first
    mine = tmp_path / "mine.webp"
    mine.write_bytes(b"mine")
    refused(lambda: plot([str(tmp_path)], str(tmp_path / "mine.png")), mine, "--force")
    refused(lambda: plot([str(tmp_path)], str(tmp_path / "plot.png")), "plot.png is there already")
    assert mine.read_bytes() == b"mine" and not (tmp_path / "mine.png").exists()
    plot([str(tmp_path)], str(tmp_path / "mine.png"), force=True)
    assert (tmp_path / "mine.png").exists()


# -------------------------------------------------------------------- several runs


PROTOCOL = {"data": "Glyphs", "split": "train", "real": 100, "fake": 100, "features": "digits"}


@pytest.fixture
def sweep(tmp_path):
    """Four runs of two games; the last has no score yet."""
    chosen = [("DCGAN", 8, 1e-3, 30.0), ("DCGAN", 16, 1e-4, 20.0), ("LSGAN", 8, 1e-2, 40.0), ("LSGAN", 8, 1e-3, None)]
    for number, (model, width, rate, fid) in enumerate(chosen):
        folder = tmp_path / "runs" / f"{model}-Glyphs" / f"version_{number + 8}"
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "last.ckpt").write_bytes(b"")
        inner = {"backbone": {"class_path": "lit_gans.networks.DCGANBackbone", "init_args": {"width": width}}}
        inner["optimizer"] = {"class_path": "lit_gans.optim.Adam", "init_args": {"lr": rate, "betas": [0.5, 0.999]}}
        config = {"model": {"class_path": f"lit_gans.{model}", "init_args": inner}, "seed_everything": 0}
        config["trainer"] = {"default_root_dir": str(number), "logger": number}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "metrics.csv").write_text("discriminator/loss,generator/loss,step\n1.0,2.0,9\n1.5,2.5,19\n")
        lines = (
            [{"values": {"fid": fid + more}, "protocol": PROTOCOL, "step": step} for step, more in ((10, 0), (20, 5))]
            if fid
            else []
        )
        if lines:
            (folder / "scores.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\nhalf a li")
    return tmp_path / "runs"


def test_runs_are_compared(sweep, capsys):
    (sweep / "notes.txt").write_text("mine")
    plot([*map(str, sorted(sweep.iterdir()))])
    said = capsys.readouterr()
    rows = said.out.splitlines()
    assert rows[0].split() == ["run", "model", "width", "lr", "batches", "best", "val/fid", "at", "last"]
    assert [row.split() for row in rows[1:4]] == [
        ["DCGAN-Glyphs/version_9", "DCGAN", "16", "0.0001", "20", "20", "10", "25"],
        ["DCGAN-Glyphs/version_8", "DCGAN", "8", "0.001", "20", "30", "10", "35"],
        ["LSGAN-Glyphs/version_10", "LSGAN", "8", "0.01", "20", "40", "10", "45"],
    ]
    assert rows[4].split() == ["LSGAN-Glyphs/version_11", "LSGAN", "8", "0.001", "20"]
    assert rows[5] == f"4 runs in {sweep / 'plot.png'}" and said.err == ""
    picture = Image.open(sweep / "plot.png").convert("RGB")
    assert len(picture.getcolors(2**20)) > 50 and picture.width > 1000
    refused(lambda: plot([str(sweep)]), "plot.png is there already", "--force")
    plot([str(sweep)], force=True)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_any_file_of_a_run_stands_for_it(sweep, tmp_path, ending, capsys):
    one, two, three = (sweep / f"{name}-Glyphs/version_{n}" for name, n in (("DCGAN", 8), ("DCGAN", 9), ("LSGAN", 10)))
    words = [one / "checkpoints/last.ckpt", two / "metrics.csv", three / "scores.jsonl", one / "checkpoints", one]
    plot([*map(str, words)], str(tmp_path / f"x.{ending}"))
    assert "3 runs in" in capsys.readouterr().out and (tmp_path / f"x.{ending}").stat().st_size > 1000


def test_a_run_without_metrics_is_drawn_by_its_scores(sweep, capsys):
    run = sweep / "DCGAN-Glyphs" / "version_8"
    (run / "metrics.csv").unlink()
    plot([str(run)])
    assert "1 curve in" in capsys.readouterr().out and (run / "plot.png").is_file()


def test_runs_without_anything_to_draw(sweep, tmp_path, capsys):
    empty = sweep / "LSGAN-Glyphs" / "version_11"
    (empty / "metrics.csv").unlink()
    plot([str(sweep)])
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == f"3 runs in {sweep / 'plot.png'}"
    assert said.err.startswith(f"note: left out: {empty} has no metrics.csv and no scores.jsonl")
    refused(lambda: plot([str(empty)]), "has no metrics.csv and no scores.jsonl", "log_every_n_steps")
    refused(lambda: plot([str(sweep), "nowhere"]), "there is no nowhere")
    (tmp_path / "other").mkdir()
    refused(lambda: plot([str(tmp_path / "other")]), "there is no run in")


def test_scores_that_were_measured_otherwise_are_named(sweep, capsys):
    path = sweep / "DCGAN-Glyphs" / "version_8" / "scores.jsonl"
    path.write_text(path.read_text().replace('"fake": 100', '"fake": 99'))
    plot([str(sweep)])
    assert "note: the scores were not all measured alike: fake differ" in capsys.readouterr().err


def test_the_scores_of_which_less_is_better_are_those_of_the_measures():
    assert set(comparison.LESS_IS_BETTER) == set(LOWER_IS_BETTER)


def test_scales():
    scale = comparison.Scale([1e-4, 1e-2, None, 1e-3])
    assert scale.log and [round(scale(value), 6) for value in (1e-4, 1e-3, 1e-2)] == [0.0, 0.5, 1.0]
    assert scale(None) != scale(None) and [text for _, text in scale.ticks] == ["0.0001", "0.01", "0.001"]
    assert not comparison.Scale([0, 100.0]).log and comparison.Scale([3, 3])(3) == 0.5
    words = comparison.Scale([[0.5, 0.9], "x", True])
    assert not words.numbers and [words(value) for value in ("[0.5,0.9]", True, "x")] == [0.5, 0.0, 1.0]

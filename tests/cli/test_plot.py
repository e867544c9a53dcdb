"""Curves and animations of runs, whole and broken ones."""

import sys

import pytest
import torch
from conftest import refused
from PIL import Image

from lit_gans.cli.curves import panels, running_mean
from lit_gans.cli.plot import plot
from lit_gans.cli.records import read_metrics
from lit_gans.errors import UsageError
from lit_gans.images.photos import write_picture

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
        (tmp_path / "nowhere", None, "there is no folder"),
        (tmp_path, None, "has no metrics.csv"),
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

"""Mode coverage as users get it: in a run's log, from `lit-gans evaluate`, and in the benchmark's table."""

import importlib.util
import json
import struct
from math import log
from pathlib import Path

import pytest
import torch
import yaml
from conftest import fails, fit, glyphs, small, trainer

from lit_gans import DCGAN, GAN, LSGAN, Gaussians, StackedMNIST
from lit_gans.callbacks import Quality
from lit_gans.checkpoints import load
from lit_gans.cli.main import main
from lit_gans.metrics.coverage import PointCoverage, StackCoverage, measure_coverage, mode_coverage
from lit_gans.networks import MLPBackbone

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmarks" / "mode_coverage.py"
POINTS = {"modes", "high_quality", "kl"}


class Draws:
    """A model whose samples are given."""

    device = torch.device("cpu")

    def __init__(self, images):
        self.images, self.drawn = images, 0

    def sample(self, n, *, seed):
        self.drawn += n
        return self.images[torch.randint(len(self.images), (n,), generator=torch.Generator().manual_seed(seed))]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def few(monkeypatch):
    """26,000 stacks take a classifier ten seconds."""
    monkeypatch.setattr(StackCoverage, "count", 300)


def write_mnist(root):
    """Twelve training and test digits of noise in MNIST's files."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        noise = torch.randint(256, (12 * 28 * 28,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        pixels = struct.pack(">4I", 0x803, 12, 28, 28) + bytes(noise.tolist())
        (raw / f"{part}-images-idx3-ubyte").write_bytes(pixels)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 12) + bytes(range(10)) + bytes(2))


def points():
    return GAN(
        image_shape=(2, 1, 1), latent_dim=2, backbone=MLPBackbone(generator_hidden=(8,), discriminator_hidden=(8,))
    )


def numbers(values):
    return {name: float(value) for name, value in values.items()}


# -------------------------------------------------------------------- the measure


@pytest.mark.parametrize("kind, modes", [("ring", 8), ("grid", 25)])
def test_real_points_and_half_of_the_modes(kind, modes):
    data = Gaussians(kind)
    data.setup("test")
    batch = data.splits["test"][:]
    model = Draws(batch["image"])
    found = numbers(measure_coverage(model, data, seed=0))
    assert model.drawn == 2_500 and set(found) == POINTS
    assert found["modes"] == modes and found["kl"] < 0.03 and 0.98 < found["high_quality"] < 0.996  # 1 - exp(-4.5)
    half = numbers(measure_coverage(Draws(batch["image"][batch["label"] < modes // 2]), data, seed=0))
    assert half["modes"] == modes // 2 and half["kl"] == pytest.approx(log(modes / (modes // 2)), abs=0.03)


def test_points_are_not_rounded():
    """The ring's sigma is one level of eight bits, so that rounding would move points by up to half of it."""
    data = Gaussians("ring")
    off = torch.tensor([2.9 * data.sigma, 0.0])
    for step, expected in ((off, 1.0), (off * 3.1 / 2.9, 0.0)):
        images = ((data.means[:1] + step) / data.scale).view(1, 2, 1, 1)
        assert numbers(measure_coverage(Draws(images), data, seed=0))["high_quality"] == expected


def test_stacks_are_read_by_the_classifier(few):
    class ByBrightness(torch.nn.Module):
        """Calls a channel the digit that its brightness is, with probability 0.5."""

        def logits(self, images):
            assert images.shape[1:] == (1, 4, 4)
            digit = images.mean((1, 2, 3)).mul(10).round().long()
            return torch.nn.functional.one_hot(digit, 10) * log(9.0)

    metric = StackCoverage(ByBrightness())
    images = torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.0, 0.9], [0.1, 0.2, 0.3]])[:, :, None, None].expand(-1, -1, 4, 4)
    metric.update(images[:2])
    metric.update(images[2:])
    assert metric.counts.nonzero().flatten().tolist() == [10, 124]  # the numbers 009 and 123, after that of no mode
    expected = {"modes": 2, "kl": 2 / 3 * log(2000 / 3) + 1 / 3 * log(1000 / 3), "confidence": 0.5}
    assert numbers(metric.compute()) == pytest.approx(expected, rel=1e-6)
    metric.reset()
    metric.update(images[:1])
    assert metric.compute()["confidence"] == pytest.approx(0.5) and metric.compute()["modes"] == 1


def test_what_has_known_modes():
    assert isinstance(mode_coverage(Gaussians("grid")), PointCoverage)
    assert isinstance(mode_coverage(StackedMNIST()), StackCoverage)
    assert mode_coverage(glyphs()) is None and mode_coverage(None) is None
    assert measure_coverage(None, glyphs(), seed=0) == {}


# -------------------------------------------------------------------- in a run


def test_points_in_a_run(tmp_path):
    model, data = points(), Gaussians(batch_size=50_000)
    run = trainer(tmp_path, max_steps=2, callbacks=[Quality(count=3_000, real_count=100)])
    run.fit(model, datamodule=data)
    logged = {name.removeprefix("val/"): v for name, v in numbers(run.callback_metrics).items() if "val/" in name}
    assert set(logged) == {"swd", *POINTS}
    assert {name: logged[name] for name in POINTS} == numbers(measure_coverage(model, data, seed=0))
    (line,) = (tmp_path / "scores.jsonl").read_text().splitlines()
    assert json.loads(line)["values"] == pytest.approx(logged)
    run.test(model, datamodule=data)
    assert {f"test/{name}" for name in POINTS} <= set(run.callback_metrics)


def test_stacks_in_a_run_are_no_more_than_were_asked_for(tmp_path, few):
    write_mnist(tmp_path)
    data = StackedMNIST(str(tmp_path), size=16, count=40, batch_size=8)
    model = small(DCGAN, image_shape=(3, 16, 16))
    run = trainer(tmp_path, max_steps=5, limit_val_batches=2, callbacks=[Quality(count=150, scores=["swd"])])
    run.fit(model, datamodule=data)
    expected = numbers(measure_coverage(model, data, seed=0, limit=16))  # two validation batches
    assert {f"val/{name}": value for name, value in expected.items()}.items() <= numbers(run.callback_metrics).items()
    assert set(expected) == {"modes", "kl", "confidence"} and expected["modes"] <= 16


# -------------------------------------------------------------------- evaluate


def evaluated(*arguments):
    main(["evaluate", "checkpoints/last.ckpt", "--data=data.yaml", *arguments, "--output=a.json", "--force"])
    return json.loads(Path("a.json").read_text())


@pytest.mark.parametrize("kind", ["ring", "grid"])
def test_points_evaluated(kind, folder, capsys):
    fit(folder, points(), Gaussians(kind, batch_size=50_000), max_steps=2)
    Path("data.yaml").write_text(yaml.safe_dump({"data": {"class_path": "Gaussians", "init_args": {"kind": kind}}}))
    found = evaluated("--count=50", "--real_count=50")
    model, data = load("checkpoints/last.ckpt", "cpu"), Gaussians(kind)
    assert list(found["values"]) == ["swd", "modes", "high_quality", "kl"]
    assert {name: found["values"][name] for name in POINTS} == numbers(measure_coverage(model, data, seed=0))
    assert (found["protocol"]["features"], found["protocol"]["data"]) == ("none", f"Gaussians 2x1x1 kind={kind}")
    assert "modes (more is better)" in (shown := capsys.readouterr().out) and "kl (less is better)" in shown
    assert set(evaluated("--metrics=modes", "--count=2")["values"]) == POINTS
    assert list(evaluated("--metrics=swd", "--count=2")["values"]) == ["swd"]
    error = fails("evaluate", "checkpoints/last.ckpt", "--data=data.yaml", "--metrics", "modes", "fid")
    assert "fid needs images of at least 8 pixels" in error


def test_stacks_evaluated(folder, few):
    write_mnist(folder)
    data = StackedMNIST(str(folder), size=16, count=200, batch_size=8)
    fit(folder, small(LSGAN, image_shape=(3, 16, 16)), data, max_steps=2)
    settings = {"class_path": "StackedMNIST", "init_args": {"root": str(folder), "count": 200}}
    Path("data.yaml").write_text(yaml.safe_dump({"data": settings}))
    found = evaluated("--metrics", "kid", "modes", "--count=20", "--features=digits")
    expected = numbers(measure_coverage(load("checkpoints/last.ckpt", "cpu"), data, seed=0))
    assert list(found["values"]) == ["kid", "modes", "kl", "confidence"]
    assert {name: found["values"][name] for name in expected} == expected
    assert (found["protocol"]["features"], found["protocol"]["data"]) == ("digits", "StackedMNIST 3x16x16")
    assert {"fid", "coverage", "modes", "kl"} <= set(evaluated("--count=200", "--features=digits")["values"])


def test_modes_that_nobody_knows(folder):
    fit(folder, small(LSGAN), glyphs(), max_steps=1)
    Path("data.yaml").write_text("data: {class_path: Glyphs, init_args: {characters: '01', count: 20}}")
    arguments = ["checkpoints/last.ckpt", "--data=data.yaml", "--metrics=modes", "--count=2"]
    assert "the modes of Glyphs are not known" in fails("evaluate", *arguments)


# -------------------------------------------------------------------- the benchmark


@pytest.fixture
def benchmark():
    spec = importlib.util.spec_from_file_location("mode_coverage_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_benchmark_goes_on_where_it_was(benchmark, folder, monkeypatch, capsys):
    job = ["--models", "GAN", "LSGAN", "--data", "ring", "grid", "--steps", "2", "--results", "r.jsonl"]
    benchmark.main([*job, "--seeds", "0"])
    first = Path("r.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in first]
    assert [(r["data"], r["model"]) for r in found] == [(d, m) for d in ("ring", "grid") for m in ("GAN", "LSGAN")]
    assert all(POINTS | {"seconds", "seed", "steps", "settings"} <= r.keys() and r["steps"] == 2 for r in found)
    benchmark.main([*job, "--seeds", "0", "1"])
    lines = Path("r.jsonl").read_text().splitlines()
    assert lines[:4] == first and [json.loads(line)["seed"] for line in lines[4:]] == [1] * 4
    monkeypatch.setattr(benchmark, "run", None)  # nothing is left to do
    benchmark.main([*job, "--seeds", "0", "1"])
    capsys.readouterr()
    benchmark.main(["--results", "r.jsonl", "--table"])
    shown = capsys.readouterr().out
    modes = [json.loads(line)["modes"] for line in lines if '"LSGAN", "data": "grid"' in line]
    assert f"| LSGAN | {sum(modes) / 2:.1f} ± " in shown and "| ring, 2 steps | modes | high quality | kl |" in shown
    assert shown.count("| GAN |") == 2 and "PacGAN" not in shown


def test_benchmark_settings_decide_and_failures_are_told(benchmark, folder, monkeypatch, capsys):
    job = ["--models", "GAN", "--data", "ring", "--seeds", "0", "--steps", "2", "--results", "r.jsonl"]
    benchmark.main(job)
    monkeypatch.setitem(benchmark.MODELS, "GAN", {"all": {"lr": 1e30, "saturating": True}, "ring": {"clip_norm": 1e30}})
    benchmark.main([*job, "--steps", "20"])
    kept, failed = (json.loads(line) for line in Path("r.jsonl").read_text().splitlines())
    assert "failed" in failed and failed["settings"]["lr"] == "1e+30" and "failed" not in kept
    benchmark.main(["--results", "r.jsonl", "--table"])
    assert "1, 1 diverged" in capsys.readouterr().out


def test_benchmark_of_stacks(benchmark, folder, few, monkeypatch):
    write_mnist(folder)
    tiny = {**benchmark.DATA["stacked"], "width": 4, "batch_size": 4}
    monkeypatch.setitem(benchmark.DATA, "stacked", tiny)
    job = ["--models", "LSGAN", "--data", "stacked", "--seeds", "0", "--steps", "2", "--data-root", str(folder)]
    benchmark.main([*job, "--results", "r.jsonl"])
    (found,) = (json.loads(line) for line in Path("r.jsonl").read_text().splitlines())
    assert found["settings"]["precision"] == "bf16-mixed" and {"modes", "kl", "confidence"} <= found.keys()

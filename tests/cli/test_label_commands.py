"""The command line and the callbacks with models that are told a label."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHAPE, fails, fit, glyphs, refused, small, trainer
from lightning.pytorch import LightningDataModule
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

import lit_gans
from lit_gans import ACGAN, CGAN, DCGAN, Glyphs
from lit_gans.callbacks import Reconstruction, SampleGrid
from lit_gans.checkpoints import KEY
from lit_gans.cli.main import main
from lit_gans.cli.models import labels, load_latent
from lit_gans.images.shape import to_uint8
from lit_gans.latents.paths import draw, path


class Named(Glyphs):
    class_names = ["cat", "guard dog"]


def lively(model):
    """Otherwise all that an untrained model draws is grey."""
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.weight.data.mul_(3)
    return model


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Checkpoints of a model of three classes, of which two were shown, of one of attributes and of one of neither."""
    folder = tmp_path_factory.mktemp("runs")
    fit(folder / "classes", lively(small(CGAN, num_classes=3)), glyphs(batch_size=20), max_steps=20)
    fit(folder / "none", small(DCGAN), glyphs(), max_steps=1)
    rows = TensorDataset(torch.rand(16, *SHAPE) * 2 - 1, torch.randint(2, (16, 2)))
    data = LightningDataModule.from_datasets(rows, batch_size=4)
    fit(folder / "attributes", lively(small(CGAN, multi_label=True)), data, max_steps=8)
    fit(folder / "named", lively(small(CGAN)), Named(size=16, characters="01", count=40, batch_size=4), max_steps=8)
    model = lively(small(CGAN, multi_label=True))
    model.class_names = ("young", "happy")
    fit(folder / "traits", model, data, max_steps=8)
    kinds = ("classes", "attributes", "none", "named", "traits")
    return {name: str(folder / name / "checkpoints" / "last.ckpt") for name in kinds}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tiles(file, rows, columns):
    """The pictures of a grid, (rows, columns, 16, 16)."""
    picture = np.asarray(Image.open(file).convert("L"))
    assert picture.shape == (18 * rows + 2, 18 * columns + 2)
    cut = [[picture[2 + 18 * r : 18 + 18 * r, 2 + 18 * c : 18 + 18 * c] for c in range(columns)] for r in range(rows)]
    return torch.from_numpy(np.array(cut))


def grey(images):
    return to_uint8(images)[:, 0]


# -------------------------------------------------------------------- sample


def test_a_column_for_each_class(runs, folder):
    main(["sample", runs["classes"], "--count=10", "--seed=1"])
    model = load_latent(runs["classes"])
    assert torch.equal(tiles("samples.png", 5, 2).flatten(0, 1), grey(model.sample(10, seed=1)))
    main(["sample", runs["classes"], "--count=10", "--seed=1", "--columns=5", "--output=b.png"])
    assert torch.equal(tiles("b.png", 2, 5).flatten(0, 1), grey(model.sample(10, seed=1)))
    main(["sample", runs["classes"], "--count=1", "--seed=1", "--output=c.png"])
    assert Image.open("c.png").size == (16, 16)


@pytest.mark.parametrize(
    ("words", "label", "shape"),
    [
        (["--label", "1"], 1, (2, 2)),
        (["--label=1"], 1, (2, 2)),
        (["--label", "1", "0"], [1, 0], (2, 2)),
        (["--label", "[1, 0, 0, 0]"], [1, 0, 0, 0], (1, 4)),
    ],
)
def test_labels_as_people_write_them(words, label, shape, runs, folder):
    main(["sample", runs["classes"], *words, "--count=4", "--seed=1"])
    expected = grey(load_latent(runs["classes"]).sample(4, seed=1, label=label))
    assert torch.equal(tiles("samples.png", *shape).flatten(0, 1), expected)


@pytest.mark.parametrize(
    ("words", "row"), [(["--label", "1"], [0, 1]), (["--label", "0", "1"], [1, 1]), (["--label=[]"], [0, 0])]
)
def test_attributes_that_hold(words, row, runs, folder):
    main(["sample", runs["attributes"], *words, "--count=4", "--seed=1"])
    expected = grey(load_latent(runs["attributes"]).sample(4, seed=1, label=[row]))
    assert torch.equal(tiles("samples.png", 2, 2).flatten(0, 1), expected)


@pytest.mark.parametrize(
    ("model", "words", "error", "code"),
    [
        ("none", ["--label", "1"], "DCGAN draws without labels: leave --label out", 1),
        ("classes", ["--label", "2"], "class 2 had no example in training", 1),
        ("classes", ["--label", "7"], "a class from 0 to 2, got 7", 1),
        ("classes", ["--label=-1"], "a class from 0 to 2, got -1", 1),
        ("classes", ["--label=[]"], "label names no class", 1),
        ("classes", ["--label", "two"], "label must be a number from 0 to 2, since the model does not know", 1),
        ("classes", ["--label"], "label", 2),
        ("attributes", ["--label", "2"], "numbers of attributes from 0 to 1, got 2", 1),
        ("attributes", ["--label=-1"], "numbers of attributes from 0 to 1, got -1", 1),
        ("named", ["--label", "guard dgo"], "no class 'guard dgo'; did you mean guard dog? there are 0 cat, 1 gua", 1),
        ("named", ["--label", "5"], "a class from 0 to 1, got 5; there are 0 cat, 1 guard dog", 1),
        ("traits", ["--label", "yong"], "no class 'yong'; did you mean young? there are 0 young, 1 happy", 1),
    ],
)
@pytest.mark.parametrize("command", ["sample", "interpolate"])
def test_refused(command, model, words, error, code, runs, folder):
    if command == "interpolate" and code == 1 and model != "none":
        words = [words[0], *words[1:], "0"] if len(words) > 1 else ["--label=[-1, 0]"] if "-1" in words[0] else words
        error = "label must be two" if words == ["--label=[]"] else error
    assert error in fails(command, runs[model], *words, code=code)
    assert not list(folder.iterdir())


# -------------------------------------------------------------------- names of classes


@pytest.mark.parametrize(
    ("model", "words", "label"),
    [
        ("named", ["guard dog"], [1]),
        ("named", ["Cat", "guard dog"], [0, 1]),
        ("named", ["guard dog,0"], [1, 0]),
        ("traits", ["happy"], [[0, 1]]),
        ("traits", ["young", "1"], [[1, 1]]),
    ],
)
def test_classes_and_attributes_by_name(model, words, label, runs, folder):
    main(["sample", runs[model], "--label", *words, "--count=4", "--seed=1", "--columns=2"])
    expected = grey(load_latent(runs[model]).sample(4, seed=1, label=label))
    assert torch.equal(tiles("samples.png", 2, 2).flatten(0, 1), expected)


def test_commands_take_the_same_names(runs, folder):
    main(["interpolate", runs["named"], "--label", "cat", "guard dog", "--count=1", "--steps=2", "--seed=1"])
    main(["interpolate", runs["named"], "--label", "0", "1", "--count=1", "--steps=2", "--seed=1", "--output=b.png"])
    assert Path("interpolation.png").read_bytes() == Path("b.png").read_bytes()
    main(["invert", runs["named"], "b.png", "--label=guard dog", "--steps=2", "--restarts=2"])
    model = lit_gans.load(runs["named"])
    assert torch.equal(model.sample(2, seed=1, label="guard dog"), model.sample(2, seed=1, label=1))


def test_names_stay_with_the_model(runs, folder):
    model = lit_gans.load(runs["named"])
    assert model.class_names == ("cat", "guard dog")
    lit_gans.save(model, "saved.ckpt")
    rows = TensorDataset(torch.rand(8, *SHAPE) * 2 - 1, torch.arange(8) % 2)
    nameless = LightningDataModule.from_datasets(rows, batch_size=4)
    fit(folder / "on", lit_gans.load("saved.ckpt"), nameless, max_steps=2)
    assert lit_gans.load(folder / "on" / "checkpoints" / "last.ckpt").class_names == ("cat", "guard dog")
    fit(folder / "new", lit_gans.load("saved.ckpt"), glyphs(), max_steps=2)
    assert lit_gans.load(folder / "new" / "checkpoints" / "last.ckpt").class_names == ("0", "1")


@pytest.mark.parametrize("names", [None, "absent", 3, ["one"], ["a", 2], ["a", "\x1b[2J"]])
def test_a_file_without_usable_names_is_read_as_before(names, runs, folder):
    content = torch.load(runs["named"], weights_only=True)
    content[KEY]["class_names"] = names
    if names == "absent":  # of an earlier version
        del content[KEY]["class_names"]
    torch.save(content, "old.ckpt")
    main(["sample", "old.ckpt", "--label", "1", "--count=1", "--seed=1"])
    assert "does not know the names of its classes, got 'cat'" in fails("sample", "old.ckpt", "--label", "cat", code=1)


# -------------------------------------------------------------------- interpolate


def test_the_way_from_class_to_class(runs, folder):
    main(["interpolate", runs["classes"], "--label", "1", "0", "--count=2", "--steps=3", "--seed=1", "--output=x.png"])
    model, noise = load_latent(runs["classes"]), draw(2, 8, 1)
    shown = tiles("x.png", 2, 3)
    for step, row in enumerate(([0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0])):
        assert (shown[:, step].int() - grey(model.sample(noise=noise, label=[row])).int()).abs().max() <= 1
    assert "must be two" in fails("interpolate", runs["classes"], "--label", "1")
    assert "must be two" in fails("interpolate", runs["classes"], "--label", "1", "0", "1")


def test_the_way_from_attribute_to_attribute(runs, folder):
    main(
        ["interpolate", runs["attributes"], "--label", "0", "1", "--count=1", "--steps=2", "--seed=1", "--output=x.png"]
    )
    expected = grey(load_latent(runs["attributes"]).sample(noise=draw(1, 8, 1).expand(2, 8), label=[[1, 0], [0, 1]]))
    assert (tiles("x.png", 1, 2)[0].int() - expected.int()).abs().max() <= 1


def test_between_noises_the_class_stays(runs, folder):
    main(["interpolate", runs["classes"], "--count=3", "--steps=3", "--seed=1", "--output=x.png"])
    model = load_latent(runs["classes"])
    points = path(*draw(6, 8, 1).chunk(2), steps=3)
    for row, (number, shown) in enumerate(zip((0, 1, 0), tiles("x.png", 3, 3), strict=True)):
        assert (shown.int() - grey(model.sample(noise=points[row], label=number)).int()).abs().max() <= 1


def test_labels_for_sample(runs):
    assert labels(load_latent(runs["none"]), None) == {}
    refused(lambda: labels(load_latent(runs["none"]), [0]), "draws without labels")


# -------------------------------------------------------------------- other commands and callbacks


@pytest.mark.parametrize("model", ["classes", "attributes"])
def test_invert(model, runs, folder, capsys):
    main(["sample", runs[model], "--label", "1", "--count=1", "--output=x.png"])
    main(["invert", runs[model], "x.png", "--label=1", "--steps=2", "--restarts=2"])
    assert Path("inversion.png").is_file()


@pytest.mark.parametrize(("count", "size"), [(7, (3, 2)), (1, (1, 2)), (8, (4, 2))])
def test_sample_grids_have_a_column_for_each_class(count, size, folder):
    fit(folder, small(ACGAN), glyphs(), callbacks=[SampleGrid(count=count)], max_steps=2)
    tiles(folder / "samples" / "step_0000002.png", *size)


def test_a_grid_of_too_many_classes_is_square(folder):
    fit(folder, small(ACGAN, num_classes=51), glyphs(batch_size=20), callbacks=[SampleGrid(count=9)], max_steps=1)
    # only two of them were shown
    tiles(folder / "samples" / "step_0000001.png", 4, 2)
    model = small(ACGAN, num_classes=51)
    grid = SampleGrid(count=9)
    run = trainer(folder / "b", callbacks=[grid])
    grid.setup(run, model, "fit")
    grid.draw(run, model)
    tiles(folder / "b" / "samples" / "step_0000000.png", 3, 3)


def test_reconstruction_knows_the_labels(folder):
    logged = {}
    model = small(CGAN)
    model.log = lambda name, value, **_: logged.update({name: float(value)})
    fit(folder, model, glyphs(), callbacks=[Reconstruction(images=4, steps=2)], max_epochs=1, max_steps=-1)
    assert logged["val/reconstruction"] > 0


def test_a_loader_of_rows_is_what_attributes_need(folder):
    rows = DataLoader(TensorDataset(torch.rand(8, *SHAPE) * 2 - 1, torch.randint(2, (8, 2))), batch_size=4)
    refused(lambda: trainer(folder).fit(small(CGAN), rows), "CGAN", "one class each")

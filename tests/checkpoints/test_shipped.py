"""The models that come along: each file is what its notes say, and their names stand wherever a checkpoint does."""

import json
from pathlib import Path

import pytest
import torch
from conftest import small

import lit_gans
from lit_gans import ELECTRA, UsageError, load, load_generator, save, take
from lit_gans.checkpoints import read
from lit_gans.checkpoints.tensors import _narrowest
from lit_gans.cli.main import main
from lit_gans.cli.shipped import data_of, listed, notes
from lit_gans.cli.shipped import read as read_notes
from lit_gans.runs import SHIPPED, find_checkpoint, is_shipped, no_checkpoint, shipped
from tools.shipped import FEW, MOST, PAGE, RECIPES, Recipe, in_page, write

ROOT = Path(lit_gans.__file__).parents[1]
#: how far values of the same samples may be from the notes, which another machine's arithmetic moves a little
BOUND = {"there and back": 0.01, "psnr": 0.5, "psnr with hints": 0.5}
PERCENT = 3.0
NAME = "numbers-en-de"


@pytest.fixture(params=list(shipped()))
def name(request):
    return request.param


def test_all_are_small_and_have_a_recipe():
    files = shipped()
    assert sum(path.stat().st_size for path in files.values()) <= MOST
    assert {*files} <= {*RECIPES} and files, "tools/shipped.py makes each"
    assert all((ROOT / "examples" / "configs" / f"{recipe.config}.yaml").is_file() for recipe in RECIPES.values())


def test_each_is_as_good_as_it_says(name):
    recipe, told, model = RECIPES[name], notes(name), load(name)
    assert (told.about, told.config, told.options) == (recipe.about, recipe.config, list(recipe.options))
    assert told.batches > 0 and told.score and told.data["class_path"]
    found = recipe.check(model, FEW)
    assert found.keys() == told.check.keys()
    for key, value in found.items():
        assert value == pytest.approx(told.check[key], abs=BOUND.get(key, PERCENT)), key


def test_each_makes_what_it_is_for(name):
    model = load(name)
    if model.translates_texts:
        (text,) = model.translate_text("forty-two")
        assert text in ("zweiundvierzig", "사십이")
        return
    if not model.draws_by_text:  # a sentence is read by another network than the generator
        assert all(load_generator(name, to) is not None for to in model.domains or [None]), "without Lightning, too"
    images = model.sample(4, seed=0) if model.draws else model.translate(torch.zeros(4, *model.source), seed=0)
    assert images.shape == (4, *model.shape) and bool(torch.isfinite(images).all())
    assert bool((images.abs() <= 1).all()) and float(images.std()) > 0.01


def test_the_page_has_the_table():
    page = PAGE.read_text("utf-8")
    assert in_page(page) == page, "python -m tools.shipped --table writes it"
    assert all(f"`{name}`" in page for name in shipped())


def test_they_are_listed(capsys):
    main(["list", "shipped"])
    assert capsys.readouterr().out.strip() == listed()
    assert NAME in listed() and notes(NAME).score.split()[0] in listed()


def test_they_are_in_the_wheel():
    builder = pytest.importorskip("hatchling.builders.wheel", reason="needs hatchling, which builds the wheel")
    files = {Path(file.path).resolve() for file in builder.WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {path.resolve() for path in shipped().values()} <= files


def test_the_tool_makes_a_file_of_a_checkpoint(tmp_path, monkeypatch):
    recipe = Recipe(
        "lines", "dcgan_mnist", lambda model, count: {"seen": count}, lambda model: "fine", ("--data.size", 16)
    )
    monkeypatch.setitem(RECIPES, "lines", recipe)
    model, file = small(lit_gans.DCGAN), tmp_path / "lines.safetensors"
    save(model, tmp_path / "run.ckpt")
    told = write("lines", tmp_path / "run.ckpt", file)
    assert told == read_notes(file) and (told.score, told.check) == ("fine", {"seen": FEW})
    assert told.data == {"class_path": "MNIST", "init_args": {"size": 16}}
    assert torch.allclose(load(file).sample(2, seed=0), model.sample(2, seed=0), atol=0.01)
    save(small(lit_gans.ACGAN), tmp_path / "other.ckpt")
    with pytest.raises(UsageError, match="holds an ACGAN, but lines is made by dcgan_mnist"):
        write("lines", tmp_path / "other.ckpt", file)


def test_a_file_or_a_run_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint(NAME) == SHIPPED / f"{NAME}.safetensors" and is_shipped(NAME)
    save(small(lit_gans.DCGAN), f"runs/{NAME}/checkpoints/last.ckpt")
    assert find_checkpoint(NAME) == Path(f"runs/{NAME}/checkpoints/last.ckpt")
    assert type(load(NAME)) is lit_gans.DCGAN and not is_shipped(NAME)
    Path(NAME).write_bytes(b"mine")
    assert find_checkpoint(NAME) == Path(NAME) and not is_shipped(NAME)
    assert data_of(NAME) is None


def test_a_wrong_name_gets_the_nearest(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"no model of that name comes along; did you mean {NAME}"):
        load("number-en-de")
    with pytest.raises(SystemExit):
        main(["translate", "number-en-de", "--text", "one"])
    said = capsys.readouterr().err
    assert f"did you mean {NAME}?" in said and said.count("\n") == 1
    assert "comes along" not in no_checkpoint("runs/x/last.ckpt"), "nobody means a model by a path"


def test_what_is_written_lies_in_the_working_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["evaluate", NAME, "--data.count", "200", "--device", "cpu"])
    assert json.loads(Path(f"{NAME}.json").read_text())["checkpoint"] == NAME
    main(["compare", NAME])
    assert "NumberPairs" in capsys.readouterr().out, "the data of its run are known"
    assert [path.suffix for path in SHIPPED.iterdir()] == [".safetensors"] * len(shipped())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", NAME], "without its run, so that none goes on from it"),
        (["fit", "--resume", NAME], "without its run, so that none goes on from it"),
        (["test", NAME], f"'lit-gans evaluate {NAME}' measures it"),
        (["cite", "number-en-de"], f"did you mean {NAME}"),
    ],
)
def test_what_does_not_go_is_said(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


def test_they_are_cited(capsys):
    main(["cite", NAME])
    assert "sutskever2014sequence" in capsys.readouterr().out


# -------------------------------------------------------------------- files of what samples are made with alone


@pytest.mark.parametrize("cls", [lit_gans.ACGAN, lit_gans.CycleGAN, lit_gans.Seq2Seq, lit_gans.VAE])
@pytest.mark.parametrize("ending", ["ckpt", "safetensors"])
def test_samples_stay(cls, ending, tmp_path):
    model = small(cls)
    with torch.no_grad():
        for weight in model.generator.parameters():
            weight.add_(1.0)  # the average is another one
    save(model, tmp_path / f"whole.{ending}")
    save(model, tmp_path / f"small.{ending}", sampling_only=True)
    kept = read(tmp_path / f"small.{ending}")["state_dict"]
    assert not [key for key in kept if key.startswith(("discriminator.", "generator_ema.", "pool_"))]
    assert (tmp_path / f"small.{ending}").stat().st_size < (tmp_path / f"whole.{ending}").stat().st_size
    again = load(tmp_path / f"small.{ending}")
    average = model.generator_ema.module.state_dict()
    for network in (again.generator, again.generator_ema.module):
        assert all(torch.equal(value, average[key]) for key, value in network.state_dict().items())
    save(again, tmp_path / f"again.{ending}")  # it is whole: with a discriminator that begins anew
    assert load(tmp_path / f"again.{ending}").state_dict().keys() == model.state_dict().keys()


def test_their_weights_can_be_taken(tmp_path):
    model, other = small(lit_gans.DCGAN), small(lit_gans.DCGAN)
    save(model, tmp_path / "small.safetensors", half=True, sampling_only=True)
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    taken = take(other, tmp_path / "small.safetensors")
    assert {key.partition(".")[0] for key in taken.missing} == {"discriminator"}
    assert torch.allclose(other.sample(2, seed=0), model.sample(2, seed=0), atol=0.01)


def test_a_model_that_is_its_discriminator_is_kept_whole(tmp_path):
    with pytest.raises(UsageError, match="sampling_only is for models that draw or translate, got an ELECTRA"):
        save(small(ELECTRA), tmp_path / "x.ckpt", sampling_only=True)


def test_whole_numbers_take_the_bytes_that_they_need():
    for most, kind in ((127, torch.int8), (128, torch.int16), (2**15, torch.int32), (2**31, torch.int64)):
        assert _narrowest(torch.tensor([0, most])) is kind
    assert _narrowest(torch.tensor([-129])) is torch.int16 and _narrowest(torch.empty(0)) is torch.int8

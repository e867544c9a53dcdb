"""The index of the command line: what it says is what the parser takes."""

import json
import subprocess
import sys

import pytest

import lit_gans
from lit_gans.cli import index as indices
from lit_gans.cli.describing import text
from lit_gans.cli.entries import installed, parsed
from lit_gans.cli.index import SHIPPED, Index, index
from lit_gans.cli.index_file import written
from lit_gans.cli.indexing import made


@pytest.fixture(scope="module")
def anew():
    return made()


@pytest.fixture(scope="module")
def fresh(anew):
    return written(anew)


def test_the_shipped_index_is_what_the_tool_writes(fresh):
    shipped = SHIPPED.read_text("utf-8")
    if (made_with := json.loads(shipped)["versions"]) != installed():
        pytest.skip(f"it was made with {made_with}, and here are {installed()}")
    assert shipped == fresh, "run python tools/index.py"


def test_it_names_no_place_of_this_machine_and_is_small(fresh):
    assert len(fresh) < 500_000
    assert not any(word in fresh for word in ("/work", "/tmp", "/home", "/root", " at 0x", "site-packages"))


def test_every_class_that_is_exported_is_in_it():
    classes = index().classes
    assert {*lit_gans.models.__all__} == {*classes["model"]}
    assert {*classes["data"]} <= {*lit_gans.data.__all__}
    assert {"ResNetBackbone", "UNetTranslation"} <= {*classes["backbone"]}
    assert {"Adam", "SGD"} <= {*classes["optimizer"]} and {"EarlyStopping"} <= {*classes["callback"]}


def test_what_an_option_says():
    known = index()
    assert known.commands["fit"]["trainer.max_epochs"].kinds == ("int", "null")
    assert known.commands["fit"]["quality.seed"].default == 0
    assert known.commands["validate"]["ckpt_path"].kinds == ("str", "path", "null")
    dcgan = known.find("model", "dcgan")
    assert dcgan is not None and dcgan.options["optimizer"].default == "Adam"
    assert dcgan.backbone is not None and dcgan.backbone.options["width"].default == 64
    assert "examples/configs/dcgan_mnist.yaml" in dcgan.configs and dcgan.card == "docs/models/dcgan.md"
    wgan = known.find("model", "WGANGP")
    assert wgan is not None and wgan.backbone is not None
    assert known.find("data", "ImageFolder").options["root"].required
    assert known.find("data", "ImageFolder").options["fit"].choices == ("crop", "stretch")
    assert known.find("logger", "wandb").open and known.find("backbone", "ResNet").name == "ResNetBackbone"


def test_it_is_read_without_torch():
    program = (
        "import sys; from lit_gans.cli.index import index; index();"
        "print([m for m in ('torch', 'lightning', 'jsonargparse', 'yaml') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_with_other_versions_it_is_made_once_in_the_cache(monkeypatch, tmp_path, fresh):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(indices, "installed", lambda: {**installed(), "torch": "99.0"})
    calls = []

    def counted(shipped):
        calls.append(1)
        return {"commands": {}, "classes": {"backbone": {}}, "configs": []}

    monkeypatch.setattr("lit_gans.cli.indexing.made", counted)
    for _ in range(2):
        made_anew = index.__wrapped__()
        assert made_anew.versions["torch"] == "99.0"
    assert calls == [1]
    program = (
        "import sys; from lit_gans.cli import index; here = index.installed();"
        "index.installed = lambda: {**here, 'torch': '99.0'};"
        "print(index.index().versions['torch'], [m for m in ('torch', 'lightning') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "99.0 []"
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text("{")  # damaged
    assert isinstance(index.__wrapped__(), Index) and calls == [1, 1]


def test_without_a_cache_it_works_too(monkeypatch, tmp_path, anew):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(indices, "installed", lambda: {**installed(), "torch": "99.0"})
    monkeypatch.setattr("lit_gans.cli.indexing.made", lambda shipped: anew)  # which took seconds
    assert index.__wrapped__().find("model", "DCGAN") is not None


def test_what_is_written_is_read_back(fresh):
    assert parsed(json.loads(fresh)).commands.keys() == {"fit", "validate", "test", "predict"}


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("Uses :class:`~torch.nn.Module`.\n\n.. warning::  odd", "Uses torch.nn.Module."),
        ("stop here. Default: ``None``.", "stop here."),
        ("the ``width``\n of it (default: 3)", "the width of it"),
        ("see `the page <https://x.y>`_", "see the page"),
    ],
)
def test_descriptions_are_plain_text(said, plain):
    assert text(said) == plain

"""What a file names is looked up, and never imported or called unless the user says so."""

import copy
import subprocess
import sys

import pytest
import torch
import yaml
from conftest import fails, fit, refused, small
from PIL import Image

import lit_gans
from lit_gans import DCGAN
from lit_gans.checkpoints.trust import find_class
from lit_gans.cli.main import COMMANDS, main

MINE = """
from pathlib import Path
from lit_gans import DCGAN, Glyphs
from lit_gans.networks import DCGANGenerator
Path("imported").touch()
class Mine(DCGAN):
    "Mine."
class Stripes(Glyphs):
    "Also mine."
class Bystander:
    "No model."
part = __import__("functools").partial(DCGAN)
"""
TINY = ["--data.size=16", "--data.count=16", "--data.batch_size=8", "--model.backbone.width=4"]
TINY += ["--trainer.accelerator=cpu"]
TINY += ["--trainer.enable_progress_bar=false", "--trainer.limit_val_batches=0", "--trainer.max_steps=2"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """What a DCGAN's checkpoint holds."""
    return fit(tmp_path_factory.mktemp("saved"), small(DCGAN), max_steps=2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a module of the user's; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.setitem(sys.modules, "mine", None)  # so that it is put back
    del sys.modules["mine"]
    return tmp_path


def naming(saved, name, file="x.ckpt", **arguments):
    """The same checkpoint, which names another class and has other arguments."""
    content = copy.deepcopy(saved)
    content["lit_gans"]["class_path"] = name
    content["hyper_parameters"] |= arguments
    torch.save(content, file)
    return file


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("subprocess.Popen", "no subclass of LightningModule"),  # imported already: the kind is what protects
        ("os.system", "no subclass of LightningModule"),
        ("builtins.exec", "no subclass of LightningModule"),
        ("functools.partial", "no subclass of LightningModule"),
        ("lit_gans.cli.main.os.system", "no subclass of LightningModule"),
        ("lit_gans.load", "no subclass of LightningModule"),
        ("torch.nn.Linear", "no subclass of LightningModule"),
        ("torch.hub.load", "no subclass of LightningModule"),
        ("antigravity.geohash", "add --trust antigravity, or from Python trust=['antigravity']"),
        ("mine.Mine", "add --trust mine, or from Python trust=['mine']"),
        ("lit_gans.NoSuch", "lit_gans does not have"),
        ("lit_gans.BaseGAN", "abstract"),
        ("lightning.LightningModule", "no model of this library"),
        ("lightning.pytorch.demos.boring_classes.BoringModel", "no model of this library"),
        ("lit_gans", "no dotted name"),
        ("a..b", "no dotted name"),
        ("", "no dotted name"),
        ("x.f.<locals>.Mine", "Mine.load_from_checkpoint(path)"),
    ],
)
def test_a_checkpoint_names_no_other_class(name, words, saved, folder):
    before = set(sys.modules)
    refused(lambda: lit_gans.load(naming(saved, name)), words, name.rpartition(".")[2])
    assert not (folder / "imported").exists()
    assert not {"antigravity", "mine"} & (set(sys.modules) - before)


@pytest.mark.parametrize("argument", ["generator", "generator_optimizer", "nested"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("subprocess.Popen", "no subclass of Module, Optimizer, LRScheduler, Backbone"),
        ("os.system", "no subclass of Module"),
        ("functools.partial", "no subclass of Module"),
        ("torch.distributed.nn.api.remote_module.RemoteModule", "no part of a model"),
        ("lit_gans.metrics.features.DINOv2", "no part of a model"),
        ("mine.Mine", "add --trust mine"),
        (5, "no dotted name"),
    ],
)
def test_an_argument_names_only_parts_of_a_model(name, words, argument, saved, folder):
    described = {"class_path": name, "init_args": {"args": ["touch", "imported"], "command": "touch imported"}}
    if argument == "nested":
        described = {"class_path": "torch.optim.AdamW", "init_args": {"lr": described}}
    key = "generator_optimizer" if argument == "nested" else argument
    refused(lambda: lit_gans.load(naming(saved, "lit_gans.DCGAN", **{key: described})), words, key, "x.ckpt")
    assert not (folder / "imported").exists()


def test_what_lightning_would_build_from_is_not_read(saved, folder):
    path = naming(saved, "lit_gans.DCGAN", _instantiator="os.system", _class_path="mine.Mine")
    assert type(lit_gans.load(path)) is type(DCGAN.load_from_checkpoint(path)) is DCGAN
    assert not (folder / "imported").exists()


@pytest.mark.parametrize("given", [5, {1: 2}, ["lr"]])
def test_arguments_of_an_argument_are_a_dict(given, saved, folder):
    described = {"class_path": "torch.optim.AdamW", "init_args": given}
    refused(lambda: lit_gans.load(naming(saved, "lit_gans.DCGAN", generator_optimizer=described)), "no dict by name")


def test_what_a_model_is_made_of_is_found(saved, folder):
    described = {"class_path": "torch.optim.swa_utils.SWALR", "init_args": {"swa_lr": 0.1}}
    model = lit_gans.load(naming(saved, "lit_gans.DCGAN", generator_scheduler=described))
    assert type(model) is DCGAN
    assert find_class("torchvision.ops.MLP", (torch.nn.Module,), "x").__name__ == "MLP"
    assert find_class("lit_gans.models.lsgan.LSGAN", (DCGAN.__mro__[1],), "x") is lit_gans.LSGAN


def test_looking_up_asks_nothing(folder, monkeypatch):
    """Properties, lazy modules and classes that answer for themselves are not asked."""

    class Lazy(type(sys)):
        def __getattr__(self, name):
            raise RuntimeError("it was asked")

    lazy = Lazy("lazy")
    monkeypatch.setitem(sys.modules, "lazy", lazy)
    lazy.__dict__["Owner"] = type("Owner", (), {"part": property(lambda self: 1 / 0)})
    for name in ("lazy.Mine", "lazy.sub.Mine"):
        refused(lambda name=name: find_class(name, (DCGAN,), "x.ckpt"), "add --trust lazy")
    refused(lambda: find_class("lazy.Owner.part", (DCGAN,), "x.ckpt"), "no subclass of DCGAN")


def test_trust_imports_and_leaves_the_path_alone(saved, folder):
    path, before = naming(saved, "mine.Mine"), list(sys.path)
    model = lit_gans.load(path, trust=["mine"])
    assert (folder / "imported").exists() and type(model).__name__ == "Mine" and sys.path == before
    assert type(lit_gans.load(path)) is type(model), "what is imported already counts"
    for name in ("Bystander", "part", "Path"):
        refused(lambda name=name: lit_gans.load(naming(saved, f"mine.{name}"), trust="mine"), "no subclass of")
    refused(lambda: lit_gans.load(naming(saved, "mine.Gone"), trust=["mine"]), "there is no mine.Gone here")
    refused(lambda: lit_gans.load(naming(saved, "gone.Mine"), trust=["mine"]), "add --trust gone")
    refused(lambda: lit_gans.load(naming(saved, "gone.Mine"), trust=["two words"]), "trust takes names of packages")


@pytest.mark.parametrize("code", ["import nowhere_at_all", "1 / 0", "def"])
def test_a_trusted_module_that_fails(code, saved, folder, monkeypatch):
    (folder / "broken.py").write_text(code)
    refused(lambda: lit_gans.load(naming(saved, "broken.Mine"), trust=["broken"]), "broken.Mine cannot be imported")


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "x.ckpt"],
        ["interpolate", "x.ckpt"],
        ["arithmetic", "x.ckpt"],
        ["invert", "x.ckpt", "x.png"],
        ["translate", "x.ckpt", "x.png"],
        ["colorize", "x.ckpt", "x.png"],
        ["embed", "x.ckpt", "x.txt"],
        ["evaluate", "x.ckpt"],
        ["cite", "x.ckpt"],
        ["features", "x.yaml"],
        *([command, *TINY, "--ckpt_path=x.ckpt"] for command in ("fit", "validate", "test", "predict")),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_takes_trust(arguments, saved, folder):
    naming(saved, "ghost.Mine")
    (folder / "x.yaml").write_text("data: {class_path: ghost.Mine}")
    Image.new("L", (16, 16)).save("x.png")
    (folder / "x.txt").write_text("a text")
    assert "names ghost.Mine" in (error := fails(*arguments)) and "--trust ghost" in error
    for trust in (["--trust", "other", "ghost"], ["--trust=ghost"]):
        assert "there is no ghost.Mine here" in fails(*arguments, *trust)


def test_no_command_that_loads_is_left_out():
    without = {name for name, command in COMMANDS.items() if "trust" not in command.__annotations__}
    assert without == {"cache", "compare", "plot", "shard"}


def test_a_typed_name_counts(saved, folder):
    path = naming(saved, "mine.Mine")
    assert "add --trust mine" in fails("fit", *TINY, f"--ckpt_path={path}")
    assert not (folder / "imported").exists()
    main(["fit", "--model=mine.Mine", *TINY, "--model.latent_dim=8", "--trainer.max_steps=4", f"--ckpt_path={path}"])
    assert (folder / "runs/Mine-Glyphs/version_0/checkpoints/last.ckpt").is_file()
    assert "add --model mine.Mine, or the --config" in fails("fit", *TINY, f"--ckpt_path={path}")


def test_a_configuration_beside_a_checkpoint_names_no_other_class(saved, folder):
    checkpoint = folder / "checkpoints" / "x.ckpt"
    checkpoint.parent.mkdir()
    naming(saved, "lit_gans.DCGAN", checkpoint)

    def write(name, file="config.yaml"):
        section = {"class_path": name, "init_args": {"size": 16, "count": 60}}
        (folder / file).write_text(yaml.safe_dump({"data": section}))

    score = ["evaluate", checkpoint, "--metrics=kid", "--count=60"]
    for name in ("antigravity.geohash", "mine.Stripes"):
        write(name)
        assert f"or --data {name}" in fails(*score) and "antigravity" not in sys.modules
    for name in ("subprocess.Popen", "torch.nn.Linear"):
        write(name)
        assert f"names {name}, which is no subclass of BaseData" in fails(*score)
    write("evil.MNIST")
    assert "evil" not in fails(*score, "--data=MNIST", "--root=nowhere"), (
        "a typed name is the library's, not the file's"
    )
    write("mine.Stripes", "x.yaml")
    assert "add --trust mine" in fails(*score, "--data=x.yaml") and not (folder / "imported").exists()
    write("mine.Stripes")
    main([str(argument) for argument in (*score, "--data=mine.Stripes")])
    assert (folder / "imported").exists() and (folder / "checkpoints/x.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["module", "script"])
def test_the_working_folder_shadows_nothing(way, saved, folder, tmp_path_factory):
    """In a process of its own, as a user starts it; a file of the folder that ran has left another."""
    for name in ("yaml", "torch", "difflib", "typing", "re", "numpy", "zipfile"):
        (folder / f"{name}.py").write_text(f"open('ran_{name}', 'w')\n")
    naming(saved, "mine.Mine")
    script = tmp_path_factory.mktemp("bin") / "lit-gans"  # as pip writes it
    script.write_text("from lit_gans.cli.main import main\nmain()\n")
    start = ["-m", "lit_gans"] if way == "module" else [str(script)]
    command = [sys.executable, *start, "sample", "x.ckpt", "--count=2", "--trust", "mine"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (folder / "imported").exists() and not list(folder.glob("ran_*"))

"""Checkpoint files: whatever was done to one, it loads as it was saved or is refused in one sentence."""

import copy
import io
import os
import random
import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
import torch
import yaml
from conftest import assert_equal, fit, glyphs, refused, small, trainer
from torch import nn

import lit_gans
from lit_gans import DCGAN, LSGAN, BaseGAN
from lit_gans.checkpoints.file import AtomicCheckpointIO, unpack
from lit_gans.checkpoints.trust import class_path, findable
from lit_gans.cli.main import main
from lit_gans.errors import UsageError
from lit_gans.networks import DCGANBackbone

SEED = 24
JUNK = [None, -1, 10**9, 1.5, float("nan"), "", "os.system", b"\xff", [1], {}, {1: 2}, torch.zeros(3), 1j]
JUNK += [{"class_path": 5}, {"class_path": "os.system"}, {"class_path": "torch.nn.Linear", "init_args": 5}]


class Mine(DCGAN):
    """A user's own."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The content of a checkpoint and its bytes."""
    folder = tmp_path_factory.mktemp("saved")
    content = fit(folder, small(DCGAN), max_steps=2)
    return content, (folder / "checkpoints" / "last.ckpt").read_bytes()


def file_of(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    buffer.seek(0)
    return buffer


def outcome(call):
    """What it gives, or None if it refuses in one sentence; anything else that it raises is a fault."""
    try:
        return call()
    except UsageError as error:
        assert "\n" not in str(error) and "weights_only" not in str(error), error
        return None


@pytest.mark.parametrize("damage", ["bit", "cut", "noise", "zeros"])
def test_damaged_bytes_never_load_as_something_else(damage, saved):
    content, whole = saved
    rng, read, refusals = random.Random(SEED), 0, 0
    for _ in range(60):
        data, start = bytearray(whole), rng.randrange(len(whole))
        if damage == "bit":
            data[start] ^= 1 << rng.randrange(8)
        elif damage == "cut":
            del data[start:]
        else:
            length = min(rng.randrange(1, 300), len(whole) - start)
            data[start : start + length] = rng.randbytes(length) if damage == "noise" else bytes(length)
        found = outcome(lambda data=data: unpack(io.BytesIO(bytes(data))))
        if found is not None:
            assert_equal(found, content)
            read += 1
        refusals += found is None
    assert refusals > 30 and read + refusals == 60


def test_checksums_that_were_never_computed(saved):
    torch.serialization.set_crc32_options(False)
    try:
        buffer = file_of(saved[0])
    finally:
        torch.serialization.set_crc32_options(True)
    assert_equal(unpack(buffer), saved[0])


def places(value, path=()):
    """The path of every entry, however deep."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from places(inner, (*path, key))


def test_edited_entries_are_refused_in_one_sentence(saved):
    rng, refusals = random.Random(SEED), 0
    loaded_from = ("lit_gans", "hyper_parameters", "state_dict")
    every = [path for path in places(saved[0]) if len(path) == 1 or path[0] in loaded_from]
    for _ in range(120):
        content, path = copy.deepcopy(saved[0]), rng.choice(every)
        *way, last = path
        owner = content
        for key in way:
            owner = owner[key]
        if rng.random() < 0.2:
            del owner[last]
        elif rng.random() < 0.1:
            owner[5] = owner.pop(last)
        else:
            owner[last] = copy.deepcopy(rng.choice(JUNK))
        refusals += outcome(lambda content=content: lit_gans.load(file_of(content))) is None
    assert refusals > 60


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("state_dict", None, "its state_dict should be of type dict, got None"),
        ("hyper_parameters", [], "its hyper_parameters should be of type dict"),
        ("lit_gans", {"class_path": 5}, "should be the class and its networks"),
        ("global_step", "many", "its global_step should be of type int"),
        ("pytorch-lightning_version", "new", "should be a version, got 'new'"),
        ("optimizer_states", [5], "should be tensors and numbers by parameter"),
        ("random_states", 5, "its random_states should be of type list"),
    ],
)
def test_entries_of_another_kind(entry, value, words, saved, tmp_path):
    path = tmp_path / "x.ckpt"
    torch.save({**saved[0], entry: value}, path)
    refused(lambda: lit_gans.load(path), words, path)
    refused(lambda: trainer(tmp_path).fit(small(DCGAN), glyphs(), ckpt_path=str(path)), words)


def test_arguments_that_are_nested_without_end(saved):
    deep = {"class_path": "torch.optim.AdamW"}
    for _ in range(200):
        deep = {"class_path": "torch.optim.AdamW", "init_args": {"lr": deep}}
    content = copy.deepcopy(saved[0])
    content["hyper_parameters"]["generator_optimizer"] = deep
    limit = sys.getrecursionlimit()
    buffer = file_of(content)
    try:
        sys.setrecursionlimit(len(__import__("inspect").stack()) + 250)
        refused(lambda: lit_gans.load(buffer), "nested without end")
    finally:
        sys.setrecursionlimit(limit)


class Program:
    """Unpickling it starts a program."""

    def __reduce__(self):
        return os.system, ("touch started",)


def test_a_pickle_that_asks_for_code(saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({**saved[0], "extra": Program()}, "x.ckpt")
    refused(lambda: lit_gans.load("x.ckpt"), "asks for posix.system to be run, which no checkpoint of lit_gans does")
    refused(lambda: AtomicCheckpointIO().load_checkpoint("x.ckpt", weights_only=False), "asks for posix.system")
    with pytest.raises(SystemExit):
        main(["fit", "--weights_only=false", "--data.size=16", "--model.backbone.width=4", "--ckpt_path=x.ckpt"])
    said = capsys.readouterr().err
    assert "asks for posix.system" in said and "weights_only=False" not in said
    assert not (tmp_path / "started").exists()


def test_what_lightning_restores_is_the_users_to_replace(saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({name: value for name, value in saved[0].items() if name != "lr_schedulers"}, "x.ckpt")
    flags = ["--data.size=16", "--data.count=20", "--data.batch_size=4", "--model.backbone.width=4"]
    flags += ["--model.latent_dim=8"]
    with pytest.raises(SystemExit) as ended:
        main(["fit", *flags, "--trainer.max_steps=4", "--trainer.accelerator=cpu", "--ckpt_path=x.ckpt"])
    assert ended.value.code == 1
    assert "x.ckpt cannot be gone on from (KeyError: " in capsys.readouterr().err


# -------------------------------------------------------------------- load_from_checkpoint


@pytest.mark.parametrize(
    "arguments",
    [
        {"strict": False},
        {"strict": True},
        {"hparams_file": None},
        {"weights_only": False},
        {"weights_only": True},
        {"map_location": {"cuda:0": "cpu"}},
        {"map_location": lambda storage, place: storage},
        {"map_location": torch.device("cpu")},
    ],
    ids=lambda given: next(f"{name}={type(value).__name__}" for name, value in given.items()),
)
def test_lightnings_own_arguments(arguments, saved):
    loaded = DCGAN.load_from_checkpoint(file_of(saved[0]), **arguments)
    assert_equal(dict(loaded.state_dict()), saved[0]["state_dict"])
    assert DCGAN.load_from_checkpoint(file_of(saved[0]), "cpu", None, True, True).clip_norm is None


def test_not_strict_takes_what_fits(saved):
    content = copy.deepcopy(saved[0])
    del content["state_dict"]["generator.project.weight"]
    content["state_dict"]["other"] = torch.zeros(1)
    refused(lambda: DCGAN.load_from_checkpoint(file_of(content)), "do not fit this DCGAN")
    with pytest.warns(UserWarning, match=r"not have the same weights: generator\.project\.weight, other"):
        assert type(DCGAN.load_from_checkpoint(file_of(content), strict=False)) is DCGAN


def test_arguments_from_a_file(saved, tmp_path):
    path = tmp_path / "hparams.yaml"
    path.write_text(yaml.dump({**saved[0]["hyper_parameters"], "clip_norm": 2.0}))
    assert "python/tuple" in path.read_text(), "as Lightning's loggers write it"
    assert DCGAN.load_from_checkpoint(file_of(saved[0]), hparams_file=path).clip_norm == 2.0
    for text in ("[1]", "a: [", "{1: 2}", "a: !!python/name:os.system", "a: !!python/object/apply:os.system [ls]"):
        path.write_text(text)
        refused(lambda: DCGAN.load_from_checkpoint(file_of(saved[0]), hparams_file=path), "hparams_file")
    refused(lambda: lit_gans.load(file_of(saved[0]), hparams_file=tmp_path / "no.yaml"), "hparams_file")


def test_an_argument_that_does_not_exist(saved):
    refused(lambda: lit_gans.load(file_of(saved[0]), wdth=3), "DCGAN has no argument 'wdth'")
    refused(lambda: DCGAN.load_from_checkpoint(file_of(saved[0]), None, wdth=3), "DCGAN has no argument 'wdth'")
    content = copy.deepcopy(saved[0])
    content["hyper_parameters"]["wdth"] = 3
    refused(lambda: lit_gans.load(file_of(content)), "saved by another version of the class, or is damaged", "wdth")


@pytest.mark.parametrize("name", ["__main__.Mine", "a_module_that_was_renamed.Mine"])
def test_the_class_it_is_called_on_counts_by_name(name, saved, monkeypatch):
    content = copy.deepcopy(saved[0])
    content["lit_gans"]["class_path"] = name
    assert type(Mine.load_from_checkpoint(file_of(content))) is Mine
    refused(lambda: lit_gans.load(file_of(content)), name)
    refused(lambda: LSGAN.load_from_checkpoint(file_of(content)), name)
    monkeypatch.setattr(sys.modules["__main__"], "Mine", type("Mine", (LSGAN,), {}), raising=False)
    assert type(Mine.load_from_checkpoint(file_of(content))) is Mine, "another script's"


def test_another_class_is_refused(saved):
    refused(lambda: LSGAN.load_from_checkpoint(file_of(saved[0])), "holds a DCGAN, expected LSGAN")
    assert type(BaseGAN.load_from_checkpoint(file_of(saved[0]))) is DCGAN


@pytest.mark.parametrize(
    ("file", "spec", "name"),
    [
        ("/somewhere/train.py", None, "train"),
        ("/somewhere/train.py", "project.train", "project.train"),
        ("/somewhere/01-train.py", None, "__main__"),  # no program can import these
        ("/somewhere/code.py", None, "__main__"),
        (None, None, "__main__"),
    ],
)
def test_a_scripts_class_goes_by_the_name_of_its_file(file, spec, name, monkeypatch):
    main = ModuleType("__main__")
    main.__spec__ = None if spec is None else ModuleSpec(spec, None)
    if file:
        main.__file__ = file
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(Mine, "__module__", "__main__")
    main.Mine = Mine
    assert class_path(Mine) == f"{name}.Mine" and findable(class_path(Mine)) == (name != "__main__")


@pytest.mark.slow
def test_a_scripts_own_checkpoint_loads_in_it_and_elsewhere(saved, tmp_path):
    (tmp_path / "x.ckpt").write_bytes(saved[1])
    (tmp_path / "train.py").write_text(
        "import torch, lit_gans\n"
        "class Mine(lit_gans.DCGAN):\n    'Mine.'\n"
        "if __name__ == '__main__':\n"
        "    from lit_gans.checkpoints import describe\n"
        "    from lit_gans.checkpoints.loading import build\n"
        "    content = torch.load('x.ckpt', weights_only=True)\n"
        "    model = Mine(**{name: build(value) for name, value in content['hyper_parameters'].items()})\n"
        "    content['lit_gans'] = describe(model)\n"
        "    torch.save(content, 'mine.ckpt')\n"
        "    assert type(lit_gans.load('mine.ckpt')) is Mine\n"
    )
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert unpack(tmp_path / "mine.ckpt")["lit_gans"]["class_path"] == "train.Mine"


def test_a_class_that_no_other_program_finds_is_told_before_the_first_batch(tmp_path):
    class Local(DCGAN):
        """In a function."""

    class Own(torch.optim.Adam):
        """In a function, too."""

    for model in (small_of(Local), small(DCGAN, generator_optimizer=Own)):
        how = rf"<locals>\.(Local|Own) is defined in a notebook or a function.* with {type(model).__name__}\.load_from"
        with pytest.warns(UserWarning, match=how):
            trainer(tmp_path, max_steps=0).fit(model, lit_gans.Glyphs(size=16, count=16, batch_size=4))


def small_of(cls):
    return cls(image_shape=(1, 16, 16), latent_dim=8, backbone=DCGANBackbone(width=4))


def test_file_objects(saved, tmp_path):
    path = tmp_path / "x.ckpt"
    path.write_bytes(saved[1])
    with path.open("rb") as file:
        assert isinstance(lit_gans.load(file), nn.Module)
    refused(lambda: lit_gans.load(io.BytesIO(b"nothing")), "the checkpoint (7 bytes) is truncated or no checkpoint")

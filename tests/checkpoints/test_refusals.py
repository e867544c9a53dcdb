"""Files that cannot be taken as they are: the sentence names the file, and what is wrong in it."""

import copy
import io
import pickle
import pkgutil
import random
import struct
import sys
import threading
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from conftest import fit, refused, small

import lit_gans
from lit_gans import DCGAN
from lit_gans.checkpoints.description import broken, random_state, set_random_state
from lit_gans.checkpoints.loading import build
from lit_gans.checkpoints.recording import plain
from lit_gans.checkpoints.trust import class_path, find_class, shown
from lit_gans.networks import DCGANBackbone

NAN = torch.tensor([1.0, torch.nan])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("saved"), small(DCGAN), max_steps=1)


@pytest.fixture
def file(saved, tmp_path):
    """A checkpoint whose content a test may change, and the file that it is written to."""
    content, path = copy.deepcopy(saved), tmp_path / "mine.ckpt"

    def write():
        torch.save(content, path)
        return path

    return content, write


@pytest.mark.parametrize(
    ("checkpoint", "told"),
    [
        ({"state_dict": {"a": torch.ones(2), "b": torch.tensor(3)}}, None),
        ({"state_dict": {"a": torch.ones(2), "b": NAN}}, "b holds NaN or infinity"),
        ({"state_dict": {"a": torch.tensor(-torch.inf)}}, "a holds NaN or infinity"),
        ({"state_dict": {}, "optimizer_states": [{}, {"state": {}}]}, None),
        (
            {
                "state_dict": {},
                "optimizer_states": [{"state": {0: {"step": 1}}}, {"state": {3: {"step": 1, "m": NAN}}}],
            },
            "the memory of optimizer 1 holds NaN or infinity",
        ),
    ],
    ids=str,
)
def test_numbers_that_are_broken_are_found_wherever_they_are(checkpoint, told):
    assert broken(checkpoint) == told


def test_weights_of_another_model_name_the_file(file):
    content, write = file
    del content["state_dict"]["generator.project.weight"]
    path = write()
    refused(lambda: lit_gans.load(path), "do not fit this DCGAN")
    with pytest.warns(UserWarning, match=f"{path} and the DCGAN do not have the same weights: generator"):
        lit_gans.load(path, strict=False)


def test_a_hook_that_fails_names_the_file_and_the_error(file, monkeypatch):
    _, write = file
    path = write()
    monkeypatch.setattr(DCGAN, "on_load_checkpoint", lambda self, checkpoint: checkpoint["gone"])
    refused(lambda: lit_gans.load(path), f"{path} does not fit its DCGAN (KeyError: ")


def test_an_argument_that_fails_names_the_file_and_the_error(file):
    content, write = file
    content["hyper_parameters"]["generator_optimizer"] = {"class_path": "torch.nn.Linear", "init_args": {"x": 1}}
    path = write()
    refused(lambda: lit_gans.load(path), f"generator_optimizer in {path} does not make a Linear here (TypeError: ")


def test_optimizers_of_another_kind_are_named(file):
    content, write = file
    content["optimizer_states"][1]["state"] = [1]
    path = write()
    refused(
        lambda: lit_gans.load(path),
        f"{path} is damaged: its optimizer_states should be tensors and numbers by parameter",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_path": 5}, "its lit_gans should be the class and its networks, got {'class_path': 5"),
        ({"given_networks": [1]}, "its lit_gans should be the class and its networks, got"),
        ({"defaults": {"a": [1]}}, "its lit_gans should be the class, its networks and its defaults, got"),
    ],
    ids=str,
)
def test_what_a_checkpoint_says_of_itself_is_named(change, words, file):
    content, write = file
    content["lit_gans"] = {**change, **{k: v for k, v in content["lit_gans"].items() if k not in change}}
    path = write()
    refused(lambda: lit_gans.load(path), f"{path} is damaged: {words}")


def test_a_file_without_tensors_is_read(file):
    content, write = file
    content["state_dict"] = {}
    path = write()
    with pytest.warns(UserWarning, match="do not have the same weights"):
        assert type(lit_gans.load(path, strict=False)) is DCGAN


def test_random_states_go_round():
    cpu = torch.device("cpu")
    states = random_state(cpu)
    assert states.keys() == {"python", "numpy", "torch", "cuda"} and states["cuda"] is None
    drawn = (random.random(), np.random.rand(), float(torch.rand(())))
    buffer = io.BytesIO()
    torch.save(states, buffer)
    buffer.seek(0)
    # what an accelerator has drawn from is of no use here
    set_random_state({**torch.load(buffer, weights_only=True), "cuda": torch.zeros(16, dtype=torch.uint8)}, cpu)
    assert drawn == (random.random(), np.random.rand(), float(torch.rand(())))
    refused(lambda: set_random_state({"python": 1}, cpu), "random_states are damaged (TypeError: ")


def test_a_class_is_a_factory_without_arguments():
    assert plain("optimizer", torch.optim.SGD) == {"class_path": class_path(torch.optim.SGD), "init_args": {}}
    assert build(plain("optimizer", torch.optim.SGD)).keywords == {}


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"optimizer": lambda p: torch.optim.SGD(p, 0.1)}, "optimizer is '<lambda>', which a checkpoint cannot name"),
        ({"scheduler": lambda o: o}, "scheduler is '<lambda>', which a checkpoint cannot name"),
        ({"generator_scheduler": lambda o: o}, "generator_scheduler is '<lambda>', which a checkpoint cannot name"),
        ({"discriminator_optimizer": lambda p: p}, "discriminator_optimizer is '<lambda>', which"),
        ({"clip_norm": partial(max, 1)}, "clip_norm is 'max', which a checkpoint cannot name"),
        ({"clip_norm": threading.Lock()}, "clip_norm is <unlocked _thread.lock"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_named_is_named_by_its_argument(argument, words):
    class Any(DCGAN):
        def __init__(self, clip_norm=None, **rest):
            super().__init__(**rest)

    refused(lambda: Any(image_shape=(1, 16, 16), backbone=DCGANBackbone(width=4), **argument), words)


def test_a_checksum_names_the_entry(file):
    path = file[1]()
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("mine/data/0")
    data = bytearray(path.read_bytes())
    name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
    data[entry.header_offset + 30 + name + extra] ^= 1  # the first byte of what it holds
    path.write_bytes(data)
    refused(lambda: lit_gans.load(path), f"{path} is damaged (its entry 'mine/data/0' has another checksum")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({"a": 1}, protocol=4), "it is damaged (Unsupported operand 149)"),
        (pickle.dumps([1, 2], protocol=2)[:-3], "Error: "),
    ],
    ids=["another protocol", "cut off"],
)
def test_a_broken_pickle_says_what_is_broken(content, words, file, tmp_path):
    path, other = file[1](), tmp_path / "other.ckpt"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as copied:
        for entry in archive.infolist():
            copied.writestr(entry, content if entry.filename == "mine/data.pkl" else archive.read(entry))
    refused(lambda: lit_gans.load(other), f"{other} cannot be read as a checkpoint: ", words)


def test_weights_go_where_they_are_told(file):
    path, places = file[1](), []

    def place(storage, location):
        places.append(location)
        return storage

    lit_gans.load(path, place)
    assert set(places) == {"cpu"}


@pytest.mark.parametrize(("length", "end"), [(78, "x'"), (79, "..."), (200, "...")])
def test_a_value_is_shown_short(length, end):
    text = shown("x" * length)
    assert len(text) == 80 and text.endswith(end)
    assert shown(torch.zeros(2, 2)) == "tensor([[0., 0.], [0., 0.]])"


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    """A package that a user trusts, in the working folder; gives its name."""
    (tmp_path / "trusted_package").mkdir()
    for name in ("__init__", "_hidden", "shown"):
        (tmp_path / "trusted_package" / f"{name}.py").write_text("import torch\nclass Mine(torch.nn.Module): pass\n")
    monkeypatch.chdir(tmp_path)
    yield "trusted_package"
    forget("trusted_package")


def forget(package):
    for name in [name for name in sys.modules if name.startswith(package)]:
        del sys.modules[name]


def test_modules_that_are_hidden_or_elsewhere_are_not_imported(trusted):
    """A name from a file imports modules of PyTorch's networks and optimizers, but none of its other parts."""
    names = (f"torch.utils.{module.name}" for module in pkgutil.iter_modules(torch.utils.__path__))
    elsewhere = next(name for name in names if name not in sys.modules and not name.endswith("__"))
    refused(lambda: find_class(f"{elsewhere}.Mine", (torch.nn.Module,), "x.ckpt"), "importing torch would run")
    assert elsewhere not in sys.modules

    hidden = f"{trusted}._hidden.Mine"
    refused(lambda: find_class(hidden, (torch.nn.Module,), "x.ckpt", [trusted]), f"there is no {hidden} here")
    assert find_class(f"{trusted}.shown.Mine", (torch.nn.Module,), "x.ckpt", [trusted]).__name__ == "Mine"
    assert {name for name in sys.modules if name.startswith(trusted)} == {trusted, f"{trusted}.shown"}


def test_trust_and_the_name_of_the_file_reach_what_is_nested(trusted):
    mine = {"class": f"{trusted}.shown.Mine"}
    nested = [
        [mine],
        (mine,),
        {"a": mine},
        {"class_path": "torch.optim.Adam", "init_args": {"x": mine}},
        {"class": "torch.nn.Linear", "partial": {"x": [mine]}},
    ]
    for value in nested:
        refused(
            lambda value=value: build(value, "layers in x.ckpt"), "layers in x.ckpt names", f"add --trust {trusted}"
        )
        found = build(value, "layers in x.ckpt", [trusted])
        cls = sys.modules[f"{trusted}.shown"].Mine
        expected = {"list": [cls], "tuple": (cls,), "dict": {"a": cls}}
        assert expected.get(type(found).__name__, found) == found
        assert getattr(found, "keywords", {"x": cls}) in ({"x": cls}, {"x": [cls]})
        forget(trusted)  # what is imported already needs no trust

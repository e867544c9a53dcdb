"""What an editor completes: the stubs name every argument that the command line knows, and mypy believes them."""

import importlib.util
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

import lit_gans.models

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("stubs", ROOT / "tools/stubs.py")
assert _SPEC is not None and _SPEC.loader is not None
stubs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(stubs)

EXPORTED = [
    pytest.param(value, id=name)
    for package in stubs.PACKAGES
    for name, value in sorted((name, getattr(import_module(package), name)) for name in import_module(package).__all__)
    if stubs.hides_arguments(value)
]


@pytest.mark.parametrize("package", stubs.PACKAGES)
def test_stubs_are_what_the_constructors_say(package):
    written = stubs.place(package).read_text(encoding="utf-8")
    assert written == stubs.stub(package), "run python tools/stubs.py"


@pytest.mark.parametrize("cls", EXPORTED)
def test_a_stub_has_the_arguments_of_the_command_line(cls):
    """Which finds them by itself, with their defaults."""
    parser = ArgumentParser()
    known = parser.add_class_arguments(cls, fail_untyped=False)
    assert {argument.name for argument in stubs.arguments(cls)} == {*known}


def test_every_model_and_family_is_refined():
    names = {param.id for param in EXPORTED}
    assert names >= {*lit_gans.models.__all__, "BaseGAN", "LatentGAN", "EncoderDecoder", "Glyphs", "Unpaired"}


def test_pages_are_made_of_the_sources():
    """Stubs have no docstrings, and griffe would put their classes in place of the real ones."""
    assert "extensions: [tools/from_sources.py]" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert (ROOT / "tools/from_sources.py").is_file()


def test_a_fixed_argument_is_not_offered():
    class Parent:
        def __init__(self, *, fixed: int = 1, free: int = 2) -> None: ...

    class Child(Parent):
        def __init__(self, first: str, **rest: int) -> None:
            super().__init__(fixed=3, **rest)

    class Grandchild(Child):
        def __init__(self, **rest: int) -> None:
            super().__init__("said", **rest)

    def told(cls):
        return [(argument.name, argument.positional, argument.default) for argument in stubs.arguments(cls)]

    assert told(Child) == [("first", True, None), ("free", False, "2")]
    assert told(Grandchild) == [("free", False, "2")]


# the flags of --strict for this file alone: for the others those of the project, so that what is known of them is kept
RIGHT = """
# mypy: warn-return-any, disallow-untyped-calls, disallow-subclassing-any
from torch import nn
from lit_gans.core.game import Batch, Fake
from lit_gans.losses import Terms
from lit_gans import DCGAN, Glyphs, LatentGAN, StyleGAN2
from lit_gans.models import SGAN

class Mine(LatentGAN):
    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        return {}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        return {}

model = DCGAN(generator=nn.Sequential(), image_shape=(1, 28, 28), clip_norm=1.0, ema_decay=0.9, generator_every=2)
images = StyleGAN2(image_shape=(3, 32, 32), r1=0.1, augment=["blit"]).sample(2, seed=0)
data = Glyphs(size=32, batch_size=8, val_size=10)
SGAN(num_classes=10, image_shape=(1, 28, 28), clip_norm=None)
DCGAN.load_from_checkpoint("last.ckpt").sample(2, seed=0)
"""
WRONG = """
DCGAN(clip_nrom=1.0)
DCGAN(ema_decay="0.9")
SGAN(num_classes=10, generator_evry=2)
Glyphs(batchsize=8)
Mine(clip_nrom=1.0)
DCGAN.load_from_checkpoint("last.ckpt").sample(2, sede=0)
"""


@pytest.mark.slow
def test_mypy_takes_any_module_for_a_player_and_refuses_an_unknown_argument(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(RIGHT + WRONG)
    first = len(RIGHT.splitlines()) + 2
    cache = {"MYPY_CACHE_DIR": str(tmp_path / "cache"), **os.environ}  # .ci/run has one, for mypy after the tests
    command = [sys.executable, "-m", "mypy", program]
    told = subprocess.run(command, cwd=ROOT, env=cache, capture_output=True, text=True, check=False).stdout
    lines = [line for line in told.splitlines() if line.startswith(str(program)) and ": error:" in line]
    assert [int(line.split(":")[1]) for line in lines] == [*range(first, first + 6)], told

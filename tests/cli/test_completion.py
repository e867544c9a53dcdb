"""Completion: what is offered, in process, and in the shells that are here."""

import os
import shutil
import subprocess
import sys

import pytest

from lit_gans.cli.main import main

BASH = (
    'eval "$(lit-gans completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lit_gans; echo "${COMPREPLY[*]}"'
)


@pytest.fixture
def offered(capsys):
    def offered(*words):
        main(["__complete", *words])
        return capsys.readouterr().out.split()

    return offered


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """An environment in which ``lit-gans`` is this package."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "lit-gans"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m lit_gans "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("words", "some", "none"),
    [
        ([], "fit", "DCGAN"),
        ([""], "sample", "DCGAN"),
        (["fi"], "fit", "sample"),
        (["fit", "--mo"], "--model", "--data"),
        (["fit", "--ep"], "--epochs", "--model"),
        (["fit", "--model", "dc"], "DCGAN", "GAN"),
        (["fit", "--model=DC"], "--model=DCGAN", "DCGAN"),  # zsh and fish
        (["fit", "--model", "=", "DC"], "DCGAN", "--model=DCGAN"),  # bash
        (["fit", "--model", "="], "DCGAN", "MNIST"),
        (["fit", "--data", ""], "MNIST", "DCGAN"),
        (["fit", "--model", "WGAN", "--model.c"], "--model.clamp", "--model.r1"),
        (["fit", "WGAN", "--model.c"], "--model.clamp", "--model.r1"),
        (["fit", "--model.backbone", ""], "ResNet", "DCGANBackbone"),
        (["fit", "--model.backbone", "MLP", "--model.backbone."], "--model.backbone.dropout", "--model.backbone.width"),
        (["fit", "--model.backbone.upsampling", ""], "bilinear", "batch"),
        (["fit", "--trainer."], "--trainer.max_epochs", "--epochs"),
        (["fit", "--trainer.l"], "--trainer.logger", "--trainer.max_epochs"),
        (["fit", "--trainer.callbacks", "Timer", "--trainer.callbacks."], "--trainer.callbacks.duration", "--model"),
        (["fit", "--data.flip", ""], "true", "MNIST"),
        (["fit", ""], "DCGAN", "--model"),
        (["fit", "--help", ""], "trainer", "DCGAN"),
        (["sample", "x.ckpt", "--"], "--output", "--model"),
        (["sample", "x.ckpt", "--force", "--se"], "--seed", "--output"),
        (["evaluate", "x.ckpt", "--data", ""], "MNIST", "DCGAN"),
        (["list", ""], "configs", "fit"),
        (["list", "sh"], "shipped", "models"),
        (["translate", "numbers-"], "numbers-en-de", "--text"),
        (["translate", ""], "numbers-en-de", "--text"),
        (["help", ""], "evaluate", "DCGAN"),
        (["completion", ""], "zsh", "fit"),
    ],
)
def test_what_is_offered(words, some, none, offered):
    found = offered(*words)
    assert some in found and none not in found


@pytest.mark.parametrize("words", ["sample ru", "fit --config ex", "fit --data.root ph", "nonsense --x", "fit exa"])
def test_where_a_file_may_stand_the_shell_offers_its_own(words, offered):
    assert offered(*words.split()) == []


def test_files_are_offered_beside_the_models_that_come_along(offered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbers.ckpt").touch()
    (tmp_path / "nights").mkdir()
    assert {"numbers-en-de", "numbers.ckpt", "nights/"} <= {*offered("translate", "n")}
    assert offered("translate", "ni") == [], "the shell's own"
    assert offered("translate", "numbers-en-de", "n") == []


def test_a_prefix_of_many_is_offered_once(offered):
    found = offered("fit", "--qu")
    assert found == ["--quality."]


def test_bash_completes(command):
    def replies(*words):
        shell = ["bash", "-c", BASH, "bash", "lit-gans", *words]
        return subprocess.run(shell, env=command, capture_output=True, text=True, check=True).stdout.split()

    assert replies("fit", "--model", "WGANG") == ["WGANGP"]
    assert replies("fit", "--model", "=", "WGANG") == ["WGANGP"]
    assert replies("fit", "--trainer.max_e") == ["--trainer.max_epochs"]
    assert replies("fit", "--config", "ex") == []


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not here")
def test_zsh_reads_its_script(command):
    script = 'autoload -U compinit; compinit -u -D; eval "$(lit-gans completion zsh)"; whence -w _lit_gans'
    done = subprocess.run(["zsh", "-fc", script], env=command, capture_output=True, text=True, check=True)
    assert "function" in done.stdout and not done.stderr


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not here")
def test_fish_completes(command):
    script = 'lit-gans completion fish | source; complete -C "lit-gans fit --model WGANG"'
    done = subprocess.run(["fish", "-c", script], env=command, capture_output=True, text=True, check=True)
    assert done.stdout.split()[:1] == ["WGANGP"] and not done.stderr

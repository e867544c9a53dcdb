"""Players that are compiled when a fit begins: the same game, the same checkpoints, and penalties as before."""

import functools

import pytest
import torch
from conftest import fit, small
from torch import nn

from lit_gans import DCGAN, R3GAN, CycleGAN, UnrolledGAN


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The compiler's front and its derivatives without code for this machine, which takes minutes."""
    monkeypatch.setattr(nn.Module, "compile", functools.partialmethod(nn.Module.compile, backend="aot_eager"))


@pytest.mark.parametrize(("cls", "options"), [(DCGAN, {}), (R3GAN, {"penalty_every": 2}), (UnrolledGAN, {})])
def test_a_compiled_game_is_the_same(cls, options, tmp_path):
    plain = small(cls, **options)  # which seeds
    one = fit(tmp_path / "plain", plain, max_steps=3)["state_dict"]
    compiled = small(cls, compiled=True, **options)
    other = fit(tmp_path / "compiled", compiled, max_steps=3)["state_dict"]
    assert compiled.generator._compiled_call_impl is not None and plain.generator._compiled_call_impl is None
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-5, msg=name)
    torch.testing.assert_close(compiled.sample(2, seed=0), plain.sample(2, seed=0), rtol=1e-3, atol=1e-4)


def test_a_compiled_run_goes_on_as_a_plain_one_and_the_reverse(tmp_path):
    fit(tmp_path / "first", small(DCGAN, compiled=True), max_steps=2)
    path = tmp_path / "first" / "checkpoints" / "last.ckpt"
    for name, compiled in (("plain", False), ("again", True)):
        assert fit(tmp_path / name, small(DCGAN, compiled=compiled), max_steps=3, ckpt_path=path)["global_step"] == 3


def test_every_network_of_a_player_is_compiled():
    model, done = small(CycleGAN, compiled=True), []
    for player in (model.generator, model.discriminator):
        for network in player.values():
            network.compile = functools.partial(done.append, network)
    model._saved_optimizers, model._trainer = None, type("Trainer", (), {"datamodule": None})()
    model.on_fit_start()
    assert done == [*model.generator.values(), *model.discriminator.values()]

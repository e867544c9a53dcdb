"""Players that are compiled when a fit begins: the same game, the same checkpoints, and penalties as before."""

import functools

import pytest
import torch
from conftest import fit, small
from torch import nn

from lit_gans import DCGAN, R3GAN, CycleGAN, UnrolledGAN
from lit_gans.core import compiling, game
from lit_gans.errors import UsageError


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


class Marked(nn.Linear):
    def compile(self, **options):
        self.options = options


def test_graphs_are_recorded_of_every_network_and_for_one_shape():
    players = [nn.ModuleDict({"a": Marked(1, 1), "b": Marked(1, 1)}), Marked(1, 1)]
    compiling.compile_players(players, "reduce-overhead", torch.device("cuda", 1))
    parts = [*players[0].values(), players[1]]
    assert [part.options for part in parts] == 3 * [{"mode": "reduce-overhead", "dynamic": False}]


def test_graphs_are_refused_on_a_cpu(tmp_path):
    with pytest.raises(UsageError, match="records CUDA graphs, and this run computes on cpu; say compiled: true"):
        fit(tmp_path, small(DCGAN, compiled="reduce-overhead"), max_steps=1)


def test_another_way_to_compile_is_refused():
    with pytest.raises(UsageError, match=r"compiled must be true, false or reduce-overhead.*got 'max-autotune'"):
        small(DCGAN, compiled="max-autotune")


def test_a_game_on_graphs_begins_every_batch_anew_and_keeps_copies(tmp_path, monkeypatch):
    """Without graphs, which this machine has not: a graph's memory is written over with the next batch."""
    begun, kept = [], []
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: begun.append(1))
    monkeypatch.setattr(game, "compile_players", lambda *given: None)

    class Keeping(DCGAN):
        def discriminator_loss(self, batch, fake):
            kept.append(fake)
            return super().discriminator_loss(batch, fake)

        def generator_loss(self, batch, fake):
            kept.append(fake)
            return super().generator_loss(batch, fake)

    fit(tmp_path, small(Keeping, compiled="reduce-overhead"), max_steps=2)
    assert len(begun) == 2 and len(kept) == 4
    for seen, drawn in zip(kept[::2], kept[1::2], strict=True):
        assert torch.equal(seen, drawn) and seen.data_ptr() != drawn.data_ptr() and not seen.requires_grad

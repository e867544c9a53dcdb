"""Float16: a gradient scaler for each player, on the CPU."""

import torch
from conftest import assert_equal, fit, small
from lightning.pytorch.plugins import MixedPrecision

from lit_gans import DCGAN, R3GAN


def half(**options):
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0, growth_interval=2, **options)
    return [MixedPrecision("16-mixed", "cpu", scaler=scaler)]


def test_each_player_has_its_own_scale_and_a_run_goes_on_with_both(tmp_path):
    model = small(DCGAN, generator_every=2)
    straight = fit(tmp_path / "straight", model, max_steps=8, plugins=half())
    scales = {player: state["scale"] for player, state in straight["scalers"].items()}
    # eight moves and four
    assert scales == {"discriminator": 256.0 * 2**4, "generator": 256.0 * 2**2}
    fit(tmp_path / "first", small(DCGAN, generator_every=2), max_steps=3, plugins=half())
    path = tmp_path / "first" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "second", small(DCGAN, generator_every=2), max_steps=8, ckpt_path=path, plugins=half())
    for key in ("scalers", "state_dict", "optimizer_states"):
        assert_equal(resumed[key], straight[key])


def test_an_overflow_costs_one_player_one_step(tmp_path):
    model, before = small(DCGAN), {}
    loss = model.discriminator_loss

    def broken(batch, fake):
        terms = loss(batch, fake)
        if model.batch_number == 1:
            before.update({name: value.clone() for name, value in model.discriminator.named_parameters()})
            # finite as a loss, and beyond float16 as a gradient
            return {name: term + (term - term.detach()) * 1e38 for name, term in terms.items()}
        if model.batch_number == 2:
            for name, value in model.discriminator.named_parameters():
                assert torch.equal(value, before[name])
        return terms

    model.discriminator_loss = broken
    saved = fit(tmp_path, model, max_steps=4, plugins=half())
    scales = {player: state["scale"] for player, state in saved["scalers"].items()}
    assert scales["discriminator"] < scales["generator"] == 256.0 * 2**2
    assert all(torch.isfinite(value).all() for value in saved["state_dict"].values() if value.is_floating_point())


def test_a_penalty_and_clipping_see_the_gradient_without_its_scale(tmp_path):
    norms = {}
    for name, plugins in (("half", half()), ("full", [])):
        model = small(R3GAN, clip_norm=100.0)
        fit(tmp_path / name, model, max_steps=1, plugins=plugins)
        norms[name] = {player: float(norm) for player, norm in model.gradient_norms.items()}
    for player, norm in norms["full"].items():
        assert abs(norms["half"][player] - norm) < 0.05 * norm


def test_another_run_has_its_own_scales(tmp_path):
    model = small(DCGAN)
    fit(tmp_path / "first", model, max_steps=4, plugins=half())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=100)
    other = fit(tmp_path / "other", model, max_steps=2, plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])
    assert [state["scale"] for state in other["scalers"].values()] == [1024.0, 1024.0]

"""A gradient that would ruin a player stops the run before the step, and the message names the player."""

import math

import pytest
import torch
from conftest import SHAPE, fit, glyphs, small, trainer
from lightning.pytorch import Callback

from lit_gans import DCGAN, GAN, VAE
from lit_gans.callbacks import CollapseMonitor
from lit_gans.core.gradients import Watched
from lit_gans.errors import NonFiniteLoss
from lit_gans.networks import MLPBackbone

BAD = [math.nan, math.inf, 1e25]


class Broken(torch.autograd.Function):
    """The identity, whose gradient is a number of choice."""

    @staticmethod
    def forward(ctx, value, gradient):
        ctx.gradient = gradient
        return value.clone()

    @staticmethod
    def backward(ctx, _):
        return torch.full_like(_, ctx.gradient), None


class Ruined(GAN):
    """From its fourth batch on one player's loss is finite and its gradient is not fit for a step."""

    def __init__(self, player="generator", gradient=math.nan, **base):
        super().__init__(**base)
        self.player, self.gradient = player, gradient

    def _ruin(self, player, terms):
        if player != self.player or self.batch_number < 3:
            return terms
        return {name: Broken.apply(term, self.gradient) for name, term in terms.items()}

    def discriminator_loss(self, batch, fake):
        return self._ruin("discriminator", super().discriminator_loss(batch, fake))

    def generator_loss(self, batch, fake):
        return self._ruin("generator", super().generator_loss(batch, fake))


def ruined(**arguments):
    torch.manual_seed(0)
    return Ruined(image_shape=SHAPE, latent_dim=4, backbone=MLPBackbone((8,), (8,)), **arguments)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("gradient", BAD)
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_bad_gradient_reaches_no_weight(player, gradient, clip_norm, tmp_path):
    model = ruined(player=player, gradient=gradient, clip_norm=clip_norm)
    with pytest.raises(NonFiniteLoss, match=f"the {player}'s gradient .* at batch 3; training stopped"):
        fit(tmp_path, model, max_steps=8)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    for optimizer in model.trainer.optimizers:
        assert all(torch.isfinite(v).all() for state in optimizer.state.values() for v in state.values())


@pytest.mark.parametrize("gradient", BAD)
def test_a_bad_gradient_of_a_model_without_a_game(gradient, tmp_path):
    class RuinedVAE(VAE):
        def objective(self, images):
            return {name: Broken.apply(term, gradient) for name, term in super().objective(images).items()}

    torch.manual_seed(0)
    with pytest.raises(NonFiniteLoss, match=r"the model's gradient .* at batch 0"):
        fit(tmp_path, small(RuinedVAE, latent_dim=4))


def test_a_large_gradient_that_fits_is_applied(tmp_path):
    """1e15 is absurd, and its square is still a float32."""
    assert fit(tmp_path, ruined(gradient=1e12), max_steps=6)["global_step"] == 6


def on_a_device(norm):
    """A parameter that pretends to be elsewhere, since the rule depends on where the gradient is."""
    parameter = torch.nn.Parameter(torch.zeros(3, device="meta"))
    parameter.grad = torch.full((3,), norm, device="meta")
    return parameter


def test_on_an_accelerator_the_flag_stays_on_the_device():
    """What can be seen without one: the look reads nothing back, as a meta tensor would refuse it."""
    watched, parameter = Watched(), on_a_device(math.nan)
    watched.player = "generator"
    watched.look(torch.optim.SGD([parameter], lr=1.0), 7)
    assert watched.bad["generator"].device.type == "meta" and watched.norms["generator"].device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@pytest.mark.parametrize("gradient", BAD)
def test_on_an_accelerator_the_step_is_left_out(gradient):
    watched, parameter = Watched(), torch.nn.Parameter(torch.zeros(3, device="cuda"))
    parameter.grad = torch.full((3,), gradient, device="cuda")
    watched.look(torch.optim.SGD([parameter], lr=1.0), 7)
    assert parameter.grad.abs().sum() == 0
    with pytest.raises(NonFiniteLoss, match=r"the model's gradient .* at batch 7"):
        watched.refuse_broken()


def test_a_flag_is_read_before_a_save(tmp_path):
    class Flagged(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 2:
                pl_module._watched.bad["discriminator"] = torch.tensor(2.0)

    with pytest.raises(NonFiniteLoss, match=r"the discriminator's gradient .* at batch 2: nothing was saved"):
        fit(tmp_path, small(DCGAN), callbacks=[Flagged()])
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()


def test_what_an_optimizer_remembers_is_looked_at_before_a_save(tmp_path):
    class Infinite(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            state = next(iter(trainer.optimizers[1].state.values()))
            state["exp_avg_sq"].fill_(math.inf)

    with pytest.raises(NonFiniteLoss, match="the memory of optimizer 1 holds NaN or infinity: nothing was saved"):
        fit(tmp_path, small(DCGAN), callbacks=[Infinite()], max_steps=2)
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()


def test_norms_of_players_that_move_seldom_are_logged(tmp_path):
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path)
    run = trainer(tmp_path, max_steps=10, logger=logger, log_every_n_steps=5, callbacks=[CollapseMonitor()])
    run.fit(small(GAN, generator_every=5), datamodule=glyphs())
    header = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"generator/gradient_norm", "discriminator/gradient_norm", "generator/loss"} <= set(header)


def test_clipping_is_by_the_norm_that_was_looked_at(tmp_path):
    model = small(DCGAN, clip_norm=1e-3)
    fit(tmp_path, model, max_steps=3)
    for player in ("generator", "discriminator"):
        gradients = [p.grad for p in getattr(model, player).parameters()]
        assert float(torch.nn.utils.get_total_norm(gradients)) <= 1.01e-3 < float(model.gradient_norms[player])

"""What each paper adds to the adversarial game, by numbers or by what its absence would break."""

from functools import partial

import pytest
import torch
from conftest import SHAPE, fit, refused, small
from torch import nn

import lit_gans
from lit_gans import DCGAN, DRAGAN, LSGAN, R3GAN, SAGAN, SNGAN, WGAN, WGANGP, HingeGAN, RelativisticGAN
from lit_gans.networks import DCGANBackbone, MLPGenerator, ResNetBackbone, ResNetDiscriminator, SelfAttention
from lit_gans.optim import AdamWithoutMomentum, RMSprop


class Linear(nn.Module):
    """A judge whose gradient is its weight."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, image):
        return (image * self.weight).flatten(1).sum(1)


def pair(n=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    real, fake = torch.rand(2, n, *SHAPE, generator=rng) * 2 - 1
    return {"image": real}, fake


def floats(terms):
    return {name: term.item() for name, term in terms.items()}


def judged_by(cls, scale, **arguments):
    model = small(cls, **arguments)
    model.discriminator = Linear(scale * torch.ones(SHAPE))
    return model


def test_wgan_clamps_every_weight_after_every_step(tmp_path):
    model = small(WGAN, clamp=0.003)
    assert max(p.abs().max() for p in model.discriminator.parameters()) > 0.003
    fit(tmp_path, model)
    largest = [p.abs().max() for p in model.discriminator.parameters() if p.ndim > 1]
    assert max(largest) <= 0.003 + 1e-9 and min(largest) > 0.0029  # the critic pushes against its bounds
    assert max(p.abs().max() for p in model.generator.parameters()) > 0.01
    assert isinstance(model.configure_optimizers()[0][0], RMSprop)


def test_wgan_moves_its_critic_five_times_as_often(tmp_path):
    model = WGAN(image_shape=SHAPE, backbone=DCGANBackbone(width=4))
    fit(tmp_path, model, max_steps=11)
    assert int(model.generator_ema.n_averaged) == 3


@pytest.mark.parametrize("clamp", [0.0, -1.0])
def test_wgan_refuses_no_clamp(clamp):
    refused(lambda: small(WGAN, clamp=clamp), "clamp", clamp)


def test_wasserstein_losses_are_the_distance():
    batch, fake = pair()
    model = judged_by(WGAN, 2.0)
    score = partial(torch.sum, dim=(1, 2, 3))
    real, drawn = 2 * score(batch["image"]).mean().item(), 2 * score(fake).mean().item()
    assert floats(model.discriminator_loss(batch, fake)) == pytest.approx({"real": -real, "fake": drawn}, rel=1e-4)
    assert floats(model.generator_loss(batch, fake)) == pytest.approx({"fake": -drawn}, rel=1e-4)


@pytest.mark.parametrize("cls, name", [(WGANGP, "penalty"), (DRAGAN, "penalty")])
def test_gradient_penalty_by_hand(cls, name):
    """A linear judge of slope |w| everywhere costs weight * (|w| - 1)^2."""
    batch, fake = pair()
    slope = 0.1 * torch.ones(SHAPE).norm().item()
    terms = judged_by(cls, 0.1, penalty=7.0).discriminator_loss(batch, fake)
    assert terms[name].item() == pytest.approx(7 * (slope - 1) ** 2, rel=1e-4)


def after(model, batches):
    model._trainer = type("Trainer", (), {"fit_loop": type("Loop", (), {"total_batch_idx": batches})})()
    return model


@pytest.mark.parametrize(("cls", "names"), [(WGANGP, {"penalty"}), (DRAGAN, {"penalty"}), (R3GAN, {"r1", "r2"})])
def test_a_lazy_penalty_counts_as_often_as_it_is_left_out(cls, names):
    """And the terms of a batch without it are those of a batch with it, but for rounding."""
    model, (batch, fake), terms = small(cls, penalty_every=3), pair(), {}
    for number in (0, 1, 2, 3):
        torch.manual_seed(0)  # of the mixtures
        terms[number] = after(model, number).discriminator_loss(batch, fake)
        with_it = names if number % 3 == 0 else set()
        assert terms[number].keys() & names == with_it
    every, rest = small(cls).discriminator_loss(batch, fake).keys(), terms[1].keys()
    assert every - names == rest
    for name in rest:
        torch.testing.assert_close(terms[1][name], terms[3][name])
    once = small(cls)
    once.load_state_dict(model.state_dict())
    torch.manual_seed(0)
    once = once.discriminator_loss(batch, fake)
    for name in names:
        torch.testing.assert_close(terms[3][name], 3 * once[name])


@pytest.mark.parametrize("cls", [WGANGP, DRAGAN, R3GAN])
def test_a_penalty_is_due_at_least_sometimes(cls):
    refused(lambda: small(cls, penalty_every=0), "penalty_every must be at least 1, got 0")


@pytest.mark.parametrize("cls", [WGANGP, DRAGAN, R3GAN])
def test_penalties_refuse_batch_norm_in_the_discriminator(cls):
    refused(lambda: cls(image_shape=SHAPE, discriminator=lit_gans.networks.DCGANDiscriminator(SHAPE, 4)), "batch norm")


def test_penalty_under_bf16_is_float32(tmp_path):
    """The same batch and weights: the penalty under bf16-mixed is the float32 one to float32's precision."""
    for cls, names in ((WGANGP, ["penalty"]), (DRAGAN, ["penalty"]), (R3GAN, ["r1", "r2"])):
        model, (batch, fake) = small(cls), pair()
        torch.manual_seed(3)
        exact = model.discriminator_loss(batch, fake)
        torch.manual_seed(3)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model.discriminator_loss(batch, fake)
        for name in names:
            assert mixed[name].dtype == torch.float32
            torch.testing.assert_close(mixed[name], exact[name], rtol=1e-6, atol=0)


def test_hinge_stops_at_the_margin():
    batch, fake = pair()
    sure = judged_by(HingeGAN, 0.0)
    sure.discriminator.forward = lambda image: torch.where(image.mean((1, 2, 3)) > 5, 2.0, -2.0)
    terms = sure.discriminator_loss({"image": batch["image"] + 10}, fake)
    assert floats(terms) == {"real": 0.0, "fake": 0.0}
    assert floats(sure.generator_loss(batch, fake)) == {"fake": 2.0}
    undecided = judged_by(SNGAN, 0.0)
    assert floats(undecided.discriminator_loss(batch, fake)) == {"real": 1.0, "fake": 1.0}


@pytest.mark.parametrize("backbone", [DCGANBackbone, ResNetBackbone])
def test_sngan_bounds_every_layer(backbone, tmp_path):
    """After training, every layer's largest singular value is 1: the discriminator's slope is bounded."""
    model = small(SNGAN, backbone=backbone(width=4))
    assert isinstance(model.discriminator, ResNetDiscriminator) is (backbone is ResNetBackbone)
    fit(tmp_path, model, max_steps=12)
    model.eval()
    layers = [m for m in model.discriminator.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert layers
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.25)
    generator = [m for m in model.generator.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]
    assert not any(hasattr(m, "parametrizations") for m in generator)


def test_power_iteration_is_part_of_a_checkpoint(tmp_path):
    checkpoint = fit(tmp_path, small(SNGAN))
    vectors = {name: value for name, value in checkpoint["state_dict"].items() if name.endswith(("_u", "_v"))}
    assert len(vectors) >= 4
    loaded = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt").state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in vectors.items())


def test_sagan_attends_in_both_players_and_bounds_both():
    model = small(SAGAN)
    for player in (model.generator, model.discriminator):
        (attention,) = [m for m in player.modules() if isinstance(m, SelfAttention)]
        assert attention.gain.item() == 0
        convolutions = [m for m in player.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        assert all(hasattr(m, "parametrizations") for m in convolutions)


@pytest.mark.parametrize("cls", [RelativisticGAN, R3GAN])
def test_relativistic_scores_have_no_zero(cls):
    """Adding a constant to every score changes no loss, which is not so in the non-saturating game."""
    batch, fake = pair()

    def losses(model, shift):
        judge = Linear(0.1 * torch.ones(SHAPE))
        model.discriminator = nn.Sequential(judge)
        model.discriminator.register_forward_hook(lambda module, inputs, output: output + shift)
        return floats(model.discriminator_loss(batch, fake)), floats(model.generator_loss(batch, fake))

    for here, there in zip(losses(small(cls), 0.0), losses(small(cls), 3.0), strict=True):
        assert here == pytest.approx(there, rel=1e-4)
    assert losses(small(DCGAN), 0.0)[0] != pytest.approx(losses(small(DCGAN), 3.0)[0], rel=1e-2)


def test_relativistic_generator_moves_reals_down_too():
    """The generator's loss depends on the reals: the key element that the paper found missing."""
    batch, fake = pair()
    other = {"image": batch["image"].flip(0) * 0.1}
    for cls in (RelativisticGAN, R3GAN):
        model = judged_by(cls, 0.3)
        assert floats(model.generator_loss(batch, fake)) != floats(model.generator_loss(other, fake))


def test_r3gan_by_hand():
    """Softplus of paired differences, and gamma / 2 times the squared slope at reals and at fakes."""
    batch, fake = pair()
    weight = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    model = small(R3GAN, penalty=0.5)
    model.discriminator = Linear(weight)
    real_scores, fake_scores = ((x * weight).sum((1, 2, 3)) for x in (batch["image"], fake))
    squared = weight.square().sum().item()
    expected = {
        "pair": torch.log1p((fake_scores - real_scores).exp()).mean().item(),
        "r1": 0.25 * squared,
        "r2": 0.25 * squared,
    }
    assert floats(model.discriminator_loss(batch, fake)) == pytest.approx(expected, rel=1e-4)
    expected = {"pair": torch.log1p((real_scores - fake_scores).exp()).mean().item()}
    assert floats(model.generator_loss(batch, fake)) == pytest.approx(expected, rel=1e-4)


def test_r3gan_judges_reals_and_fakes_in_one_pass():
    model, (batch, fake), seen = small(R3GAN), pair(), []
    model.discriminator.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    model.discriminator_loss(batch, fake)
    assert seen == [12]


def test_r3gan_gamma_falls_along_a_cosine(tmp_path):
    model, noted = small(R3GAN, penalty=1.0, penalty_end=0.2, penalty_steps=4), []
    original = model.discriminator_loss

    def note(batch, fake):
        noted.append(model.gamma())
        return original(batch, fake)

    model.discriminator_loss = note
    fit(tmp_path, model, max_steps=6)
    assert noted == pytest.approx([1.0, 0.2 + 0.8 * 0.8535534, 0.6, 0.2 + 0.8 * 0.1464466, 0.2, 0.2])


@pytest.mark.parametrize("wrong", [{"penalty": -1}, {"penalty_end": 0.1}, {"penalty_steps": 9}])
def test_r3gan_refuses_half_a_schedule(wrong):
    refused(lambda: small(R3GAN, **wrong), "penalty")


@pytest.mark.parametrize("cls", [SNGAN, SAGAN, WGANGP, R3GAN])
def test_no_momentum(cls):
    for optimizer in small(cls).configure_optimizers()[0]:
        assert isinstance(optimizer, AdamWithoutMomentum) and optimizer.param_groups[0]["betas"][0] == 0


@pytest.mark.parametrize("cls", [LSGAN, WGAN, WGANGP, DRAGAN, HingeGAN, RelativisticGAN, R3GAN])
def test_points_get_multi_layer_perceptrons(cls):
    model = cls(image_shape=(2, 1, 1), latent_dim=2)
    assert isinstance(model.generator, MLPGenerator) and model.sample(5).shape == (5, 2, 1, 1)


def test_what_bounds_the_discriminator_bounds_it_for_points_too():
    layers = [m for m in SNGAN(image_shape=(2, 1, 1)).discriminator.modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 4 and all(hasattr(layer, "parametrizations") for layer in layers)

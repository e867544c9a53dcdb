"""What the paper adds to DCGAN: players that treat every image by itself, and the recipe that trains them."""

from functools import partial

import torch
from conftest import fit, glyphs, refused, small
from torch import nn

from lit_gans import DCGAN, WeightNormGAN
from lit_gans.losses import minimax_discriminator, non_saturating_generator
from lit_gans.networks import WeightNormBackbone
from lit_gans.optim import RMSprop


def test_the_game_is_the_non_saturating_one():
    model = small(WeightNormGAN)
    real, fake = torch.rand(4, 1, 16, 16), torch.rand(4, 1, 16, 16)
    judged = model.discriminator(real), model.discriminator(fake)
    for terms, expected in (
        (model.discriminator_loss({"image": real}, fake), minimax_discriminator(*judged)),
        (model.generator_loss({"image": real}, fake), non_saturating_generator(judged[1])),
    ):
        assert terms.keys() == expected.keys() and all(torch.equal(terms[key], expected[key]) for key in terms)


def test_an_image_does_not_depend_on_its_batch():
    """In training, where batch norm makes it depend."""
    noise, other = torch.randn(1, 8), torch.randn(5, 8)
    for cls, alone in ((WeightNormGAN, True), (DCGAN, False)):
        model = small(cls).train()
        images = [model.generator(torch.cat([noise, rest]))[0] for rest in (other, 3 * other)]
        assert torch.allclose(*images, atol=1e-5) is alone
        logits = [
            model.discriminator(torch.cat([images[0][None], rest])) for rest in (other_images(1), other_images(2))
        ]
        assert torch.allclose(logits[0][0], logits[1][0], atol=1e-5) is alone


def other_images(scale):
    return scale * torch.linspace(-0.5, 0.5, 3 * 256).sin().view(3, 1, 16, 16)


def test_the_papers_optimizer():
    for optimizer in small(WeightNormGAN).configure_optimizers()[0]:
        assert type(optimizer) is RMSprop
        assert optimizer.param_groups[0]["lr"] == 5e-5 and optimizer.param_groups[0]["momentum"] == 0


def test_own_networks_and_a_penalty():
    """No batch norm, so a gradient penalty is welcome; options of default networks are not."""

    class Mine(nn.Module):
        latent_dim = 3

        def __init__(self):
            super().__init__()
            self.map = nn.Linear(3, 256)

        def forward(self, noise):
            return self.map(noise).tanh().view(-1, 1, 16, 16)

    model = WeightNormGAN(generator=Mine(), image_shape=(1, 16, 16), backbone=WeightNormBackbone(width=4), r1=1.0)
    assert model.sample(2, seed=0).shape == (2, 1, 16, 16) and model.latent_dim == 3
    refused(lambda: small(WeightNormGAN, upsampling="resize"), "upsampling", "WeightNormGAN")
    refused(lambda: WeightNormGAN(), "image_shape")


def test_it_learns_where_the_ink_is(tmp_path):
    """After 60 batches the mean sample comes near to the mean digit, and lengths only grow, as theory has it."""
    data = glyphs(count=256, batch_size=16)
    data.setup("fit")
    mean = data.splits["train"].values("image").float().div(127.5).sub(1).mean(0)
    torch.manual_seed(0)
    fast = partial(RMSprop, lr=1e-3)
    model = WeightNormGAN(
        image_shape=(1, 16, 16), latent_dim=8, backbone=WeightNormBackbone(width=8), optimizer=fast, ema_decay=0.9
    )
    weight = model.generator.project.parametrizations.weight.original
    before = (model.sample(200, seed=0).mean(0) - mean).square().mean(), weight.detach().norm(dim=1).clone()
    fit(tmp_path, model, data, max_steps=60, limit_val_batches=0)
    after = (model.sample(200, seed=0).mean(0) - mean).square().mean()
    assert after < 0.4 * before[0], (after, before[0])
    # steps at right angles to a vector make it longer
    assert (weight.detach().norm(dim=1) > before[1]).all()

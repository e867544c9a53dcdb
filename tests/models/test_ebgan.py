"""EBGAN: energies, a margin for every fake, codes that are pulled apart."""

import pytest
import torch
from conftest import SHAPE, glyphs, refused, small, trainer
from torch import nn

from lit_gans.augment.attach import Attached
from lit_gans.models import EBGAN
from lit_gans.networks import DCGANBackbone

UNNORMALISED = DCGANBackbone(width=4, discriminator_norm="none", generator_norm="layer")  # an autoencoder is of both


class Given(nn.Module):
    """Calls the first value of an image its energy and the rest its code."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, image, return_codes=False):
        energies, codes = self.scale * image[:, 0, 0, 0], image.flatten(1)[:, 1:]
        return (energies, codes) if return_codes else energies


def images(energies, rest=0.0):
    image = torch.full((len(energies), *SHAPE), rest)
    image[:, 0, 0, 0] = torch.tensor(energies)
    return image


def test_losses_by_hand():
    model = small(EBGAN, discriminator=Given(), margin=0.5)
    terms = model.discriminator_loss({"image": images([0.1, 0.3])}, images([0.2, 0.4, 0.9]))
    assert terms["real"].item() == pytest.approx(0.2)
    assert terms["fake"].item() == pytest.approx((0.3 + 0.1 + 0) / 3)  # each fake has its margin, not their mean
    assert model.generator_loss({}, images([0.2, 0.4]))["fake"].item() == pytest.approx(0.3)


def test_no_gradient_beyond_the_margin():
    model = small(EBGAN, discriminator=Given(), margin=0.5)
    fake = images([0.2, 0.6]).requires_grad_()
    model.discriminator_loss({"image": images([0.1, 0.1])}, fake)["fake"].backward()
    assert fake.grad[0, 0, 0, 0] == -0.5 and fake.grad[1].abs().max() == 0


def test_discriminator_energy_is_a_mean_square():
    model = small(EBGAN).eval()
    image = torch.rand(3, *SHAPE) * 2 - 1
    copy = model.discriminator.reconstruct(image)
    real = model.discriminator_loss({"image": image}, image)["real"]
    torch.testing.assert_close(real, (image - copy).square().mean())


def test_pulling_away_penalises_equal_codes():
    model, batch = small(EBGAN, discriminator=Given(), pull_away=0.1), {}
    alike = model.generator_loss(batch, images([0.1, 0.1, 0.1], rest=0.3))
    assert alike["pull_away"].item() == pytest.approx(0.1)  # all cosines are 1
    apart = torch.zeros(3, *SHAPE)
    for number in range(3):
        apart[number, 0, 1, number] = 1
    assert model.generator_loss(batch, apart)["pull_away"].item() == pytest.approx(0, abs=1e-7)
    torch.manual_seed(0)
    mixed = torch.randn(3, *SHAPE)
    codes = mixed.flatten(1)[:, 1:]
    cosine = nn.functional.cosine_similarity(codes[:, None], codes[None], dim=2)
    expected = 0.1 * sum(cosine[i, j] ** 2 for i in range(3) for j in range(3) if i != j) / 6
    torch.testing.assert_close(model.generator_loss(batch, mixed)["pull_away"], expected)
    assert "pull_away" not in model.generator_loss(batch, images([0.1]))  # one image has no pair
    assert "pull_away" not in small(EBGAN).generator_loss(batch, torch.zeros(3, *SHAPE))


def test_codes_cost_no_forward_of_their_own(tmp_path):
    model, calls = small(EBGAN, pull_away=0.1), []
    model.discriminator.encoder.register_forward_hook(lambda *_: calls.append(1))
    trainer(tmp_path, max_steps=2, limit_val_batches=0).fit(model, datamodule=glyphs())
    assert len(calls) == 6  # real, fake, and the generator's fake


def test_augmentation_and_r1_reach_the_energies(tmp_path):
    """A shifted image is compared with its own copy, and the pulling-away term's codes are of shifted images."""
    model = small(EBGAN, pull_away=0.1, augment=["translation"], r1=1.0, r1_every=1, backbone=UNNORMALISED)
    seen = []
    model.discriminator.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    image, terms = torch.rand(4, *SHAPE), []
    hooks = Attached(model.augment, [model.discriminator])
    energies, _ = model.discriminator(image, return_codes=True)
    hooks.remove()
    assert not torch.equal(seen[0], image)
    torch.testing.assert_close(energies, model.discriminator.eval()(seen[0]))
    model.train()
    step = model.discriminator_step
    model.discriminator_step = lambda batch, fake: terms.append(step(batch, fake)) or terms[-1]
    trainer(tmp_path, max_steps=2, limit_val_batches=0).fit(model, datamodule=glyphs())
    assert all(t["discriminator/r1"] > 0 for t in terms)


def test_options_reach_the_networks_and_the_checkpoint(tmp_path):
    model = EBGAN(
        image_shape=SHAPE,
        backbone=UNNORMALISED,
        code_dim=7,
    )
    kinds = {type(m) for m in model.modules()}
    assert nn.BatchNorm2d not in kinds and nn.GroupNorm in kinds
    assert model.hparams["backbone"]["init_args"]["generator_norm"] == "layer"
    assert model.discriminator.encode(torch.zeros(2, *SHAPE)).shape == (2, 7)
    assert any(
        isinstance(m, nn.BatchNorm2d)
        for m in EBGAN(image_shape=SHAPE, backbone=DCGANBackbone(width=4)).discriminator.modules()
    )


def test_refused():
    refused(lambda: small(EBGAN, margin=0.0), "margin must be positive", "0.0")
    refused(lambda: small(EBGAN, pull_away=-1.0), "not negative")
    refused(lambda: small(EBGAN, augment=["translation"], augment_target=0.6), "means nothing in EBGAN")
    refused(lambda: EBGAN(image_shape=(1, 4, 4), backbone=DCGANBackbone()), "8x8")
    assert EBGAN(image_shape=(1, 4, 4)).discriminator(torch.zeros(3, 1, 4, 4)).shape == (3,)
    net = small(EBGAN)
    refused(
        lambda: EBGAN(generator=net.generator, discriminator=net.discriminator, backbone=DCGANBackbone()), "backbone"
    )

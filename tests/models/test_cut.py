"""What CUT adds: patches that must be recognised, heads that learn with the generator, one generator for one way."""

from math import exp, log

import pytest
import torch
from conftest import SHAPE, data_for, fit, refused, small
from torch import nn

from lit_gans import CUT
from lit_gans.models.cut import (
    draw_places,
    encode,
    map_channels,
    patch_nce,
    pick,
    spread_layers,
    translate_tapped,
)
from lit_gans.networks import ResNetTranslator, UNet


def batch_of(model, n=2, side=SHAPE[1]):
    torch.manual_seed(1)
    a, b = model.source_shape[0], model.image_shape[0]
    return {"a": torch.rand(n, a, side, side) * 2 - 1, "b": torch.rand(n, b, side, side) * 2 - 1}


# -------------------------------------------------------------------- the contrast


def test_nce_is_the_papers_formula():
    torch.manual_seed(0)
    query, key, temperature = torch.randn(2, 5, 3), torch.randn(2, 5, 3), 0.3

    def cosine(u, v):
        return float(u @ v) / (float(u @ u) * float(v @ v)) ** 0.5

    for image, loss in enumerate(patch_nce(query, key, temperature).tolist()):
        wanted = 0.0
        for place in range(5):
            like = [exp(cosine(query[image, place], key[image, other]) / temperature) for other in range(5)]
            wanted -= log(like[place] / sum(like)) / 5
        assert loss == pytest.approx(wanted, rel=1e-5)


def test_nce_tells_equal_from_unrelated():
    torch.manual_seed(0)
    query, key = torch.randn(2, 256, 256), torch.randn(2, 256, 256)
    assert patch_nce(query, 3 * query, 0.07).max() < 0.01  # lengths do not count
    for loss in patch_nce(query, key, 0.07).tolist():
        # cosines of random directions have deviation 1/16, which adds half the logits' variance to log 256
        assert loss == pytest.approx(log(256) + (1 / 16 / 0.07) ** 2 / 2, abs=0.15)
    assert patch_nce(query, query.roll(1, 1), 0.07).min() > 10  # the right features at wrong places


def test_negatives_are_of_the_same_image():
    torch.manual_seed(0)
    query, key = torch.randn(2, 6, 4), torch.randn(2, 6, 4)
    alone = patch_nce(query[:1], key[:1], 0.1)
    torch.testing.assert_close(patch_nce(query, key, 0.1)[:1], alone)


def test_nce_is_float32_under_bf16():
    torch.manual_seed(0)
    query, key = torch.randn(1, 64, 32).bfloat16(), torch.randn(1, 64, 32).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = patch_nce(query, key, 0.07)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, patch_nce(query.float(), key.float(), 0.07))


# -------------------------------------------------------------------- features


def test_the_papers_layers():
    """The image, the raw outputs of both halving convolutions, the first and the fifth of nine blocks."""
    network = ResNetTranslator((3, 256, 256), width=2)
    layers = spread_layers(network.encoder)
    assert map_channels(network.encoder, layers) == [3, 4, 8, 8, 8]
    taken = [network.encoder[layer - 1] for layer in layers[1:]]
    assert [getattr(module, "stride", None) for module in taken] == [(2, 2), (2, 2), None, None]
    blocks = list(network.encoder)[-9:]
    assert taken[2] is blocks[0] and taken[3] is blocks[4]
    for few in (1, 3):
        network = ResNetTranslator((3, 64, 64), width=2, blocks=few)
        layers = spread_layers(network.encoder)
        assert layers[-1] == len(network.encoder) and len(layers) == 3 + min(few, 2)


@pytest.mark.parametrize("side", [16, 19])
def test_a_forward_gives_the_features_that_a_pass_of_the_encoder_does(side):
    network = ResNetTranslator((3, 16, 16), width=4, blocks=2)
    image, layers = torch.rand(2, 3, side, side) * 2 - 1, (0, 4, 7, 10)
    run = translate_tapped(network, image, layers)
    assert torch.equal(run.images, network(image)) and run.images.shape == image.shape
    padded = run.maps[0]
    assert padded.shape[2] == run.uncropped.shape[2] == -(-side // 4) * 4
    for seen, again in zip(run.maps, encode(network.encoder, padded, layers), strict=True):
        assert torch.equal(seen, again)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_places():
    torch.manual_seed(0)
    maps = [torch.arange(64.0).view(1, 1, 8, 8), torch.arange(9.0).view(1, 1, 3, 3)]
    places = draw_places(maps, 16)
    assert [len(set(p.tolist())) for p in places] == [16, 9]
    assert not torch.equal(places[0], draw_places(maps, 16)[0])
    for picked, place in zip(pick(maps, places), places, strict=True):
        assert picked.shape == (1, len(place), 1) and torch.equal(picked[0, :, 0], place.float())


# -------------------------------------------------------------------- the game


def test_one_forward_over_both_domains(tmp_path):
    """And one more pass of the encoder, over the translations."""
    for identity, images in ((1.0, 4), (0.0, 2)):
        model, whole, encoded = small(CUT, identity=identity), [], []
        network = model.generator["a_to_b"]
        network.register_forward_hook(lambda _, given, __, whole=whole: whole.append(len(given[0])))
        network.encoder[0].register_forward_hook(lambda _, given, __, encoded=encoded: encoded.append(len(given[0])))
        fit(tmp_path / str(identity), model, data_for(CUT), max_steps=3, limit_val_batches=0)
        assert whole == [images] * 3 and encoded == [images] * 6


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_a_domain_does_not_depend_on_the_other(norm):
    """With a norm over the batch they are translated one after the other."""
    network = ResNetTranslator(data_for(CUT).image_shape, width=4, blocks=1, norm=norm)
    model = small(CUT, generator=nn.ModuleDict({"a_to_b": network}))
    batch = batch_of(model)
    fake = model.generate(batch)
    torch.testing.assert_close(fake["b"], model.generator["a_to_b"](batch["a"]))
    torch.testing.assert_close(fake["identity"], model.generator["a_to_b"](batch["b"]))
    assert model.generator_loss(batch, fake).keys() == {"validity", "contrast", "identity"}


def test_losses():
    """Each term against the formula, with features from forwards of its own."""
    model = small(CUT, validity=3.0, contrast=2.0, identity=0.5, patches=7)
    batch = batch_of(model)
    fake = model.generate(batch)
    network, heads = model.generator["a_to_b"], model.generator["heads"]

    def nce(translation, source):
        losses = []
        for place, layer, head in zip(fake["places"], model.layers, heads.heads, strict=True):
            maps = [network.encoder[:layer](x).flatten(2)[:, :, place].mT for x in (translation, source)]
            query, key = (nn.functional.normalize(head(m), dim=2) for m in maps)
            logits = torch.einsum("npc,nqc->npq", query, key) / model.temperature
            labels = torch.arange(len(place)).expand(len(logits), -1)
            losses.append(nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()))
        return torch.stack(losses).mean()

    terms = model.generator_loss(batch, fake)
    torch.testing.assert_close(terms["contrast"], 2 * nce(fake["b"], batch["a"]))
    torch.testing.assert_close(terms["identity"], 0.5 * nce(fake["identity"], batch["b"]))
    torch.testing.assert_close(terms["validity"], 3 * (model.discriminator(fake["b"]) - 1).square().mean())
    terms = model.discriminator_loss(batch, fake)
    torch.testing.assert_close(terms["real"], (model.discriminator(batch["b"]) - 1).square().mean() / 2)
    torch.testing.assert_close(terms["fake"], model.discriminator(fake["b"]).square().mean() / 2)


def test_terms_without_weight_are_not_computed():
    model = small(CUT, identity=0.0, contrast=10.0)
    batch = batch_of(model)
    fake = model.generate(batch)
    assert "identity" not in fake and len(fake["source"][0]) == 2
    assert model.generator_loss(batch, fake).keys() == {"validity", "contrast"}
    model.contrast = 0.0
    assert model.generator_loss(batch, fake).keys() == {"validity"}


def test_the_source_is_held_fixed():
    """The contrast teaches translator and heads by the translation alone: the same gradients, k being constants."""
    model = small(CUT, validity=0.0, identity=0.0)
    batch = batch_of(model)
    fake = model.generate(batch)
    assert not any(features.requires_grad for features in fake["source"])
    model.generator_loss(batch, fake)["contrast"].backward()
    weights = [p for p in model.generator.parameters() if p.ndim > 1]
    grads = [p.grad.clone() for p in weights]
    assert all(grad.norm() > 0 for grad in grads)  # decoder and heads too
    model.zero_grad()
    network, heads = model.generator["a_to_b"], model.generator["heads"]
    query, key = (
        heads(pick(encode(network.encoder, x, model.layers), fake["places"])) for x in (network(batch["a"]), batch["a"])
    )
    losses = [patch_nce(q, k.detach(), 0.07) for q, k in zip(query, key, strict=True)]
    torch.stack(losses).mean().backward()
    for grad, p in zip(grads, weights, strict=True):
        torch.testing.assert_close(grad, p.grad, rtol=1e-3, atol=1e-5)


def test_heads_are_the_generators(tmp_path):
    """They are in its optimizer and its average, and its turn moves them."""
    model = small(CUT)
    before = [p.detach().clone() for p in model.generator["heads"].parameters() if p.ndim > 1]
    checkpoint = fit(tmp_path, model, data_for(CUT), max_steps=2, limit_val_batches=0)
    after = [p for p in model.generator["heads"].parameters() if p.ndim > 1]
    assert len(before) == 2 * len(model.layers) and not any(map(torch.equal, before, after))
    assert len(checkpoint["optimizer_states"][0]["state"]) == len(list(model.generator.parameters()))
    assert any(name.startswith("generator_ema") and "heads" in name for name in checkpoint["state_dict"])


def test_contrast_alone_keeps_patches_in_place():
    """Without a discriminator's verdict the translation becomes one by which its source's patches are known."""
    model = small(CUT, validity=0.0, identity=0.0, patches=16)
    batch = batch_of(model)
    optimizer = torch.optim.Adam(model.generator.parameters(), 1e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.generator_loss(batch, model.generate(batch))["contrast"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > log(16) * 0.9 and losses[-1] < losses[0] / 2


@pytest.mark.parametrize("channels", [(1, 3), (3, 1)])
def test_domains_of_different_channels(channels):
    """A translation is compared by the mean of its channels."""
    a, b = channels
    model = small(CUT, image_shape=(b, SHAPE[1], SHAPE[1]), source_shape=(a, SHAPE[1], SHAPE[1]), identity=0.0)
    batch = batch_of(model)
    fake = model.generate(batch)
    assert fake["b"].shape[1] == b and model._as_source(fake["b"]).shape[1] == a
    torch.testing.assert_close(model._as_source(fake["b"])[:, 0], fake["b"].mean(1))
    assert torch.isfinite(model.generator_loss(batch, fake)["contrast"])


@pytest.mark.parametrize("size", [(8, 8), (18, 23), (16, 40)])
def test_any_size_trains(size):
    model = small(CUT)
    batch = {name: torch.rand(1, 3, *size) * 2 - 1 for name in ("a", "b")}
    fake = model.generate(batch)
    assert fake["b"].shape == fake["identity"].shape == (1, 3, *size)
    terms = model.generator_loss(batch, fake)
    sum(terms.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.generator.parameters() if p.grad is not None)


def test_validation_shows_one_way(tmp_path):
    model = small(CUT)
    batch = batch_of(model)
    outputs = model.validation_step(batch, 3)
    assert torch.equal(outputs["fake"], model.translate(batch["a"])) and torch.equal(outputs["real"], batch["b"])
    assert list(outputs["shown"]) == ["a", "a_to_b", "b"]


def test_layers_of_ones_own():
    model = small(CUT, layers=(0, 5))
    assert [head[0].in_features for head in model.generator["heads"].heads] == [3, 8]
    refused(lambda: small(CUT, layers=(0, 99)), "layers", "99")
    plain = ResNetTranslator((3, SHAPE[1], SHAPE[1]), width=4)
    plain.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU())
    refused(lambda: small(CUT, generator=nn.ModuleDict({"a_to_b": plain})), "layers", "0 (the image) to 2")


def test_refusals():
    refused(lambda: CUT(image_shape=(3, 16, 16), source_shape=(1, 16, 16)), "identity", "3", "1")
    refused(lambda: small(CUT, contrast=-1.0), "contrast", "-1.0")
    refused(lambda: small(CUT, validity=0.0, contrast=0.0, identity=0.0), "validity", "0")
    refused(lambda: small(CUT, patches=1), "patches", "1")
    refused(lambda: small(CUT, temperature=0.0), "temperature", "0.0")
    unet = nn.ModuleDict({"a_to_b": UNet((3, SHAPE[1], SHAPE[1]), width=4)})
    refused(lambda: small(CUT, generator=unet), "encoder", "UNet")

"""The discrete VAE: its terms by hand, its temperature, its codes, and how many of them are in use."""

from math import log

import pytest
import torch
import torch.nn.functional as F
from conftest import (
    arguments_for,
    data_for,
    few,
    fit,
    logged_by,
    refused,
    small,
)
from torch.distributions import Categorical, Laplace, kl_divergence

from lit_gans import CaptionedGlyphs, DiscreteVAE
from lit_gans.core.image_tokens import code_use
from lit_gans.likelihoods import logit_laplace
from lit_gans.models.discrete_vae import kl_to_uniform
from lit_gans.networks import gumbel_softmax
from lit_gans.networks.codebook import EDGE, one_hot


def images(n=4, seed=0):
    return torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# -------------------------------------------------------------------- formulas


def test_the_divergence_is_that_of_torch():
    logits = torch.randn(2, 5, 3, 4)
    posterior, uniform = Categorical(logits=logits.movedim(1, -1)), Categorical(logits=torch.zeros(2, 3, 4, 5))
    torch.testing.assert_close(kl_to_uniform(logits), kl_divergence(posterior, uniform))
    assert float(kl_to_uniform(1e4 * one_hot(torch.zeros(1, 1, 1, dtype=torch.long), 8))) == pytest.approx(log(8))


def test_the_logit_laplace_density_is_that_of_a_transformed_laplace():
    """Of y = sigmoid(l) with l ~ Laplace the density is that of l, divided by dy / dl = y (1 - y)."""
    values, mean, log_spread = images(), torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16)
    moved = (1 - 2 * EDGE) * (values + 1) / 2 + EDGE
    expected = Laplace(mean, log_spread.exp()).log_prob(moved.logit()) - (moved * (1 - moved)).log()
    torch.testing.assert_close(logit_laplace(values, mean, log_spread, EDGE), expected.flatten(1).sum(1))


def test_gumbel_softmax_chooses_by_the_probabilities_and_hardens():
    torch.manual_seed(0)
    logits = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1).expand(20_000, 3, 1, 1)
    soft, hard = gumbel_softmax(logits, 1.0), gumbel_softmax(logits, 0.01)
    chosen = F.one_hot(hard.argmax(1).flatten(), 3).float().mean(0)
    torch.testing.assert_close(chosen, torch.tensor([0.5, 0.3, 0.2]), atol=0.015, rtol=0)
    torch.testing.assert_close(soft.sum(1), torch.ones(20_000, 1, 1))
    assert soft.amax(1).mean() < 0.8 and hard.amax(1).mean() > 0.98


@pytest.mark.parametrize("reconstruction", ["l2", "l1", "logit_laplace"])
def test_the_loss_by_hand(reconstruction):
    model, batch = small(DiscreteVAE, reconstruction=reconstruction, kl=0.5), {"image": images()}
    torch.manual_seed(3)
    terms = model.loss(batch)
    torch.manual_seed(3)
    logits = model.encoder(batch["image"])
    weights = gumbel_softmax(logits, 1.0)  # outside of a run the temperature is the first
    if reconstruction == "logit_laplace":
        mean, spread = model.generator.logits(weights).chunk(2, 1)
        expected = -logit_laplace(batch["image"], mean, spread, EDGE).mean() / batch["image"][0].numel()
    else:
        error = model.generator(weights) - batch["image"]
        expected = error.square().mean() if reconstruction == "l2" else error.abs().mean()
    torch.testing.assert_close(terms["reconstruction"], expected)
    torch.testing.assert_close(terms["kl"], 0.5 * kl_to_uniform(logits).mean())
    gradients = torch.autograd.grad(sum(terms.values()), [*model.encoder.parameters(), *model.generator.parameters()])
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert model.decode(model.encode(batch["image"])).abs().max() <= 1


def test_the_temperature_is_a_function_of_the_batch_alone(tmp_path):
    """So that a resumed run has the same one, and it ends where it should."""
    model, seen = small(DiscreteVAE, temperature_steps=4, end_temperature=0.25), []
    loss = model.loss
    model.loss = lambda batch: (seen.append(model.temperature), loss(batch))[1]
    fit(tmp_path, model, data_for(DiscreteVAE), max_steps=6)
    assert seen == pytest.approx(
        [1.0, 0.25 + 0.75 * (1 + 0.5**0.5) / 2, 0.625, 0.25 + 0.75 * (1 - 0.5**0.5) / 2, 0.25, 0.25]
    )


# -------------------------------------------------------------------- codes


def test_codes_and_back():
    model = small(DiscreteVAE)
    codes = model.encode(images())
    assert codes.shape == (4, *model.grid) == (4, 4, 4) and codes.dtype == torch.int64
    assert 0 <= int(codes.min()) <= int(codes.max()) < model.codes
    with model.inference_encoder() as encoder:
        assert torch.equal(codes, encoder(images()).argmax(1))
    assert torch.equal(model.decode(codes), model.reconstruct(images()))
    assert model.decode(codes).shape == (4, 3, 16, 16) and model.encode(images()[:0]).shape == (0, 4, 4)


def test_what_is_no_image_or_no_code_is_refused():
    model = small(DiscreteVAE)
    refused(lambda: model.encode(torch.zeros(1, 3, 32, 32)), "(3, 16, 16)", "(3, 32, 32)")
    refused(lambda: model.decode(torch.zeros(1, 4, 4)), "whole numbers", "float32")
    refused(lambda: model.decode(torch.zeros(1, 5, 4, dtype=torch.long)), "(1, 5, 4)")
    refused(lambda: model.decode(torch.full((1, 4, 4), 8)), "0 to 7", "8")
    refused(lambda: model.sample(2), "DiscreteVAE", "TextToImageTransformer")


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"codes": 1}, "codes must be at least 2"),
        ({"downs": 5}, "multiples of 32"),
        ({"end_temperature": 0}, "end_temperature"),
        ({"reconstruction": "l3"}, "logit_laplace"),
    ],
)
def test_wrong_arguments(wrong, said):
    refused(lambda: DiscreteVAE(**{**arguments_for(DiscreteVAE), **wrong}), said)


def test_use_of_the_codebook():
    use = code_use(torch.tensor([1, 1, 2, 0]))
    assert float(use["codes_used"]) == 0.75
    assert float(use["code_perplexity"]) == pytest.approx(2**1.5)
    assert float(code_use(torch.ones(16))["code_perplexity"]) == pytest.approx(16)


def test_a_validation_counts_the_codes_of_all_images(tmp_path):
    """Over all batches, of which the last is smaller, and anew each time."""
    data = CaptionedGlyphs(size=16, count=100, batch_size=4)
    model = small(DiscreteVAE)
    logged = logged_by(tmp_path, few(scores=("swd",)), model=model, data=data, max_steps=25)
    rows = data.splits["val"][list(range(10))]["image"]
    rows = rows.float() / 127.5 - 1 if rows.dtype == torch.uint8 else rows
    counts = torch.bincount(model.encode(rows).flatten(), minlength=8)
    assert logged["val/codes_used"] == pytest.approx(float((counts > 0).float().mean()))
    assert logged["val/code_perplexity"] == pytest.approx(float(code_use(counts)["code_perplexity"]), rel=1e-5)
    last = rows[8:]  # what is logged of every batch is seen here for the last one
    assert logged["val/mse"] == pytest.approx(float((model.reconstruct(last) - last).square().mean()), rel=1e-4)
    assert "val/swd" in logged  # of reconstructions against the images


def test_it_learns_to_use_codes(tmp_path):
    """Two kinds of images need two codes at least, and come back."""
    torch.manual_seed(0)
    rows = torch.ones(32, 1, 8, 8) * torch.tensor([-0.8, 0.8]).repeat(16).view(-1, 1, 1, 1)
    model = DiscreteVAE(image_shape=(1, 8, 8), codes=4, width=8, blocks=1, kl=0.0)
    optimizer = torch.optim.Adam([*model.encoder.parameters(), *model.generator.parameters()], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        sum(model.loss({"image": rows}).values()).backward()
        optimizer.step()
    model.reset_average()
    assert (model.reconstruct(rows) - rows).square().mean() < 0.05

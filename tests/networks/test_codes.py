"""Encoders and decoders: any shape, logits in reach, and the Gaussian in front of an autoencoder's decoder."""

import pytest
import torch
from conftest import refused
from torch import nn

from lit_gans.networks import DCGANDecoder, DCGANEncoder, DCGANGenerator, MLPDecoder, MLPEncoder, MLPGenerator
from lit_gans.networks.encoders import GaussianCodes

SHAPES = [(1, 8, 8), (3, 9, 8), (4, 15, 16), (1, 28, 28), (3, 17, 31), (1, 12, 40), (3, 64, 64)]
NORMS = ["batch", "layer", "weight", "spectral", "none"]


def learns(net, given, shape):
    out = net(given)
    assert out.shape == shape and out.dtype == torch.float32 and out.std() > 0
    out.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    return out


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_convolutional_for_any_shape(shape):
    learns(DCGANEncoder(shape, outputs=6, width=4), torch.randn(3, *shape), (3, 6))
    assert learns(DCGANDecoder(shape, latent_dim=5, width=4), torch.randn(3, 5), (3, *shape)).abs().max() <= 1


@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 4, 4), (3, 9, 8)], ids=str)
def test_mlp_for_any_shape(shape):
    learns(MLPEncoder(shape, 6, (16, 8)), torch.randn(3, *shape), (3, 6))
    assert learns(MLPDecoder(shape, 5, (16, 8)), torch.randn(3, 5), (3, *shape)).abs().max() <= 1


@pytest.mark.parametrize("norm", NORMS)
def test_norms(norm):
    """As many as there are hidden maps, and nothing but the last layer unnormalised."""
    shape = (3, 16, 16)
    for net in (DCGANEncoder(shape, 6, 4, norm), MLPEncoder(shape, 6, (8,), norm)):
        learns(net, torch.randn(3, *shape), (3, 6))
        found = sum(isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d, nn.GroupNorm, nn.LayerNorm)) for m in net.modules())
        hidden = 2 if isinstance(net, DCGANEncoder) else 1
        assert found == (hidden if norm in ("batch", "layer") else 0)
        assert ("parametrizations" in str(list(net.state_dict()))) == (norm in ("weight", "spectral"))
    refused(lambda: DCGANEncoder(shape, 6, 4, "group"), "norm must be", "group")
    refused(lambda: DCGANEncoder((1, 7, 8), 6), "at least 8x8")


@pytest.mark.parametrize("decoder", [DCGANDecoder, MLPDecoder])
def test_an_image_is_the_mean_of_what_the_logits_say(decoder):
    net, code = decoder((1, 8, 8), latent_dim=5).eval(), 3 * torch.randn(4, 5)
    torch.testing.assert_close(net(code), 2 * torch.sigmoid(net.logits(code)) - 1)


def test_a_decoder_has_the_weights_of_its_generator():
    """Only the last nonlinearity differs, and is one of scale: tanh(logits / 2) for tanh(logits)."""
    shape, code = (3, 9, 16), torch.randn(2, 5)
    torch.manual_seed(0)
    decoder, perceptron = DCGANDecoder(shape, 5, 4, norm="batch").eval(), MLPDecoder(shape, 5, (8,))
    torch.manual_seed(0)
    generator, plain = DCGANGenerator(shape, 5, 4).eval(), MLPGenerator(shape, 5, (8,))
    torch.testing.assert_close(decoder.logits(code).tanh(), generator(code))
    torch.testing.assert_close(perceptron.logits(code).tanh(), plain(code))


# -------------------------------------------------------------------- the Gaussian fitted to codes


def identity(size):
    decoder = nn.Identity()
    decoder.latent_dim = size
    return GaussianCodes(decoder)


def test_the_fitted_gaussian_is_that_of_the_codes():
    torch.manual_seed(0)
    mean, mix = torch.tensor([3.0, -1.0, 0.5]), torch.randn(3, 3)
    codes = identity(3)
    for _ in range(600):
        codes.observe(mean + torch.randn(256, 3) @ mix)
    torch.testing.assert_close(codes.mean, mean, atol=0.1, rtol=0)
    torch.testing.assert_close(codes.covariance, mix.T @ mix, atol=0.2, rtol=0.1)
    drawn = codes(torch.randn(100_000, 3))
    torch.testing.assert_close(drawn.mean(0), codes.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), codes.covariance, atol=0.05, rtol=0.05)


def test_statistics_are_those_of_a_weighted_mixture_of_the_batches():
    """Weights by the rule: a batch leaves min(0.99, (1 + t) / (10 + t)) of what was known."""
    torch.manual_seed(0)
    batches, codes = [torch.randn(7, 2) + t for t in range(5)], identity(2)
    for batch in batches:
        codes.observe(batch)
    weights = torch.tensor([1.0])  # of the N(0, I) that it begins with
    for t in range(5):
        kept = min(0.99, (1 + t) / (10 + t))
        weights = torch.cat([weights * kept, torch.tensor([1 - kept])])
    means = torch.stack([torch.zeros(2), *[b.mean(0) for b in batches]])
    seconds = torch.stack([torch.eye(2), *[b.T @ b / 7 for b in batches]])
    mean = (weights[:, None] * means).sum(0)
    torch.testing.assert_close(codes.mean, mean)
    torch.testing.assert_close(
        codes.covariance, (weights[:, None, None] * seconds).sum(0) - torch.outer(mean, mean), atol=1e-5, rtol=1e-5
    )


def test_statistics_are_exact_under_autocast_and_of_dead_codes():
    codes, batch = identity(3), 100 + torch.randn(64, 3) * torch.tensor([1.0, 1e-2, 0.0])
    plain = identity(3)
    plain.observe(batch)
    with torch.autocast("cpu", torch.bfloat16):
        codes.observe(batch)
        drawn = codes(torch.randn(5, 3))
    torch.testing.assert_close(codes.covariance, plain.covariance, rtol=0, atol=0)
    assert drawn.dtype == torch.float32
    codes.covariance.zero_()
    assert torch.equal(codes(torch.randn(5, 3)), codes.mean.expand(5, 3))
    codes.covariance.copy_(torch.diag(torch.tensor([1.0, -1e-9, 0.0])))  # what rounding can make of a dead code
    assert codes(torch.randn(5, 3)).isfinite().all()

"""Decoders, and the Gaussian in front of an autoencoder's decoder."""

import pytest
import torch
from conftest import refused
from players import check_generator
from torch import nn

from lit_gans.networks import DCGANGenerator, Decoder, GaussianCodes, Generator, MLPGenerator

GENERATORS = {
    "dcgan": lambda: DCGANGenerator((3, 9, 16), 5, 4, norm="layer"),
    "mlp": lambda: MLPGenerator((3, 9, 16), 5, (8,)),
}
generators = pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)


@generators
def test_an_image_is_the_mean_of_what_the_generator_says(make):
    """Its outputs are log-odds of 1 and not -1; a likelihood gets them back exactly, as twice the logits."""
    net, code = Decoder(make()).eval(), 3 * torch.randn(4, 5)
    check_generator(Decoder(make()), (3, 9, 16))
    torch.testing.assert_close(net(code), 2 * torch.sigmoid(net.generator.logits(code)) - 1)
    assert torch.equal(2 * net.logits(code), net.generator.logits(code)) and net.latent_dim == 5


@generators
def test_the_last_step_is_float32_under_autocast(make):
    net, code = Decoder(make()).eval(), 3 * torch.randn(4, 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert net.generator.logits(code).dtype == torch.bfloat16
        assert net(code).dtype == net.logits(code).dtype == torch.float32
        assert torch.equal(net(code), (net.generator.logits(code).float() / 2).tanh())


def test_a_generator_without_logits_cannot_decode():
    class Own(Generator):
        latent_dim = 3

        def forward(self, noise):
            return noise.tanh()

    refused(lambda: Decoder(Own()), "Own does not have a method 'logits'", "or use a backbone's generator")
    refused(lambda: Decoder(nn.Linear(2, 3)), "Linear does not have a method 'logits'")


def test_logits_in_front_of_the_gaussian():
    net, noise = GaussianCodes(Decoder(GENERATORS["mlp"]())).eval(), torch.randn(4, 5)
    net.mean.add_(1)
    assert torch.equal(net.logits(noise).tanh(), net(noise))
    assert torch.equal(net(noise), net.decoder(noise + 1))


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

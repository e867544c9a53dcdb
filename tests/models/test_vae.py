"""The VAE: its terms by torch.distributions, its bounds by a model whose likelihood is known in closed form."""

import copy
from math import log

import pytest
import torch
from conftest import SHAPE, fit, glyphs, refused, small
from torch import nn
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence

import lit_gans
from lit_gans import VAE
from lit_gans.likelihoods import bernoulli, gaussian, kl_to_standard
from lit_gans.networks import DCGANGenerator, Decoder, MLPBackbone, MLPGenerator

PIXELS, CODES, SIGMA = 6, 2, 0.5


# -------------------------------------------------------------------- formulas


def test_kl_is_that_of_torch():
    mean, log_variance = torch.randn(5, 7), torch.randn(5, 7)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0, 1)).sum(1)
    torch.testing.assert_close(kl_to_standard(mean, log_variance), expected)


def test_likelihoods_are_those_of_torch():
    images, output = torch.randn(4, 3, 2, 5), torch.randn(4, 3, 2, 5)
    for sigma in (0.1, 1.0, 3.0):
        expected = Independent(Normal(output, sigma), 3).log_prob(images)
        torch.testing.assert_close(gaussian(images, output, torch.tensor(log(sigma))), expected)
    binary = torch.randn(4, 3, 2, 5).sign()
    expected = Independent(Bernoulli(logits=output), 3).log_prob((binary + 1) / 2)
    torch.testing.assert_close(bernoulli(binary, output), expected)


def test_bernoulli_of_a_grey_image_is_the_mean_over_binary_ones():
    image, logits = torch.tensor([[[[0.5]]]]), torch.tensor([[[[1.3]]]])
    white, black = bernoulli(torch.ones_like(image), logits), bernoulli(-torch.ones_like(image), logits)
    torch.testing.assert_close(bernoulli(image, logits), 0.75 * white + 0.25 * black)


def test_objective_by_hand():
    """The draw is repeated here: z = mean + sigma noise, so that the gradient reaches both."""
    model, images = small(VAE, likelihood="bernoulli", beta=3.0), torch.rand(5, *SHAPE) * 2 - 1
    torch.manual_seed(3)
    terms = model.objective(images)
    torch.manual_seed(3)
    mean, log_variance = copy.deepcopy(model.encoder)(images).chunk(2, 1)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    codes = posterior.mean + posterior.scale * torch.randn_like(mean)
    given = Independent(Bernoulli(logits=2 * model.generator.logits(codes), validate_args=False), 3)
    torch.testing.assert_close(terms["reconstruction"], -given.log_prob((images + 1) / 2).mean())
    torch.testing.assert_close(terms["kl"], 3 * kl_divergence(posterior, Normal(0, 1)).sum(1).mean())
    gradients = torch.autograd.grad(terms["reconstruction"], [*model.encoder.discriminator.judge.parameters()])
    assert all(g.unflatten(0, (2, -1)).flatten(1).norm(dim=1).gt(0).all() for g in gradients)  # mean and variance


def test_beta_scales_the_divergence_alone():
    terms = {}
    for beta in (0.0, 1.0, 4.0):
        model = small(VAE, beta=beta)
        torch.manual_seed(1)
        terms[beta] = model.objective(torch.linspace(-1, 1, 256).view(1, *SHAPE))
    assert terms[0.0]["kl"] == 0 < terms[1.0]["kl"]
    torch.testing.assert_close(terms[4.0]["kl"], 4 * terms[1.0]["kl"])
    assert terms[0.0]["reconstruction"] == terms[4.0]["reconstruction"]
    model, images = small(VAE, beta=1.0), torch.rand(4, *SHAPE)
    other = small(VAE, beta=9.0)
    torch.testing.assert_close(model.elbo(images, seed=0), other.elbo(images, seed=0), rtol=0, atol=0)


def test_gaussian_sigma():
    """A fixed one is the density's; a learned one moves to the error that is left."""
    images = torch.randn(3, *SHAPE)
    fixed = small(VAE, sigma=0.3)
    expected = Independent(Normal(torch.zeros(()), 0.3).expand(SHAPE), 3).log_prob(images)
    torch.testing.assert_close(fixed.gaussian_log_likelihood(images, torch.zeros(3, *SHAPE)), expected)
    assert "free_sigma" not in fixed.state_dict()
    learned = small(VAE)
    optimizer = torch.optim.Adam([learned.free_sigma], 0.05)
    error = 0.2 * torch.randn(3, *SHAPE)
    for _ in range(200):
        optimizer.zero_grad()
        (-learned.gaussian_log_likelihood(error, torch.zeros_like(error)).mean()).backward()
        optimizer.step()
    at_the_best = Independent(Normal(torch.zeros(()), error.square().mean().sqrt()).expand(SHAPE), 3).log_prob(error)
    reached = learned.gaussian_log_likelihood(error, torch.zeros_like(error))
    torch.testing.assert_close(reached.mean(), at_the_best.mean(), rtol=1e-3, atol=0)


# -------------------------------------------------------------------- bounds


class Linear(nn.Module):
    """x = W z + b, whose likelihood and posterior are Gaussians; W has orthogonal columns."""

    latent_dim = CODES

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        basis = torch.linalg.qr(torch.randn(PIXELS, CODES, generator=rng))[0]
        self.weight = nn.Parameter(basis * torch.tensor([1.5, 0.7]))
        self.bias = nn.Parameter(0.1 * torch.randn(PIXELS, generator=rng))

    def forward(self, code):
        return (code @ self.weight.T + self.bias).view(-1, 1, 1, PIXELS)


class Posterior(nn.Module):
    """That of `Linear`, or one whose means and deviations are off."""

    def __init__(self, decoder, shift=0.0, wider=1.0):
        super().__init__()
        self.bias = decoder.bias
        precision = 1 + decoder.weight.square().sum(0) / SIGMA**2
        self.map = nn.Parameter((decoder.weight / SIGMA**2 / precision).detach())
        self.log_variance = nn.Parameter((2 * log(wider) - precision.log()).detach())
        self.shift = shift

    def forward(self, image):
        mean = (image.flatten(1) - self.bias) @ self.map + self.shift
        return torch.cat([mean, self.log_variance.expand_as(mean)], 1)


def linear(**off):
    """A model, images of its own and their exact log-likelihood."""
    torch.manual_seed(0)
    decoder = Linear()
    model = VAE(encoder=Posterior(decoder, **off), generator=decoder, sigma=SIGMA, ema_decay=0)
    images = decoder(torch.randn(30, CODES)).detach() + SIGMA * torch.randn(30, 1, 1, PIXELS)
    covariance = decoder.weight @ decoder.weight.T + SIGMA**2 * torch.eye(PIXELS)
    exact = MultivariateNormal(decoder.bias, covariance).log_prob(images.flatten(1)).detach()
    return model, images, exact


def test_bounds_are_exact_with_the_exact_posterior():
    model, images, exact = linear()
    torch.testing.assert_close(model.importance_bound(images, samples=3, seed=0), exact, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.elbo(images, samples=20_000, seed=0), exact, rtol=0, atol=0.05)


def test_the_gap_of_the_elbo_is_the_divergence_of_the_posteriors():
    model, images, exact = linear(shift=0.3, wider=1.4)
    true = Posterior(model.generator)(images).chunk(2, 1)
    own = model.posterior(images)
    gap = kl_divergence(*(Normal(m, (0.5 * v).exp()) for m, v in (own, true))).sum(1).detach()
    torch.testing.assert_close(exact - model.elbo(images, samples=20_000, seed=0), gap, rtol=0, atol=0.1)


def test_importance_bound_grows_to_the_likelihood():
    model, images, exact = linear(shift=0.3, wider=1.4)
    bounds = [model.elbo(images, samples=2000, seed=0).mean()]
    bounds += [model.importance_bound(images.repeat(40, 1, 1, 1), samples=k, seed=1).mean() for k in (2, 10, 100)]
    assert bounds == sorted(bounds) and bounds[-1] < exact.mean() + 0.01
    torch.testing.assert_close(model.importance_bound(images, samples=20_000, seed=2), exact, rtol=0, atol=0.05)


@pytest.mark.parametrize("samples", [1, 7, 600])
def test_bounds_of_one_sample_and_of_many_chunks(samples):
    model, images, exact = linear(shift=0.3)
    many = images.repeat(20, 1, 1, 1)  # 600 images: two chunks
    for bound in (model.elbo, model.importance_bound):
        once = bound(many, samples=samples, seed=0)
        assert once.shape == (600,) and torch.equal(once, bound(many, samples=samples, seed=0))
        assert not torch.equal(once, bound(many, samples=samples, seed=1))
        assert once.view(20, 30).mean(0).lt(exact + 0.5).all() and once.dtype == torch.float32
    state = torch.get_rng_state()
    model.elbo(images, seed=0)
    assert torch.equal(state, torch.get_rng_state())
    refused(lambda: model.elbo(images, samples=0), "at least 1 sample", "samples=0")


def test_binarised_images_are_what_a_bernoulli_model_is_of():
    """Pixels are 1 with the probability of their grey, anew each time, and the seed decides which."""
    model, seen = small(VAE, likelihood="bernoulli"), []
    model.encoder_ema.module.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    images = torch.full((400, *SHAPE), 0.5)
    images[:, :, 0], images[:, :, 1] = 1, -1
    first = model.elbo(images, seed=0, binarise=True)
    again, other = model.elbo(images, seed=0, binarise=True), model.elbo(images, seed=1, binarise=True)
    assert torch.equal(first, again) and torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])
    assert seen[0].abs().eq(1).all() and seen[0][:, :, 0].eq(1).all() and seen[0][:, :, 1].eq(-1).all()
    assert seen[0][:, :, 2:].mean() == pytest.approx(0.5, abs=0.01) and not torch.equal(first, other)
    model.elbo(images, seed=0)
    assert torch.equal(seen[-1], images)


def test_training_on_binarised_images():
    model, seen = small(VAE, likelihood="bernoulli", binarise=True), []
    model.encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    images = torch.full((200, *SHAPE), -0.5)
    for _ in range(2):
        model.objective(images)
    assert all(s.abs().eq(1).all() and float(s.mean()) == pytest.approx(-0.5, abs=0.01) for s in seen)
    assert not torch.equal(*seen)


# -------------------------------------------------------------------- as a model


def learnt(model, images, steps=150):
    """The model after some steps on some images; what a trainer does is tested by the contract."""
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(steps):
        chosen = images[torch.randint(len(images), (64,))]
        optimizer.zero_grad()
        sum(model.objective(chosen).values()).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_reconstructs_better_than_the_mean_image(likelihood):
    data = glyphs(count=1000)
    data.setup()
    images, held = (
        torch.cat([b["image"] for b in loader]) for loader in (data.train_dataloader(), data.val_dataloader())
    )
    images, held = (x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x for x in (images, held))

    def fresh():
        torch.manual_seed(0)
        backbone = MLPBackbone((128,), (128,), latent_dim=8)
        return VAE(image_shape=SHAPE, backbone=backbone, likelihood=likelihood, ema_decay=0)

    model = learnt(fresh(), images)
    mean = images.mean(0, keepdim=True)
    assert (model.reconstruct(held) - held).square().mean() < 0.6 * (mean - held).square().mean()
    assert model.elbo(held, seed=0).mean() > fresh().elbo(held, seed=0).mean()
    torch.testing.assert_close(model.reconstruct(held), model.decode(model.posterior(held)[0]))
    torch.testing.assert_close(model.decode(model.encode(held)), model.sample(noise=model.encode(held)))
    assert model.sample(50, seed=0).flatten(1).std(0).mean() > 0.05


def test_validation_reports_bounds(tmp_path):
    model = small(VAE, likelihood="bernoulli")
    found = {}

    class Read(lit_gans.callbacks.SampleGrid):
        def on_validation_end(self, trainer, pl_module):
            found.update({name: float(value) for name, value in trainer.callback_metrics.items()})

    fit(tmp_path, model, callbacks=[Read()], max_epochs=1, max_steps=-1)
    assert {"val/elbo", "val/elbo_binarised", "val/mse"} <= set(found)
    assert max(found["val/elbo_binarised"], found["val/elbo"]) < 0 < found["val/mse"]
    assert list(tmp_path.glob("samples/reconstruction_*.png"))


def test_own_networks_and_loading(tmp_path):
    def parts():
        encoder = MLPBackbone(discriminator_hidden=(8,)).encoder(SHAPE, 6)
        return {"encoder": encoder, "generator": Decoder(MLPGenerator(SHAPE, 3, (8,)))}

    model = VAE(**parts(), image_shape=SHAPE)
    fit(tmp_path, model)
    path = tmp_path / "checkpoints" / "last.ckpt"
    loaded = lit_gans.load(path, **parts())
    assert loaded.latent_dim == 3 and torch.equal(loaded.sample(2, seed=0), model.sample(2, seed=0))
    images = torch.zeros(2, *SHAPE)
    assert torch.equal(loaded.reconstruct(images), model.reconstruct(images))
    refused(lambda: lit_gans.load(path), "encoder")


def test_what_is_refused():
    refused(lambda: VAE(), "image_shape", "encoder")
    refused(lambda: small(VAE, beta=-1.0), "beta=-1")
    refused(lambda: small(VAE, sigma=0.0), "sigma=0")
    refused(lambda: small(VAE, likelihood="laplace"), "laplace", "bernoulli")
    refused(lambda: small(VAE, likelihood="bernoulli", sigma=1.0), "sigma", "bernoulli")
    refused(lambda: small(VAE, binarise=True), "binarise", "gaussian")
    refused(lambda: small(VAE).elbo(torch.zeros(1, *SHAPE), binarise=True), "binarise", "gaussian")
    refused(lambda: small(VAE, generator=Linear(), likelihood="bernoulli"), "logits", "Linear")
    wrong = small(VAE, encoder=MLPBackbone().encoder(SHAPE, 8))
    refused(lambda: wrong.objective(torch.zeros(4, *SHAPE)), "(4, 16)", "(4, 8)", "latent_dim=8")
    assert small(VAE, generator=DCGANGenerator(SHAPE, 5, 4)).latent_dim == 5  # a Gaussian one needs no logits

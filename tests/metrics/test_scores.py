"""Scores that torchmetrics has, on features that are given, and what gathers them."""

import numpy as np
import pytest
import scipy.linalg
import torch
from conftest import refused
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from lit_gans.metrics.base import Features
from lit_gans.metrics.features import Classifier, feature_network, load_classifier
from lit_gans.metrics.frechet import FrechetDistance, PassThrough, frechet_distance
from lit_gans.metrics.protocol import Protocol, Scores, comparable
from lit_gans.metrics.scoring import Scoring
from lit_gans.metrics.training import accuracy, train_classifier


def sets(width=16, count=400, seed=0):
    rng = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=rng)
    real = torch.randn(count, width, generator=rng) @ mix
    return real, torch.randn(count + 37, width, generator=rng) @ mix * 1.2 + 0.5


def by_numpy(real, fake):
    """The definition, with scipy's matrix square root, in float64."""
    real, fake = real.double().numpy(), fake.double().numpy()
    cov_real, cov_fake = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = scipy.linalg.sqrtm(cov_real @ cov_fake).real
    return np.sum((real.mean(0) - fake.mean(0)) ** 2) + np.trace(cov_real + cov_fake - 2 * root)


@pytest.mark.parametrize("width, count", [(2, 50), (16, 400), (64, 100)])
def test_frechet_distance_is_torchmetrics_and_the_definition(width, count):
    real, fake = sets(width, count)
    ours, theirs = FrechetDistance(width), FrechetInceptionDistance(feature=PassThrough(width))
    for metric in (ours, theirs):
        for part in real.split(33):
            metric.update(part, real=True)
        for part in fake.split(50):
            metric.update(part, real=False)
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), rel=1e-4)
    assert float(ours.compute()) == pytest.approx(by_numpy(real, fake), rel=1e-5)
    trace = real.double().T.cov().trace()
    assert float(ours.compute_normalised()) == pytest.approx(100 * by_numpy(real, fake) / float(trace), rel=1e-5)


def test_frechet_distance_of_singular_covariances():
    """A feature that never fires is common; the definition still holds."""
    real, fake = sets(8)
    real[:, 3], fake[:, 3], real[:, 5] = 0, 0, real[:, 4]
    moments = [part for x in (real, fake) for part in (x.double().mean(0), x.double().T.cov())]
    values, vectors = torch.linalg.eigh(moments[1])
    half = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(half @ moments[3] @ half).clamp(min=0).sqrt().sum()
    expected = (moments[0] - moments[2]).square().sum() + moments[1].trace() + moments[3].trace() - 2 * cross
    assert float(frechet_distance(*moments)) == pytest.approx(float(expected), rel=1e-6)
    assert float(frechet_distance(*moments[:2], *moments[:2])) == pytest.approx(0, abs=1e-6)


def test_too_few_samples_and_values_that_are_not_numbers():
    metric = FrechetDistance(16)
    metric.update(torch.randn(16, 16), real=True)
    metric.update(torch.randn(40, 16), real=False)
    refused(metric.compute, "16 features needs more than 16 real samples, got 16", "KID")
    metric.update(torch.full((9, 16), float("nan")), real=True)
    refused(metric.compute, "real features are not all finite")


class Means(Features):
    """Nine block means of a grey image: features whose scores can be computed by hand."""

    name, num_features = "means", 9

    def forward(self, images):
        return nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), 3).flatten(1)


def pictures(count, seed, low=0.0):
    rng = torch.Generator().manual_seed(seed)
    return (torch.rand(count, 1, 12, 12, generator=rng) * 2 - 1).clamp(min=low - 1)


def test_scoring_is_its_parts():
    real, fake = pictures(120, 0), pictures(150, 1, low=0.3)
    scoring = Scoring(["fid", "kid", "precision_recall", "density_coverage", "memorisation", "swd"], Means())
    for part in real.split(50):
        scoring.add(part, real=True)
    scoring.add(fake, real=False)
    values = scoring.compute()
    rounded = [((x + 1) * 127.5).round() / 127.5 - 1 for x in (real, fake)]
    features = [Means()(x) for x in rounded]
    assert float(values["fid"]) == pytest.approx(by_numpy(*features), rel=1e-3)
    x, y = (f.double() for f in features)
    kernel = [((a @ b.T) / 9 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    squares = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in kernel[:2]]
    # KID averages subsets as large as the smaller set: all the real images and some of the fakes
    assert float(values["kid"]) == pytest.approx(float(sum(squares) - 2 * kernel[2].mean()), rel=0.1)
    near = [torch.cdist(y, x).amin(1), torch.cdist(x, x).fill_diagonal_(torch.inf).amin(1)]
    assert float(values["memorisation_ratio"]) == pytest.approx(float(near[0].median() / near[1].median()), rel=0.05)
    assert {"memorisation", "precision", "recall", "density", "coverage", "swd", "fid_normalised"} <= set(values)
    again = scoring.compute()
    assert all(torch.equal(values[name], again[name]) for name in values)


def test_kernel_distance_is_the_definition():
    """With as many samples of either kind one subset is all of them: the unbiased estimate itself."""
    x, y = (Means()(pictures(100, seed, low)).double() for seed, low in ((0, 0.0), (1, 0.3)))
    scoring = Scoring(["kid"], Means())
    scoring.metrics["kid"].update(x.float(), real=True)
    scoring.metrics["kid"].update(y.float(), real=False)
    scoring.counts = {True: 100, False: 100}
    kernel = [((a @ b.T) / 9 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    within = sum((k.sum() - k.trace()) / (100 * 99) for k in kernel[:2])
    assert float(scoring.compute()["kid"]) == pytest.approx(float(within - 2 * kernel[2].mean()), rel=1e-4)


def test_real_features_stay():
    calls = []
    network = Means()
    network.register_forward_hook(lambda *_: calls.append(1))
    scoring = Scoring(["fid", "swd", "density_coverage"], network)
    scoring.add(pictures(60, 0), real=True)
    scoring.add(pictures(60, 1), real=False)
    first = scoring.compute()
    scoring.reset()
    scoring.add(pictures(60, 1), real=False)
    second = scoring.compute()
    assert len(calls) == 3 and all(torch.equal(first[name], second[name]) for name in first)


def test_scoring_refuses():
    refused(lambda: Scoring(["fld"], Means()), "no score 'fld'", "choose from fid")
    refused(lambda: Scoring(["fid"], None), "fid needs a feature network")
    refused(lambda: Scoring(["is"], Means()), "classifier")
    scoring = Scoring(["fid"], Means())
    refused(lambda: scoring.add(torch.full((2, 1, 12, 12), float("nan")), real=False), "generated images hold NaN")


# -------------------------------------------------------------------- networks


def test_the_shipped_network(tmp_path):
    network = load_classifier()
    assert network.name == "digits" and network.num_features == 128 and network.image_shape == (1, 28, 28)
    for shape in ((5, 1, 28, 28), (2, 3, 64, 64), (3, 1, 32, 20)):  # any size and colour
        assert network(torch.rand(shape) * 2 - 1).shape == (shape[0], 128)
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    network.save(tmp_path / "copy.safetensors")
    assert (tmp_path / "copy.safetensors").stat().st_size < 1_000_000
    again = feature_network(str(tmp_path / "copy.safetensors"))
    images = torch.rand(4, 1, 28, 28)
    assert torch.equal(again(images), network(images)) and again.num_classes == 10


def test_networks_that_cannot_be_read(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    refused(
        lambda: load_classifier(tmp_path / "bad.safetensors"), "bad.safetensors holds no feature network", "lit-gans"
    )
    refused(lambda: feature_network(str(tmp_path / "none.safetensors")), "none.safetensors does not exist")


def test_training_a_classifier():
    rng = torch.Generator().manual_seed(0)
    label = torch.randint(2, (300,), generator=rng)
    images = (torch.rand(300, 1, 8, 8, generator=rng) * 100).to(torch.uint8)
    images[label == 1, :, :4] += 100
    state = torch.get_rng_state()
    network = train_classifier(images, label, 2, epochs=6, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    assert isinstance(network, Classifier) and accuracy(network, images, label) > 0.95
    again = train_classifier(images, label, 2, epochs=6, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    refused(lambda: train_classifier(images, torch.full((300,), -1), 2), "labelled images")
    refused(lambda: Classifier((1, 4, 4), 2), "8 pixels at least, got 4x4")


# -------------------------------------------------------------------- cards

CARD = Protocol("MNIST 1x28x28", "train", 60_000, 10_000, "digits", True, 0)


def test_scores_are_kept_with_their_card(tmp_path):
    scores = Scores({"fid": 3.5}, CARD, "DCGAN", "last.ckpt", 100)
    scores.save(tmp_path / "scores.json")
    assert Scores.load(tmp_path / "scores.json") == scores
    (tmp_path / "other.json").write_text("{}")
    refused(lambda: Scores.load(tmp_path / "other.json"), "other.json holds no scores")


def test_unlike_cards_do_not_compare():
    other = Protocol("MNIST 1x28x28", "test", 10_000, 10_000, "digits", True, 5)
    same = Protocol("MNIST 1x28x28", "train", 60_000, 10_000, "digits", True, 9)
    comparable([Scores({}, CARD), Scores({}, same)])  # another seed is what one compares over
    refused(lambda: comparable([Scores({}, CARD), Scores({}, other)]), "split: train and test", "real: 60000 and 10000")


def test_what_images_show_by_themselves_is_shown_of_real_ones_too():
    """Blurred copies with a chequered pattern: less sharp than the real ones, more chequered; reset keeps the real."""
    torch.manual_seed(0)
    real = torch.rand(60, 1, 16, 16) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(real, 3, 1, 1, count_include_pad=False)
    spoilt = (blurred + 0.2 * torch.tensor([0.0, 1.0]).repeat(8)).clamp(-1, 1)
    scoring = Scoring(["sharpness", "checkerboard"], None)
    scoring.add(real, real=True)
    scoring.add(spoilt, real=False)
    scores = scoring.compute()
    assert scores.keys() == {"sharpness", "sharpness_real", "checkerboard", "checkerboard_real"}
    assert scores["sharpness"] < 0.5 * scores["sharpness_real"]
    assert scores["checkerboard"] > 3 * scores["checkerboard_real"]
    scoring.reset()
    scoring.add(real, real=False)
    again = scoring.compute()
    assert again["sharpness"] == again["sharpness_real"] == scores["sharpness_real"]

"""Games that are told a label: what they refuse, whose labels fakes take, and how the networks hear of them."""

import pytest
import torch
import torch.nn.functional as F
from conftest import SHAPE, fit, glyphs, refused, small, trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lit_gans
from lit_gans import ACGAN, CGAN, ProjectionGAN
from lit_gans.networks import (
    AuxiliaryDiscriminator,
    ConditionalDiscriminator,
    ConditionalGenerator,
    DCGANDiscriminator,
    DCGANGenerator,
    MLPGenerator,
    ProjectionDiscriminator,
    ResNetBackbone,
)
from lit_gans.networks.wrappers import ConditionalNorm

GAMES = [CGAN, ACGAN, ProjectionGAN]


@pytest.fixture(params=GAMES, ids=lambda cls: cls.__name__)
def game(request):
    return request.param


def batch(label):
    label = torch.as_tensor(label)
    return {"image": torch.zeros(len(label), *SHAPE), "label": label}


def attributes(n=16, seed=0):
    """A loader of images with two attributes each."""
    rng = torch.Generator().manual_seed(seed)
    images, rows = torch.rand(n, *SHAPE, generator=rng) * 2 - 1, torch.randint(2, (n, 2), generator=rng)
    return DataLoader(TensorDataset(images, rows), batch_size=4)


# -------------------------------------------------------------------- labels that do not fit


@pytest.mark.parametrize(("classes", "got"), [(None, "got None"), (0, "got 0")])
def test_without_classes(game, classes, got):
    refused(lambda: game(image_shape=SHAPE, num_classes=classes), game.__name__, "num_classes", got, "has labels")


def test_labels_out_of_range_end_the_run_at_once(game, tmp_path):
    model = small(game)
    data = glyphs(characters="0123", batch_size=40)  # all of them in the first batch
    refused(lambda: fit(tmp_path, model, data), game.__name__, "num_classes=2", "0 to 3")
    refused(lambda: small(game).generate(batch([0, -2])), "-1 for none", "-2 to 0")


@pytest.mark.parametrize("label", [[[0, 1], [1, 0]], 1], ids=["rows", "a number"])
def test_a_wrong_shape(game, label):
    given = {"image": torch.zeros(2, *SHAPE), "label": torch.tensor(label)}
    refused(lambda: small(game).generate(given), "(N,), one class each", tuple(given["label"].shape))


def test_a_wrong_shape_of_attributes(game):
    model = small(game, multi_label=True)
    refused(lambda: model.generate(batch([0, 1])), "(N, 2)", "multi_label", "(2,)")
    refused(lambda: model.generate(batch([[0, 1, 1]])), "(N, 2)", "(1, 3)")
    refused(lambda: model.generate(batch([[0, 2]])), "0 or 1", "has 2")


@pytest.mark.parametrize("cls", [CGAN, ProjectionGAN])
def test_unlabelled_images_where_every_one_counts(cls, tmp_path):
    refused(
        lambda: fit(tmp_path, small(cls), glyphs(labels_per_class=2)), cls.__name__, "-1", "labels_per_class", "ACGAN"
    )


# -------------------------------------------------------------------- whose labels fakes take


def test_fakes_take_the_labels_of_the_batch(game):
    model = small(game, num_classes=3)
    label = torch.tensor([2, 0, 2, 2])
    fake = model.generate(batch(label))
    assert torch.equal(fake["label"], label) and fake["image"].shape == (4, *SHAPE)
    assert model.label_counts.tolist() == [1, 0, 3]
    model.generate(batch([1]))
    assert model.label_counts.tolist() == [1, 1, 3]


def test_acgan_gives_the_unlabelled_a_class():
    model = small(ACGAN, num_classes=3)
    label = torch.tensor([2, *[-1] * 60])
    fake = model.generate(batch(label))["label"]
    assert fake[0] == 2 and set(fake[1:].tolist()) == {0, 1, 2}
    assert model.label_counts.tolist() == [0, 0, 1]  # what is only guessed was not shown


def test_acgan_leaves_the_unlabelled_out_of_the_cross_entropy():
    model = small(ACGAN, num_classes=3)
    guess, label = torch.randn(4, 3, requires_grad=True), torch.tensor([-1, 2, -1, 0])
    loss = model.cross_entropy(guess, label)
    log = guess - guess.exp().sum(1, keepdim=True).log()
    torch.testing.assert_close(loss, -(log[1, 2] + log[3, 0]) / 2)
    loss.backward()
    assert guess.grad[[0, 2]].abs().max() == 0 and guess.grad[[1, 3]].abs().min() > 0
    assert float(model.cross_entropy(guess.detach(), torch.full((4,), -1))) == 0


def test_acgan_learns_from_unlabelled_images(tmp_path):
    model = small(ACGAN)
    fit(tmp_path, model, glyphs(labels_per_class=2), max_steps=20)
    # 40 images, of which 4 have a label; two epochs have shown each twice
    assert model.label_counts.tolist() == [4, 4] and model.columns == 2


def test_acgan_by_its_formula():
    """Both players want the class right: the weights are theirs alone."""
    model = small(ACGAN, classes=2.0, generator_classes=0.5)
    verdict = torch.tensor([[0.3, 1.0, -1.0], [-0.2, 0.0, 2.0]])  # a logit and two class logits an image
    model.discriminator = nn.Identity()
    model.discriminator.forward = lambda image: (verdict[:, 0], verdict[:, 1:])
    given = {"image": torch.zeros(2, *SHAPE), "label": torch.tensor([0, 1])}
    entropy = (F.softplus(torch.tensor(-2.0)) + F.softplus(torch.tensor(-2.0))) / 2
    terms = model.discriminator_loss(given, {**given, "label": torch.tensor([1, 0])})
    torch.testing.assert_close(terms["class_real"], 2 * entropy)
    torch.testing.assert_close(terms["class_fake"], 2 * (entropy + 2))  # softplus(2) = softplus(-2) + 2
    torch.testing.assert_close(model.generator_loss(given, given)["class"], 0.5 * entropy)
    refused(lambda: small(ACGAN, classes=-1.0), "classes must be at least 0", "-1.0")


# -------------------------------------------------------------------- samples


def test_a_class_without_an_example_is_never_drawn(game, tmp_path):
    model = small(game, num_classes=3)
    assert model.columns == 3  # of which nothing is known yet
    fit(tmp_path, model, glyphs(batch_size=20))
    assert model.columns == 2 and model.label_counts[2] == 0
    noise = torch.randn(5, 8)
    assert torch.equal(model.sample(noise=noise), model.sample(noise=noise, label=[0, 1, 0, 1, 0]))
    refused(lambda: model.sample(2, label=2), "class 2 had no example", "there are 0, 1")
    refused(lambda: model.sample(2, label=[0, 2]), "class 2 had no example")
    refused(lambda: model.sample(2, label=3), "0 to 2", "got 3")
    refused(lambda: model.sample(2, label=-1), "0 to 2", "got -1")
    refused(lambda: model.sample(2, label=[]), "names no class")
    loaded = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt")
    assert loaded.columns == 2  # a checkpoint knows it too
    refused(lambda: loaded.sample(2, label=2), "class 2 had no example")


def test_labels_and_mixtures(game, tmp_path):
    model = small(game)
    fit(tmp_path, model, max_steps=20)
    noise = torch.randn(1, 8).expand(3, 8)
    zero, one = (model.sample(noise=noise, label=k) for k in (0, 1))
    assert not torch.equal(zero, one) and torch.equal(zero[0], zero[2])
    rows = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    first, middle, last = model.sample(noise=noise, label=rows)
    torch.testing.assert_close(first, zero[0])
    torch.testing.assert_close(last, one[0])
    assert (middle - first).abs().max() > 0 and (middle - last).abs().max() > 0
    refused(lambda: model.sample(2, label=[[1.0, 0.0, 0.0]]), "num_classes=2", "(1, 3)")


def test_attributes_are_learnt_and_remembered(game, tmp_path):
    model = small(game, multi_label=True)
    trainer(tmp_path, max_steps=8, precision="bf16-mixed", callbacks=[]).fit(model, attributes())
    assert model.columns == 0
    shown = torch.cat([rows for _, rows in attributes()]).float()
    # the last batch is the first that is remembered
    assert torch.equal(model.recent_attributes[:4], shown[12:]) and torch.equal(
        model.recent_attributes[4:8], shown[8:12]
    )
    noise = torch.randn(4, 8)
    assert torch.equal(model.sample(noise=noise), model.sample(noise=noise, label=model.recent_attributes[:4]))
    assert torch.equal(model.sample(noise=noise, label=[1, 1]), model.sample(noise=noise, label=[[1, 1]]))
    refused(lambda: model.sample(2, label=1), "rows of num_classes=2 zeros and ones")


def test_acgan_calls_every_attribute_by_itself():
    model = small(ACGAN, multi_label=True)
    guess, label = torch.tensor([[1.5, -0.5]]), torch.tensor([[1, 1]])
    expected = (F.softplus(torch.tensor(-1.5)) + F.softplus(torch.tensor(0.5))) / 2
    torch.testing.assert_close(model.cross_entropy(guess, label), expected)


# -------------------------------------------------------------------- networks


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(6), nn.GroupNorm(2, 6)], ids=["batch", "group"])
def test_conditional_norm_begins_as_the_layers_own(norm):
    layer, maps = ConditionalNorm(norm, conditions=3), torch.randn(4, 6, 5, 5)
    layer.condition = torch.eye(3)[[0, 1, 2, 0]]
    torch.testing.assert_close(layer(maps), norm(maps))


def test_conditional_norm_by_its_formula():
    layer, maps, label = ConditionalNorm(nn.BatchNorm2d(6), conditions=3), torch.randn(4, 6, 5, 5), [2, 0, 1, 2]
    nn.init.normal_(layer.gain.weight)
    nn.init.normal_(layer.shift.weight)
    layer.condition = torch.eye(3)[label]
    mean, spread = maps.mean((0, 2, 3), keepdim=True), maps.var((0, 2, 3), unbiased=False, keepdim=True)
    plain = (maps - mean) / (spread + 1e-5).sqrt()
    for image, number in enumerate(label):
        gain, shift = (w.weight[:, number, None, None] for w in (layer.gain, layer.shift))
        torch.testing.assert_close(layer(maps)[image], (1 + gain) * plain[image] + shift, rtol=1e-4, atol=1e-5)


def test_conditional_generators():
    shape = (3, 9, 12)
    beside = ConditionalGenerator(DCGANGenerator(shape, 8, 4), num_classes=3)
    within = ConditionalGenerator(DCGANGenerator(shape, 8, 4), 3, "norm")
    assert (beside.latent_dim, within.latent_dim) == (5, 8) and len(within.norms()) > 0
    for generator in (beside, within):
        images = generator(torch.randn(2, generator.latent_dim), torch.eye(3)[:2])
        assert images.shape == (2, *shape) and images.abs().max() <= 1
    assert all(norm.condition is None for norm in within.norms())  # nothing is left for the next pass
    refused(lambda: ConditionalGenerator(DCGANGenerator(shape, 3, 4), 3), "takes 3 values", "none for noise")
    refused(
        lambda: ConditionalGenerator(MLPGenerator(shape, 8, (4,), "none"), 3, "norm"), "norm layers", "MLPGenerator"
    )
    refused(lambda: ConditionalGenerator(DCGANGenerator(shape, 8, 4), 3, "film"), "'input' or 'norm'", "film")


def test_conditional_discriminator_by_its_formula():
    """A linear judge: every class adds the sum of its plane's weights."""

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(1 + 3, 5, 4))

        def forward(self, image):
            return (image * self.weight).flatten(1).sum(1)

    judge, image = Linear(), torch.randn(3, 1, 5, 4)
    planes = judge.weight[1:].sum((1, 2))
    by_hand = (image[:, 0] * judge.weight[0]).sum((1, 2)) + planes[[2, 0, 1]]
    torch.testing.assert_close(ConditionalDiscriminator(judge)(image, torch.eye(3)[[2, 0, 1]]), by_hand)


def test_projection_by_its_formula():
    plain = DCGANDiscriminator(SHAPE, 4, "none")
    judge, image = ProjectionDiscriminator(plain, 3, "none"), torch.randn(4, *SHAPE)
    features, label = plain.features(image), [1, 0, 2, 2]
    score = features @ plain.judge.weight[0] + plain.judge.bias
    inner = torch.stack([judge.project.weight[:, k] @ row for k, row in zip(label, features, strict=True)])
    torch.testing.assert_close(judge(image, torch.eye(3)[label]), score + inner, rtol=1e-4, atol=1e-5)
    mixed = judge(image, torch.full((4, 3), 1 / 3))
    torch.testing.assert_close(mixed, torch.stack([judge(image, torch.eye(3)[[k] * 4]) for k in range(3)]).mean(0))


def test_the_projection_has_spectral_norm_too():
    judge = ProjectionDiscriminator(DCGANDiscriminator(SHAPE, 4, "spectral"), 3).train()
    for _ in range(200):
        judge(torch.randn(2, *SHAPE), torch.eye(3)[:2])
    largest = torch.linalg.matrix_norm(judge.eval().project.weight, 2)
    torch.testing.assert_close(largest, torch.tensor(1.0), rtol=1e-3, atol=1e-3)


def test_auxiliary_heads_share_their_features():
    plain = DCGANDiscriminator(SHAPE, 4, "none")
    both, image = AuxiliaryDiscriminator(plain, 3), torch.randn(4, *SHAPE)
    logits, guess = both(image)
    torch.testing.assert_close(logits, plain(image))
    torch.testing.assert_close(guess, plain.features(image) @ both.guess.weight.T + both.guess.bias)


def test_a_discriminator_that_does_not_say_by_what_it_judges():
    refused(lambda: ProjectionDiscriminator(nn.Linear(2, 1), 3), "Linear", "features(image)", "judge")


@pytest.mark.parametrize("cls", [CGAN, ProjectionGAN])
def test_the_verdict_depends_on_the_label(cls):
    model, image = small(cls), torch.randn(2, *SHAPE)
    given = {"image": image, "label": torch.tensor([0, 1])}
    turned = {"image": image, "label": torch.tensor([1, 0])}
    assert not torch.allclose(model.critic(given)(image), model.critic(turned)(image))


def test_projections_own_networks_are_residual(tmp_path):
    model = ProjectionGAN(
        image_shape=SHAPE, num_classes=2, backbone=ResNetBackbone(width=4), latent_dim=8, generator_every=1
    )
    assert type(model.discriminator.discriminator).__name__ == "ResNetDiscriminator"
    fit(tmp_path, model, max_steps=2, precision="bf16-mixed")
    assert torch.isfinite(model.sample(4, seed=0)).all()

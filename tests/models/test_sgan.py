"""The semi-supervised game: what it learns from labels, from their absence and from fakes."""

import copy
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from conftest import SHAPE, assert_equal, fit, glyphs, refused, small, trainer, training_state
from lightning.pytorch import Callback
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lit_gans import SGAN, Glyphs
from lit_gans.networks import (
    ConditionalGenerator,
    Discriminator,
    MinibatchDiscrimination,
    SemiSupervisedBackbone,
    SemiSupervisedConvDiscriminator,
    SemiSupervisedMLPDiscriminator,
    SemiSupervisedMLPGenerator,
    WithFeatures,
)
from lit_gans.optim import Adam, HistoricalMean


class Fixed(Discriminator):
    """Says what it is told: an image's first values are its logits, the next three its features."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs, self.scale = outputs, nn.Parameter(torch.ones(()))

    def forward(self, image):
        values = image.flatten(1) * self.scale
        return values[:, : self.outputs], values[:, self.outputs : self.outputs + 3]


def judged_by(outputs, classes, **arguments):
    generator = SemiSupervisedMLPGenerator(SHAPE, 8 + classes * arguments.get("conditional", False), width=4)
    generator = ConditionalGenerator(generator, classes) if arguments.get("conditional") else generator
    return SGAN(generator=generator, discriminator=Fixed(outputs), num_classes=classes, **arguments)


def images(n, spread=3.0, seed=0):
    return spread * torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


def a_batch(n=6, classes=4):
    label = torch.full((n,), -1)
    return {
        "image": images(n, seed=1),
        "label": label,
        "labelled": images(5, seed=2),
        "labelled_label": torch.arange(5) % classes,
    }


def values(terms):
    return {name: float(term.detach()) for name, term in terms.items()}


# -------------------------------------------------------------------- the losses


@pytest.mark.parametrize("fake_class", [False, True], ids=["K logits", "K + 1 logits"])
def test_losses_are_those_of_a_softmax_of_one_class_more(fake_class):
    """Salimans et al., section 5, with probabilities; with K logits the last one is 0."""
    classes, batch, fake = 4, a_batch(), images(7, seed=3)
    model = judged_by(classes + fake_class, classes, fake_class=fake_class, unlabelled=0.6)

    def probabilities(image):
        logits = image.flatten(1).double()[:, : classes + fake_class]
        if not fake_class:
            logits = torch.cat([logits, torch.zeros(len(logits), 1, dtype=torch.float64)], 1)
        return logits.exp() / logits.exp().sum(1, keepdim=True)

    known = probabilities(batch["labelled"])
    right = known[torch.arange(5), batch["labelled_label"]] / known[:, :classes].sum(1)  # p(y | x, y < K + 1)
    expected = {
        "labelled": -right.log().mean(),
        "unlabelled": -0.3 * (1 - probabilities(batch["image"])[:, classes]).log().mean(),
        "fake": -0.3 * probabilities(fake)[:, classes].log().mean(),
    }
    assert values(model.discriminator_loss(batch, fake)) == pytest.approx(values(expected), rel=1e-5)
    model.feature_matching = False
    wanted = -(1 - probabilities(fake)[:, classes]).log().mean()
    assert values(model.generator_loss(batch, fake)) == pytest.approx({"fake": float(wanted)}, rel=1e-5)


def test_losses_of_huge_logits_are_finite():
    model, batch = judged_by(4, 4), a_batch()
    terms = model.discriminator_loss({**batch, "image": 1e4 * batch["image"]}, 1e4 * images(6, seed=5))
    sum(terms.values()).backward()
    assert all(torch.isfinite(term) for term in terms.values()) and torch.isfinite(model.discriminator.scale.grad)


def test_labels_that_are_hidden_never_matter():
    """Where there are labelled images beside them, no label of the others; else none that is -1."""
    model, fake = judged_by(4, 4), images(6, seed=3)
    batch = a_batch()
    before = values(model.discriminator_loss(batch, fake))
    assert before == values(model.discriminator_loss({**batch, "label": torch.arange(6) % 4}, fake))
    own = {"image": batch["image"], "label": torch.tensor([2, -1, 0, -1, -1, 3])}
    rows = own["label"] >= 0
    expected = F.cross_entropy(own["image"][rows].flatten(1)[:, :4], own["label"][rows])
    assert values(model.discriminator_loss(own, fake))["labelled"] == pytest.approx(float(expected), rel=1e-5)


def test_without_any_label_only_the_others_are_learned_from():
    model, batch = judged_by(4, 4), a_batch()
    batch = {"image": batch["image"], "label": batch["label"]}
    terms = model.discriminator_loss(batch, images(6, seed=3))
    assert values(terms)["labelled"] == 0 and values(terms)["unlabelled"] > 0
    baseline = judged_by(4, 4, unlabelled=0)
    sum(baseline.discriminator_loss(batch, images(6, seed=3)).values()).backward()
    assert baseline.discriminator.scale.grad == 0


def test_the_supervised_baseline_sees_labelled_images_only():
    model, batch = judged_by(4, 4, unlabelled=0), a_batch()
    seen = []
    model.discriminator.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    terms = model.discriminator_loss(batch, images(6, seed=3))
    assert set(terms) == {"labelled"} and len(seen) == 1 and torch.equal(seen[0], batch["labelled"])


def test_one_pass_where_images_do_not_mix():
    batch, fake, counts = a_batch(classes=2), images(6, seed=3), {}
    for name, arguments in {"plain": {}, "minibatch": {"minibatch": 3}}.items():
        model = small(SGAN, **arguments).eval()
        calls = []
        model.discriminator.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        joint = values(model.discriminator_loss(batch, fake))
        counts[name] = len(calls)
        model.discriminator.independent = False
        assert values(model.discriminator_loss(batch, fake)) == pytest.approx(joint, rel=1e-5)
    assert counts == {"plain": 1, "minibatch": 3}


def test_feature_matching_compares_means():
    model, batch = judged_by(4, 4), a_batch()
    assert values(model.generator_loss(batch, batch["image"].flip(0)))["features"] == pytest.approx(0, abs=1e-9)
    fake = images(9, seed=4).requires_grad_()
    difference = batch["image"].flatten(1)[:, 4:7].mean(0) - fake.detach().flatten(1)[:, 4:7].mean(0)
    term = model.generator_loss(batch, fake)["features"]
    assert float(term.detach()) == pytest.approx(float(difference.square().sum()), rel=1e-5)
    term.backward()
    assert fake.grad.flatten(1)[:, 4:7].abs().min() > 0 and fake.grad.flatten(1)[:, 7:].abs().max() == 0


def test_labels_out_of_range_are_refused():
    model, fake = judged_by(4, 4), images(6)
    batch = {"image": images(6), "label": torch.tensor([0, 1, 2, 3, 4, -1])}
    refused(lambda: model.discriminator_loss(batch, fake), "0 to 3", "num_classes=4", "has -1 to 4")
    batch["label"] = torch.zeros(6, 4, dtype=torch.long)
    refused(lambda: model.discriminator_loss(batch, fake), "(N,)", "(6, 4)")
    refused(lambda: judged_by(3, 4).discriminator_loss(a_batch(), fake), "(N, 4)", "(5, 3)", "num_classes=4")


def test_arguments_out_of_range_are_refused():
    refused(lambda: SGAN(image_shape=SHAPE), "num_classes", "got None")
    refused(lambda: small(SGAN, unlabelled=-1.0), "unlabelled must be at least 0", "-1.0")
    refused(lambda: small(SGAN, classifier_decay=1.0), "classifier_decay", "1.0")
    refused(lambda: small(SGAN, minibatch=-1), "minibatch", "-1")
    refused(lambda: small(SGAN, discriminator_norm="batch"), "discriminator_norm", "option of a backbone")
    refused(lambda: small(SGAN, augment="color", augment_target=0.6), "augment_target", "SGAN")
    refused(lambda: judged_by(4, 4, backbone=SemiSupervisedBackbone(minibatch=3)), "backbone", "SGAN")


def test_a_network_of_ones_own_for_one_player():
    own = SemiSupervisedMLPGenerator(SHAPE, 5, width=4)
    model = SGAN(generator=own, num_classes=2, image_shape=SHAPE, backbone=SemiSupervisedBackbone(width=8))
    assert (
        model.latent_dim == 5 and len(model.discriminator.discriminator.layers[2].bias) == 125
    )  # an eighth of 1000 units
    model = SGAN(discriminator=Fixed(2), num_classes=2, image_shape=SHAPE, backbone=SemiSupervisedBackbone(width=8))
    assert len(model.generator.layers[0].weight) == 62


# -------------------------------------------------------------------- by class


@pytest.mark.parametrize("fake_class", [False, True], ids=["K logits", "K + 1 logits"])
def test_the_generator_minimises_the_cross_entropy_of_its_class(fake_class):
    """Among all K + 1 classes; where it matches features, among the K classes beside that."""
    model = judged_by(4 + fake_class, 4, fake_class=fake_class, conditional=True, feature_matching=False)
    batch, fake = a_batch(), {"image": images(7, seed=3), "label": torch.tensor([0, 1, 2, 3, 3, 1, 0])}
    logits = fake["image"].flatten(1)[:, : 4 + fake_class]
    whole = logits if fake_class else torch.cat([logits, torch.zeros(7, 1)], 1)
    terms = values(model.generator_loss(batch, fake))
    assert set(terms) == {"fake", "class"}
    assert sum(terms.values()) == pytest.approx(float(F.cross_entropy(whole, fake["label"])), rel=1e-5)
    model.feature_matching = True
    terms = values(model.generator_loss(batch, fake))
    expected = float(F.cross_entropy(logits[:, :4], fake["label"]))
    assert set(terms) == {"features", "class"} and terms["class"] == pytest.approx(expected, rel=1e-5)
    plain = judged_by(4 + fake_class, 4, fake_class=fake_class)
    assert values(model.discriminator_loss(batch, fake)) == values(plain.discriminator_loss(batch, fake["image"]))


def test_fakes_have_the_classes_of_labelled_images():
    model, batch = judged_by(4, 4, conditional=True), a_batch(40)
    assert model.columns == 4 and model.known_classes.tolist() == [0, 1, 2, 3]  # before the first batch
    own = {"image": batch["image"], "label": torch.full((40,), -1)}
    assert model.generate(own)["label"].unique().tolist() == [0, 1, 2, 3]  # nobody has said any class yet
    fake = model.generate({**batch, "labelled_label": torch.tensor([1, 3, 3, 3, 3])})
    assert fake["label"].unique().tolist() == [1, 3] and fake["image"].shape == batch["image"].shape
    assert (fake["label"] == 3).sum() > 20 and model.known_classes.tolist() == [1, 3]
    assert model.generate({**own, "label": own["label"].index_fill(0, torch.tensor([5]), 0)})["label"].max() == 0
    assert model.generate(own)["label"].unique().tolist() == [0, 1, 3]
    refused(lambda: model.sample(1, label=2), "class 2 had no example in training")


def test_classes_by_name_only_where_the_generator_has_them():
    plain, model = small(SGAN), small(SGAN, conditional=True)
    assert "label_counts" not in plain.state_dict() and plain.columns == 0 and plain.known_classes is None
    refused(lambda: plain.sample(1, label=0), "does not draw by class", "leave out the label")
    noise = torch.randn(1, model.latent_dim)
    zero, one = model.sample(noise=noise, label=0), model.sample(noise=noise, label=1)
    assert not torch.equal(zero, one)
    rows = model.rows(4, seed=1)
    assert torch.equal(model.sample(**rows), model.sample(4, seed=1))
    refused(
        lambda: SGAN(
            generator=SemiSupervisedMLPGenerator(SHAPE, 8, width=4), num_classes=2, image_shape=SHAPE, conditional=True
        ),
        "ConditionalGenerator",
    )


def test_samples_show_their_class(tmp_path):
    """Dark and bright images, of which a few are labelled."""
    label = torch.arange(2).repeat(40)
    shade = (2.0 * label - 1).view(-1, 1, 1, 1) * 0.6 + 0.2 * torch.randn(
        80, *SHAPE, generator=torch.Generator().manual_seed(0)
    )
    hidden = torch.where(torch.arange(80) < 20, label, -1)
    loader = DataLoader(TensorDataset(shade.clamp(-1, 1), hidden), batch_size=20, shuffle=True)
    model = small(SGAN, conditional=True, fake_class=True, feature_matching=False, optimizer=partial(Adam, lr=3e-3))
    whole = trainer(tmp_path, max_steps=80)
    whole.fit(model, loader, DataLoader(TensorDataset(shade.clamp(-1, 1), label), batch_size=40))
    dark, bright = (model.sample(20, seed=0, label=each).mean() for each in (0, 1))
    assert bright - dark > 0.3
    assert "val/error" in whole.callback_metrics and "val/accuracy" not in whole.callback_metrics


# -------------------------------------------------------------------- historical averaging


class Values(Callback):
    """The players' parameters at the beginning of every batch, and the averaged classifier's after it."""

    def __init__(self):
        self.players, self.averages = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        players = (pl_module.generator, pl_module.discriminator)
        self.players.append([[p.detach().clone() for p in player.parameters()] for player in players])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.averages.append([p.clone() for p in pl_module.classifier_ema.module.parameters()])


def test_historical_mean_after_three_steps(tmp_path):
    model, seen = small(SGAN, historical=0.5), Values()
    fit(tmp_path, model, callbacks=[seen], max_steps=3)
    for number, player in enumerate(("generator", "discriminator")):
        history = [step[number] for step in seen.players]
        means = [torch.stack(steps).double().mean(0) for steps in zip(*history, strict=True)]
        found = model.histories[player].means
        assert len(found) == len(means) > 3
        for mean, exact in zip(found, means, strict=True):
            torch.testing.assert_close(mean, exact.float(), rtol=1e-5, atol=1e-7)
        assert not torch.equal(found[0], history[-1][0])
        expected = sum((a - b).double().square().sum() for a, b in zip(history[-1], means, strict=True))
        assert float(model.histories[player].distance(history[-1])) == pytest.approx(float(expected), rel=1e-4)


def test_historical_averaging_holds_a_player_back(tmp_path):
    """Under a huge weight the second step leads back to the mean."""
    weight = torch.nn.Parameter(torch.tensor([0.0]))
    history = HistoricalMean([weight])
    for value in (0.0, 2.0):
        weight.data.fill_(value)
        history.update([weight])
    history.distance([weight]).backward()
    assert history.means[0] == 1 and weight.grad == 2
    terms = {}

    class Terms(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            terms[batch_idx] = values({k: v for k, v in outputs.items() if k.endswith("historical")})

    fit(tmp_path, small(SGAN, historical=2.0), callbacks=[Terms()], max_steps=2)
    assert set(terms[0]) == {"generator/historical", "discriminator/historical"}
    assert set(terms[0].values()) == {0.0} and min(terms[1].values()) > 0


@pytest.mark.parametrize(("stop", "conditional"), [(3, True), (10, False)])
def test_all_that_is_kept_survives_a_resume(tmp_path, stop, conditional):
    def parts():
        options = {"historical": 0.1, "minibatch": 2, "fake_class": True, "conditional": conditional}
        return small(SGAN, **options), glyphs(labels_per_class=3, flip=True)

    straight = fit(tmp_path / "a", *parts(), max_steps=2 * stop)
    first = fit(tmp_path / "b", *parts(), max_steps=stop)
    torch.manual_seed(99)
    checkpoint = tmp_path / "b" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "c", *parts(), max_steps=2 * stop, ckpt_path=checkpoint)
    assert_equal(training_state(straight), training_state(resumed))
    names = {name.split(".")[0] for name in first["state_dict"]}
    assert {"histories", "classifier_ema"} <= names and ("label_counts" in names) == conditional
    assert first["state_dict"]["histories.generator.count"] == stop


# -------------------------------------------------------------------- the networks


def test_minibatch_discrimination_by_the_formula():
    torch.manual_seed(0)
    layer, features = MinibatchDiscrimination(4, kernels=3, dims=5), torch.randn(6, 4)
    found = layer(features)
    points = (features @ layer.project.weight.T).view(6, 3, 5)
    for i in range(6):
        for b in range(3):
            expected = sum(torch.exp(-(points[i, b] - points[j, b]).abs().sum()) for j in range(6) if j != i)
            torch.testing.assert_close(found[i, 4 + b], expected)
    assert torch.equal(found[:, :4], features)


def test_minibatch_discrimination_tells_a_collapsed_batch():
    """By single images a collapsed batch cannot be told from others; by their similarity it can."""
    torch.manual_seed(0)
    errors = {}
    for minibatch in (0, 8):
        network = SemiSupervisedMLPDiscriminator((1, 8, 8), 1, width=4, minibatch=minibatch).eval()
        optimizer = Adam(network.parameters(), lr=1e-2)
        for _ in range(60):
            varied = torch.rand(16, 1, 8, 8) * 2 - 1
            copies = (torch.rand(1, 1, 8, 8) * 2 - 1).expand(16, -1, -1, -1)
            loss = F.softplus(-network(varied)[0]).mean() + F.softplus(network(copies)[0]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        errors[minibatch] = float(loss.detach())
    assert errors[8] < 0.3 < 1.0 < errors[0]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 20)], ids=str)
def test_units_begin_with_deviation_one(shape):
    torch.manual_seed(0)
    network = SemiSupervisedMLPDiscriminator(shape, 10, width=16)
    values, pixels = [], torch.rand(400, *shape) * 2 - 1
    for layer in network.layers:
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda module, inputs, output: values.append(output))
    logits, features = WithFeatures(network)(pixels)
    assert [float(value.detach().var(0).mean()) for value in values] == pytest.approx([1.0] * 5, abs=0.35)
    assert 0.05 < float(logits.detach().std(0).mean()) < 0.2 and features.shape == (400, 62)


def test_weights_have_fixed_lengths_but_the_last():
    network = SemiSupervisedMLPDiscriminator((1, 8, 8), 10, width=8)
    optimizer = Adam(network.parameters(), lr=0.1)
    linear = [module for module in (*network.layers, *network.judge) if isinstance(module, nn.Linear)]
    before = [layer.weight.detach().norm(dim=1) for layer in linear]
    network(images(4)[:, :, :8, :8]).square().sum().backward()
    optimizer.step()
    after = [layer.weight.detach().norm(dim=1) for layer in linear]
    for old, new in list(zip(before, after, strict=True))[:-1]:
        torch.testing.assert_close(old, new)
    assert (before[-1] - after[-1]).abs().min() > 1e-3


def test_noise_only_while_training():
    network = SemiSupervisedMLPDiscriminator((1, 8, 8), 3, width=8)
    image = images(2)[:, :, :8, :8]
    assert not torch.equal(network(image), network(image))
    state = torch.get_rng_state()
    network.eval()
    assert torch.equal(network(image)[0], network(image)[0]) and torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 33, 50)], ids=str)
def test_convolutions_of_any_size(shape):
    network = SemiSupervisedConvDiscriminator(shape, 11, width=4)
    logits, features = WithFeatures(network)(torch.rand(2, *shape))
    assert logits.shape == (2, 11) and features.shape == (2, 8)
    assert len([m for m in network.modules() if isinstance(m, nn.Conv2d)]) == 9
    refused(lambda: SemiSupervisedConvDiscriminator((1, 7, 8), 10), "8x8")


def test_default_players_by_the_size_of_the_images():
    assert isinstance(small(SGAN).discriminator.discriminator, SemiSupervisedMLPDiscriminator)
    model = small(SGAN, image_shape=(3, 32, 40), num_classes=5, fake_class=True, upsampling="resize")
    assert isinstance(model.discriminator.discriminator, SemiSupervisedConvDiscriminator)
    image = model.sample(2, seed=0)
    assert image.shape == (2, 3, 32, 40) and model.discriminator(image)[0].shape == (2, 6)


# -------------------------------------------------------------------- the classifier


@pytest.mark.parametrize("fake_class", [False, True])
def test_classify(fake_class):
    model = small(SGAN, num_classes=5, fake_class=fake_class, augment=["color"])
    image = model.sample(3, seed=0)
    logits = model.classify(image)
    assert logits.shape == (3, 5) and not logits.requires_grad and torch.equal(logits, model.classify(image))
    average = copy.deepcopy(model.classifier_ema.module).eval()
    torch.testing.assert_close(logits, average(image)[0][:, :5].detach())
    assert model.training and all(m.training for m in model.classifier_ema.module.modules())
    assert not any(m is model for m in model.classifier_ema.modules())


def test_average_of_the_classifier(tmp_path):
    model, seen = small(SGAN, classifier_decay=0.4, discriminator_optimizer=Adam), Values()
    start = [p.detach().clone() for p in model.discriminator.parameters()]
    fit(tmp_path, model, callbacks=[seen], max_steps=4)
    assert not torch.equal(seen.averages[-1][1], list(model.discriminator.parameters())[1])
    for step, decay in ((0, 0.1), (1, 2 / 11)):  # it warms up
        before = start if step == 0 else seen.averages[step - 1]
        now = seen.players[step + 1][1]
        for old, value, average in zip(before, now, seen.averages[step], strict=True):
            torch.testing.assert_close(average, decay * old + (1 - decay) * value)
    plain = small(SGAN, classifier_decay=0)
    image = plain.sample(3, seed=0)
    assert plain.classifier_ema is None
    with torch.no_grad():
        torch.testing.assert_close(plain.classify(image), plain.discriminator.eval()(image)[0])


class BySign(Discriminator):
    """Class 1 where the image is bright."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, image):
        bright = self.scale * image.mean((1, 2, 3))
        return torch.stack([-bright, bright], 1), bright[:, None]


@pytest.mark.parametrize("stage", ["val", "test"])
def test_error_on_labelled_images_alone(tmp_path, stage):
    """Two of five labelled images are wrong, whatever the two without a label and the fakes look like."""
    bright = torch.tensor([0.5, -0.5, 0.5, -0.5, 0.5, 0.5, -0.5])
    label = torch.tensor([1, 0, 0, 1, 1, -1, -1])
    loader = DataLoader(TensorDataset(bright.view(-1, 1, 1, 1).expand(-1, *SHAPE), label), batch_size=3)
    model = SGAN(generator=SemiSupervisedMLPGenerator(SHAPE, 8, width=4), discriminator=BySign(), num_classes=2)
    run = trainer(tmp_path)
    (run.validate if stage == "val" else run.test)(model, loader, verbose=False)
    found = values(run.callback_metrics)
    assert found == {f"{stage}/accuracy": pytest.approx(0.6), f"{stage}/error": pytest.approx(0.4)}
    unlabelled = DataLoader(TensorDataset(-torch.ones(4, *SHAPE), torch.full((4,), -1)), batch_size=3)
    run = trainer(tmp_path)
    (run.validate if stage == "val" else run.test)(model, unlabelled, verbose=False)
    assert not run.callback_metrics


def test_validation_is_by_the_whole_split_and_gives_fakes(tmp_path):
    model, data = small(SGAN, num_classes=3), Glyphs("012", size=16, count=60, batch_size=8, labels_per_class=2)
    run = trainer(tmp_path, max_steps=7)  # an epoch
    run.fit(model, datamodule=data)
    held = data.splits["val"][:]
    held_images = held["image"].float() / 127.5 - 1
    expected = (model.classify(held_images).argmax(1) == held["label"]).float().mean()
    assert float(run.callback_metrics["val/accuracy"]) == pytest.approx(float(expected), abs=1e-6)
    fake = model.validation_step({"image": held_images, "label": held["label"]}, 0)["fake"]
    assert fake.shape == held_images.shape


def test_four_labels_a_class_beat_chance(tmp_path):
    torch.manual_seed(0)
    optimizer = dict.fromkeys(("generator_optimizer", "discriminator_optimizer"), partial(Adam, lr=3e-3))
    model = SGAN(
        image_shape=(1, 16, 16),
        num_classes=5,
        latent_dim=20,
        backbone=SemiSupervisedBackbone(width=8),
        classifier_decay=0.95,
        **optimizer,
    )
    data = Glyphs("01234", size=16, count=400, batch_size=32, labels_per_class=4)
    trainer(tmp_path, max_steps=200, limit_val_batches=0).fit(model, datamodule=data)
    (found,) = trainer(tmp_path).validate(model, datamodule=data, verbose=False)
    assert found["val/error"] < 0.3  # chance is 0.8

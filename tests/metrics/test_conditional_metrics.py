"""How models that draw by class are measured: accuracy, coverage within classes, what a classifier learns of them."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from conftest import fails, few, fit, glyphs, logged_by, refused, small

from lit_gans import ACGAN, DCGAN
from lit_gans.cli.main import main
from lit_gans.metrics import Features, load_classifier
from lit_gans.metrics.by_class import (
    class_coverage,
    classes_in_turn,
    classifier_accuracy_score,
    drop_unreliable_accuracy,
    refuse_unlabelled,
    tells_classes,
)
from lit_gans.metrics.scoring import Scoring

DIGITS = "0123456789"


class Pixels(Features):
    name, num_features = "pixels", 256

    def forward(self, images):
        return images.flatten(1)


class Painter:
    """Draws real images of the class that it is asked for, or of another; of some classes always the same one."""

    draws_classes, num_classes = True, 10
    device = torch.device("cpu")

    def __init__(self, data, shift=0, same=()):
        data.setup("fit")
        self.real, self.shift, self.same = data.splits["train"][:], shift, same
        self.label_counts = torch.bincount(self.real["label"], minlength=data.num_classes)

    @property
    def known_classes(self):
        return self.label_counts.nonzero()[:, 0]

    def sample(self, n=64, *, seed=None, noise=None, label=None):
        rng, images = torch.Generator().manual_seed(seed), []
        asked = torch.as_tensor(classes_in_turn(self, n) if label is None else label)
        for number in asked[torch.arange(n) % len(asked)].tolist():
            rows = ((self.real["label"] + self.shift) % len(self.label_counts) == number).nonzero()[:, 0]
            row = rows[0 if number in self.same else torch.randint(len(rows), (1,), generator=rng)]
            images.append(self.real["image"][row].view(1, *self.real["image"].shape[1:]))
        return torch.cat(images).float() / 127.5 - 1


@pytest.fixture(scope="module")
def two():
    data = glyphs(count=400)
    data.setup()
    return data


# -------------------------------------------------------------------- each measure


def test_what_is_drawn_takes_classes_in_turn():
    model = small(ACGAN, num_classes=4)
    assert classes_in_turn(model, 6).tolist() == [0, 1, 2, 3, 0, 1]
    model.label_counts[:] = torch.tensor([5, 0, 1, 0])
    assert classes_in_turn(model, 5).tolist() == [0, 2, 0, 2, 0]
    noise = torch.randn(5, 8)
    assert torch.equal(model.sample(noise=noise), model.sample(noise=noise, label=classes_in_turn(model, 5)))


def test_accuracy_is_that_of_the_classes_asked_for():
    """Real digits as samples: under their labels the accuracy is theirs, under others it is none."""
    data = glyphs(characters=DIGITS, count=200)
    model, scoring = Painter(data), Scoring(["accuracy"], load_classifier())
    images, label = model.sample(100, seed=0), classes_in_turn(model, 100)
    real = data.on_after_batch_transfer(dict(model.real), 0)
    scoring.add(real["image"], real=True, label=real["label"])
    scoring.add(images, real=False, label=label)
    found = {name: float(value) for name, value in scoring.compute().items()}
    guesses = load_classifier().logits(images).argmax(1)
    by_class = [float((guesses[label == k] == k).float().mean()) for k in range(10)]
    assert found["accuracy"] == pytest.approx(float((guesses == label).float().mean())) and found["accuracy"] > 0.5
    assert found["accuracy_worst"] == pytest.approx(min(by_class)) and found["accuracy_real"] > 0.5
    scoring.reset()
    scoring.add(images, real=False, label=(label + 1) % 10)
    after = {name: float(value) for name, value in scoring.compute().items()}
    assert after["accuracy"] < 0.2 and after["accuracy_real"] == found["accuracy_real"]


def test_one_pass_of_the_network(monkeypatch):
    network, seen = load_classifier(), []
    network.layers.register_forward_hook(lambda *_: seen.append(1))
    scoring = Scoring(["kid", "accuracy"], network)
    scoring.add(torch.zeros(30, 1, 28, 28), real=False, label=torch.arange(30) % 10)
    assert seen == [1]


def test_unlabelled_real_images_do_not_count():
    scoring = Scoring(["accuracy"], load_classifier())
    scoring.add(torch.zeros(4, 1, 28, 28), real=True)
    scoring.add(torch.zeros(4, 1, 28, 28), real=True, label=torch.full((4,), -1))
    scoring.add(torch.zeros(4, 1, 28, 28), real=True, label=torch.ones(4, 3, dtype=torch.long))  # attributes
    scoring.add(torch.zeros(20, 1, 28, 28), real=False, label=torch.arange(20) % 10)
    found = scoring.compute()
    assert sorted(found) == ["accuracy", "accuracy_worst"] and float(found["accuracy"]) == pytest.approx(0.1)


def test_a_network_for_other_classes_is_not_believed():
    assert drop_unreliable_accuracy({"fid": 1.0, "accuracy": 0.1, "accuracy_worst": 0.0, "accuracy_real": 0.2}) == {
        "fid": 1.0
    }
    known = {"fid": 1.0, "accuracy": 0.1, "accuracy_worst": 0.0, "accuracy_real": 0.9}
    assert drop_unreliable_accuracy(known) == known and drop_unreliable_accuracy({"accuracy": 0.1}) == {"accuracy": 0.1}


def test_coverage_within_classes(two):
    every = class_coverage(Painter(two), two, "train", Pixels(), count=150)
    assert every["class_coverage_worst"] > 0.85
    one = class_coverage(Painter(two, same=(1,)), two, "train", Pixels(), count=150)
    assert one["class_coverage_worst"] < 0.2 < 0.45 < one["class_coverage"] < 0.65
    # of the other class, whose images are all there
    assert class_coverage(Painter(two, shift=1), two, "train", Pixels(), count=150)["class_coverage"] < 0.2


def test_coverage_takes_what_the_rarest_class_has(two):
    drawn = []
    model = Painter(two)
    plain = model.sample
    model.sample = lambda n=64, **given: (drawn.append(n), plain(n, **given))[1]
    class_coverage(model, two, "test", Pixels())
    label = two.splits["test"].values("label")
    assert drawn == [int(torch.bincount(label).min())] * 2
    model.label_counts = torch.tensor([3, 3, 3])
    refused(lambda: class_coverage(model, two, "test", Pixels()), "more than 5", "test split has 0 of class 2")


def test_a_classifier_learns_from_samples(two):
    right, wrong = (classifier_accuracy_score(Painter(two, shift=shift), two, epochs=25) for shift in (0, 1))
    assert right > 0.9 and wrong < 0.1


def test_the_score_follows_the_training_labels():
    """As many samples as training images, of the classes of those that have a label."""
    data, asked = glyphs(count=300, labels_per_class=4), []
    model = Painter(glyphs(count=300))
    plain = model.sample
    model.sample = lambda n=64, **given: (asked.append(given["label"]), plain(n, **given))[1]
    classifier_accuracy_score(model, data, epochs=1)
    of_zero, of_one = torch.bincount(torch.cat(asked)).tolist()
    assert of_zero + of_one == 300 and abs(of_zero - of_one) <= 4  # four labels of each are shown


# -------------------------------------------------------------------- what cannot be measured


def test_what_cannot_be_measured(two):
    network = load_classifier()
    assert not small(DCGAN).draws_classes and not small(ACGAN, multi_label=True).draws_classes
    assert tells_classes(network, small(ACGAN, num_classes=10)) and not tells_classes(network, small(ACGAN))
    refuse_unlabelled(["fid"], small(DCGAN), None)
    refused(lambda: refuse_unlabelled(["cas"], small(DCGAN), None), "cas", "DCGAN draws without any", "ACGAN")
    multi = small(ACGAN, multi_label=True)
    refused(lambda: refuse_unlabelled(["kid", "accuracy"], multi, network), "accuracy needs one class", "attributes")
    refused(lambda: refuse_unlabelled(["accuracy"], small(ACGAN), network), "2 classes", "'digits' tell 10 apart")
    refused(
        lambda: refuse_unlabelled(["accuracy"], small(ACGAN), Pixels()),
        "'pixels' classify nothing",
        "lit-gans features",
    )
    refuse_unlabelled(["class_coverage"], small(ACGAN), Pixels())


def test_data_without_classes(two):
    for label in (None, torch.full((40,), -1), torch.zeros(40, 2, dtype=torch.long)):
        data = glyphs()
        data.setup()
        for samples in data.splits.values():
            samples.groups = [{k: v for k, v in group.items() if k != "label"} for group in samples.groups]
            if label is not None:
                samples.groups[0]["label"] = label
        refused(lambda data=data: class_coverage(Painter(two), data, "train", Pixels()), "Glyphs has no labels")
        refused(lambda data=data: classifier_accuracy_score(Painter(two), data), "Glyphs has no labels")


# -------------------------------------------------------------------- in a run and afterwards


@pytest.mark.parametrize(("characters", "known"), [(DIGITS, True), (DIGITS[1:] + "0", False)], ids=["known", "unknown"])
def test_a_run_logs_the_accuracy(characters, known, tmp_path):
    """If the network's classes are the data's: digits that are called by the next one's name are not."""
    data = glyphs(characters=characters, count=200)
    model = small(ACGAN, num_classes=10)
    painter = Painter(glyphs(characters=characters, count=200))
    model.sample = lambda n=64, *, seed=0, noise=None, label=None: painter.sample(n, seed=seed or 0, label=label)
    logged = logged_by(tmp_path, few(), model, data, max_epochs=1, max_steps=-1)
    assert "val/fid" in logged and ("val/accuracy" in logged) == known
    if known:
        assert logged["val/accuracy"] > 0.6 and logged["val/accuracy_real"] > 0.6


def test_other_runs_have_no_accuracy(tmp_path):
    epoch = {"max_epochs": 1, "max_steps": -1, "data": glyphs(count=160)}
    assert "val/accuracy" not in logged_by(tmp_path / "a", few(), **epoch)
    assert "val/accuracy" not in logged_by(tmp_path / "b", few(), small(ACGAN), **epoch)
    quality = few(scores=["kid", "accuracy"])
    refused(
        lambda: logged_by(tmp_path / "c", quality, **epoch),
        "DCGAN draws without",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run on ten digits."""
    folder = tmp_path_factory.mktemp("labels")
    fit(folder, small(ACGAN, num_classes=10), glyphs(characters=DIGITS, count=200), max_steps=30)
    data = {"class_path": "lit_gans.Glyphs", "init_args": {"characters": DIGITS, "size": [16, 16], "count": 200}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": data}))
    return folder


def scored(folder, *words):
    main(
        [
            "evaluate",
            str(folder / "checkpoints" / "last.ckpt"),
            *words,
            "--count=200",
            f"--output={folder / 'a.json'}",
            "--force",
        ]
    )
    return json.loads(Path(folder / "a.json").read_text())["values"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--metrics", "accuracy", "class_coverage", "cas"], ["accuracy", "class_coverage", "cas"]),
        (["--metrics=class_coverage"], ["class_coverage"]),
        (["--metrics=cas"], ["cas"]),
        ([], ["fid", "accuracy"]),
    ],
    ids=["all", "class_coverage", "cas", "default"],
)
def test_evaluate(folder, words, names):
    found = scored(folder, *words)
    assert set(names) <= set(found) and ("class_coverage_worst" in found) == ("class_coverage" in names)
    assert ("accuracy_worst" in found) == ("accuracy_real" in found) == ("accuracy" in names)
    assert ("cas" in found) == ("cas" in names) and all(0 <= found[name] <= 1 for name in names if name != "fid")


def test_evaluate_refuses(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(tmp_path, small(DCGAN), glyphs(), max_steps=1)
    error = fails("evaluate", "checkpoints/last.ckpt", "--data", f"{folder}/config.yaml", "--metrics", "cas", "kid")
    assert "cas measures how a model follows labels, but DCGAN draws without any" in error


def test_features_learn_from_classes(monkeypatch):
    data = glyphs()
    data.setup()
    for samples in data.splits.values():
        samples.groups[0]["label"] = torch.zeros(40, 2, dtype=torch.long)
    monkeypatch.setattr("lit_gans.cli.run_data.open_data", lambda *_: data)
    assert "Glyphs has several attributes an image; name one" in fails("features", "Glyphs")


def test_a_path_length_keeps_the_label(folder):
    first, again = (scored(folder, "--metrics=ppl")["ppl"] for _ in range(2))
    assert first == again and 0 < first < float("inf")

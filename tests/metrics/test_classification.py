"""Samples that were drawn for a class."""

import pytest
import torch
from conftest import refused
from torch import nn

from lit_gans.metrics import Classifier, ClassifierAccuracyScore, ConditionalAccuracy


class First(Classifier):
    """Takes the first pixel for the class."""

    def __init__(self):
        nn.Module.__init__(self)
        self.num_classes = 3

    def logits(self, images):
        return nn.functional.one_hot(images[:, 0, 0, 0].long(), 3).float()


def showing(classes):
    return torch.tensor(classes).float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)


def test_conditional_accuracy():
    metric = ConditionalAccuracy(First())
    metric.update(showing([0, 1, 2, 0]), torch.tensor([0, 1, 2, 1]))
    metric.update(showing([1, 1]), torch.tensor([1, 0]))
    values = metric.compute()
    assert float(values["accuracy"]) == pytest.approx(4 / 6) and float(values["worst_class"]) == pytest.approx(1 / 2)
    refused(lambda: metric.update(showing([1]), torch.tensor([3])), "classes 0 to 2", "3 to 3")


def striped(count, seed, wrong=False):
    rng = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (count,), generator=rng)
    images = torch.rand(count, 1, 8, 8, generator=rng) - 0.5
    images[(label == 1) != wrong, :, ::2] += 0.5
    images[(label == 0) != wrong, :, :, ::2] += 0.5
    return images.clamp(-1, 1), label


def test_classifier_accuracy_score():
    state = torch.get_rng_state()
    scores = {}
    for name, wrong in (("right", False), ("wrong", True)):
        metric = ClassifierAccuracyScore(num_classes=2, epochs=20)
        for seed in (0, 1):
            metric.update(*striped(200, seed, wrong), real=False)
        metric.update(*striped(200, 9), real=True)
        scores[name] = float(metric.compute())
    assert scores["right"] > 0.95 and scores["wrong"] < 0.05  # samples of the other class teach the other class
    assert torch.equal(state, torch.get_rng_state())
    refused(ClassifierAccuracyScore(2).compute, "needs samples to learn from")

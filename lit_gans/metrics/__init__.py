"""Measures of a generator that torchmetrics lacks, the networks they use, and the protocol that goes with a score."""

from lit_gans.metrics.agreement import confusion, matching_accuracy
from lit_gans.metrics.attributes import AttributeReader
from lit_gans.metrics.base import Features
from lit_gans.metrics.checkerboard import Checkerboard
from lit_gans.metrics.classification import ClassifierAccuracyScore, ConditionalAccuracy
from lit_gans.metrics.coverage import PointCoverage, StackCoverage
from lit_gans.metrics.diversity import PairwiseDistance
from lit_gans.metrics.features import Classifier, DINOv2, Inception, feature_network, load_classifier
from lit_gans.metrics.frechet import FrechetDistance
from lit_gans.metrics.manifold import DensityCoverage, PrecisionRecall
from lit_gans.metrics.memorisation import Memorisation
from lit_gans.metrics.modes import ModeCoverage
from lit_gans.metrics.photographs import ImageNet, OpenNSFW
from lit_gans.metrics.protocol import Protocol, Scores
from lit_gans.metrics.reconstruction import ReconstructionError
from lit_gans.metrics.sharpness import Sharpness
from lit_gans.metrics.sliced_wasserstein import SlicedWasserstein
from lit_gans.metrics.training import accuracy, train_classifier

__all__ = [
    "AttributeReader",
    "Checkerboard",
    "Classifier",
    "ClassifierAccuracyScore",
    "ConditionalAccuracy",
    "DINOv2",
    "DensityCoverage",
    "Features",
    "FrechetDistance",
    "ImageNet",
    "Inception",
    "Memorisation",
    "ModeCoverage",
    "OpenNSFW",
    "PairwiseDistance",
    "PointCoverage",
    "PrecisionRecall",
    "Protocol",
    "ReconstructionError",
    "Scores",
    "Sharpness",
    "SlicedWasserstein",
    "StackCoverage",
    "accuracy",
    "confusion",
    "feature_network",
    "load_classifier",
    "matching_accuracy",
    "train_classifier",
]

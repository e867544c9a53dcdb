"""Tokens of other libraries' loaders: their names, their padding and their masks."""

from dataclasses import dataclass

import pytest
import torch
from conftest import refused, trainer
from text_models import WORDS, Bigrams, WordByWord
from torch.utils.data import DataLoader

from lit_gans import LanguageModel
from lit_gans.networks import RecurrentBackbone

IDS = torch.tensor([[7, 8, 2, 9], [6, 2, 9, 9]])  # 9 is padding there
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
OWN = [[7, 8, 2, 0], [6, 2, 0, 0]]


def model(**arguments):
    return Bigrams(text_shape=(4, len(WORDS)), **arguments)


def test_an_attention_mask_says_where_padding_is():
    received = model(columns={"tokens": "input_ids"}).receive({"input_ids": IDS, "attention_mask": MASK})
    assert received["tokens"].tolist() == OWN and received["tokens"].dtype == torch.int64


def test_padding_on_the_left_comes_to_the_end():
    batch = {"tokens": torch.tensor([[9, 7, 8, 2], [9, 9, 6, 2]]), "attention_mask": MASK.flip(1)}
    assert model().receive(batch)["tokens"].tolist() == OWN


def test_numbers_below_zero_are_padding():
    pairs = WordByWord(
        text_shape=(4, 20), source_text_shape=(4, 20), columns={"source": "input_ids", "target": "labels"}
    )
    labels = torch.tensor([[5, 6, 2, -100], [5, 2, -100, -100]])
    received = pairs.receive({"input_ids": IDS, "attention_mask": MASK, "labels": labels})
    assert received["source"].tolist() == OWN and received["target"].tolist() == [[5, 6, 2, 0], [5, 2, 0, 0]]


def test_an_object_with_attributes_and_32_bits():
    @dataclass
    class Batch:
        input_ids: torch.Tensor

    assert model(columns={"tokens": "input_ids"}).receive(Batch(IDS.int()))["tokens"].dtype == torch.int64


def test_a_language_model_learns_from_a_loader_of_dicts(tmp_path):
    rows = [{"input_ids": ids, "attention_mask": mask} for ids, mask in zip(IDS, MASK, strict=True)] * 4
    learner = LanguageModel(
        text_shape=(4, len(WORDS)), backbone=RecurrentBackbone(width=4), columns={"tokens": "input_ids"}
    )
    before = [weight.clone() for weight in learner.generator.parameters()]
    loader = DataLoader(rows, batch_size=2)
    run = trainer(tmp_path, max_steps=4)
    run.fit(learner, loader, loader)
    assert any(not torch.equal(a, b) for a, b in zip(learner.generator.parameters(), before, strict=True))
    assert torch.isfinite(run.callback_metrics["val/nll"])
    learner.vocabularies["tokens"] = WORDS
    assert len(learner.write(2, seed=0)) == 2


@pytest.mark.parametrize(
    ("batch", "parts"),
    [
        ({"input_ids": IDS}, ["Bigrams needs batches with tokens", "columns={'tokens': 'input_ids'}"]),
        ({"tokens": IDS.float()}, ["must be the numbers of tokens, (N, T) int64, got torch.float32 (2, 4)"]),
        ({"tokens": ["a cup"]}, ["must be the numbers of tokens", "got a list", "Vocabulary.learn"]),
        ({"tokens": IDS + 90}, ["has the number 99", "was made for 11 tokens, 0 to 10"]),
        ({"tokens": IDS.repeat(1, 2)}, ["has texts of 8 tokens", "was made for 4"]),
        ({"tokens": torch.tensor([[7, 0, 6, 2]])}, ["the number 0 in the midst of a text"]),
    ],
    ids=["name", "floats", "texts", "numbers", "length", "zero"],
)
def test_what_is_wrong_is_said_at_the_first_batch(batch, parts):
    refused(lambda: model().receive(batch), *parts)

"""Self-BLEU against sacrebleu's sentence BLEU with all other texts as references."""

import pytest
import torch
from conftest import refused
from sacrebleu.metrics import BLEU

from lit_gans.text import END, self_bleu


def by_sacrebleu(texts, order):
    bleu = BLEU(max_ngram_order=order, smooth_method="floor", smooth_value=0.1, tokenize="none")
    rest = [texts[:number] + texts[number + 1 :] for number in range(len(texts))]
    scores = [bleu.sentence_score(text, others).score for text, others in zip(texts, rest, strict=True)]
    return sum(scores) / len(scores) / 100


@pytest.mark.parametrize("order", [1, 2, 3])
def test_it_is_the_mean_bleu_with_all_others(order):
    rng = torch.Generator().manual_seed(order)
    sizes = torch.randint(4, 9, (40,), generator=rng).tolist()  # of one length and of others, for the brevity penalty
    rows = [torch.randint(5, 13, (size,), generator=rng).tolist() for size in sizes]
    texts = [" ".join(map(str, row)) for row in rows]
    assert self_bleu(rows, order) == pytest.approx(by_sacrebleu(texts, order), abs=1e-6)


def test_what_ends_a_text_does_not_count():
    tokens = torch.tensor([[5, 6, 7, END, 0], [5, 6, 8, 9, END], [5, 6, 7, 8, END]])
    assert self_bleu(tokens, 2) == self_bleu([[5, 6, 7], [5, 6, 8, 9], [5, 6, 7, 8]], 2)


def test_repetition_raises_it():
    varied = torch.randint(5, 100, (50, 8), generator=torch.Generator().manual_seed(0))
    assert self_bleu(varied) < 0.3 < 0.99 < self_bleu(varied[:1].repeat(50, 1)) <= 1


def test_one_text_has_no_others():
    refused(lambda: self_bleu([[5, 6]]), "two at least", "1")
    refused(lambda: self_bleu([[5, 6], [7]], order=0), "order")

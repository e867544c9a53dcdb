"""ELECTRA and the masked language model: gaps, guesses, and which tokens were replaced."""

import pytest
import torch
import torch.nn.functional as F
from conftest import refused
from torch import nn

import lit_gans
from lit_gans import ELECTRA, MaskedLM
from lit_gans.models.electra import area, histogram, narrowed
from lit_gans.networks import RecurrentBackbone, TransformerBackbone
from lit_gans.networks.masked import reader_of_tokens
from lit_gans.text import MASK, SPECIAL, Vocabulary, draw_tokens, gaps, padding_mask

TEXTS = ["the key is here", "the keys are here", "the keys to the old cabinet are not here", "it is"]
WORDS = Vocabulary.learn(TEXTS)
TOKENS = WORDS.encode(TEXTS)
SHAPE = (TOKENS.shape[1], len(WORDS))
NARROW = TransformerBackbone(width=16, layers=2, heads=4, dropout=0.0)


def small(cls, **options):
    torch.manual_seed(0)
    model = cls(text_shape=SHAPE, **{"backbone": NARROW, **options})
    model.vocabularies["tokens"] = WORDS
    return model


class Guesser(nn.Module):
    """Is certain of one token at every place: the true one, or the one after it in the vocabulary."""

    def __init__(self, right):
        super().__init__()
        self.scale, self.right = nn.Parameter(torch.tensor(100.0)), right

    def forward(self, tokens, places):
        truth = TOKENS.gather(1, places) + (not self.right)
        return self.scale * F.one_hot(truth.clamp(max=SHAPE[1] - 1), SHAPE[1])


# -------------------------------------------------------------------- gaps


def test_gaps_are_a_share_of_every_text_and_never_special():
    chosen = gaps(TOKENS, 0.4)
    counts = [round(0.4 * len(text.split())) for text in TEXTS]
    assert chosen.used.sum(1).tolist() == counts
    truth = TOKENS.gather(1, chosen.places)[chosen.used]
    assert (truth >= len(SPECIAL)).all()
    assert (chosen.tokens == MASK).sum(1).tolist() == counts
    kept = chosen.tokens != MASK
    assert torch.equal(chosen.tokens[kept], TOKENS[kept])
    assert gaps(TOKENS, 0.01).used.sum(1).tolist() == [1] * 4
    nothing = gaps(torch.tensor([[3, 2, 0]]), 1.0)  # an unknown token alone
    assert not nothing.used.any() and torch.equal(nothing.tokens, torch.tensor([[3, 2, 0]]))


def test_some_tokens_that_are_guessed_are_not_hidden():
    many = TOKENS.repeat(500, 1)
    chosen = gaps(many, 0.5, hidden=0.85)
    share = (chosen.tokens == MASK).sum() / chosen.used.sum()
    assert share == pytest.approx(0.85, abs=0.02)
    assert not torch.equal(chosen.used.sum(), (chosen.tokens == MASK).sum())


def test_gaps_are_repeatable_and_leave_the_global_numbers_alone():
    state = torch.get_rng_state()
    first, second = (gaps(TOKENS, 0.3, 0.5, torch.Generator().manual_seed(4)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(state, torch.get_rng_state())


def test_tokens_are_drawn_by_their_probabilities_and_special_ones_never():
    logits = torch.tensor([9.0] * len(SPECIAL) + [0.0, 1.0, 2.0]).repeat(20_000, 1).requires_grad_()
    drawn = draw_tokens(logits, rng=torch.Generator().manual_seed(0))
    shares = torch.bincount(drawn, minlength=8)[len(SPECIAL) :] / len(drawn)
    torch.testing.assert_close(shares, torch.tensor([0.0, 1.0, 2.0]).softmax(0), atol=0.01, rtol=0)
    assert not drawn.requires_grad and drawn.min() >= len(SPECIAL)
    assert (draw_tokens(logits[:5], temperature=0) == 7).all()


# -------------------------------------------------------------------- objectives


def test_the_masked_model_learns_the_chosen_tokens_alone():
    model = small(MaskedLM, masked=0.5, hidden=1.0)
    torch.manual_seed(1)
    chosen = gaps(TOKENS, 0.5, 1.0)
    torch.manual_seed(1)
    (guess,) = model.loss({"tokens": TOKENS}).values()
    logs = model.generator(chosen.tokens).log_softmax(2).gather(2, TOKENS.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(guess, -logs[chosen.tokens == MASK].mean())


@pytest.mark.parametrize("right", [True, False])
def test_a_guess_that_is_right_counts_as_original(right):
    model = small(ELECTRA, backbone=None, generator=Guesser(right), discriminator=small(ELECTRA).discriminator)
    torch.manual_seed(1)
    terms = model.loss({"tokens": TOKENS})
    torch.manual_seed(1)
    chosen = gaps(TOKENS, 0.15, 0.85)
    changed = torch.zeros_like(TOKENS, dtype=torch.bool).scatter(1, chosen.places, chosen.used)
    guessed = (TOKENS + 1).clamp(max=SHAPE[1] - 1)
    given = TOKENS if right else torch.where(changed, guessed, TOKENS)
    scores, there = model.discriminator(given), padding_mask(TOKENS)
    each = torch.where(given == TOKENS, F.softplus(-scores), F.softplus(scores))
    torch.testing.assert_close(terms["detection"], 50 * each[there].mean())
    assert right or terms["detection"] != 50 * F.softplus(-scores)[there].mean()


def test_the_generator_learns_from_its_guesses_alone():
    model = small(ELECTRA, generator=Guesser(True))
    terms = model.loss({"tokens": TOKENS})
    terms["detection"].backward()
    assert model.generator.scale.grad is None
    assert all(p.grad is not None for p in model.discriminator.parameters())


def test_the_generator_is_narrow_and_shares_the_embedding():
    assert narrowed(TransformerBackbone(width=128, layers=3, heads=4), 0.25) == TransformerBackbone(32, 3, 1)
    assert narrowed(RecurrentBackbone(width=20), 0.25) == RecurrentBackbone(width=5)
    for backbone in (NARROW, RecurrentBackbone(width=16)):
        model = small(ELECTRA, backbone=backbone)
        shared = reader_of_tokens(model.discriminator).tokens
        assert model.generator.embedding is shared and reader_of_tokens(model.generator.encoder).tokens.shared is shared
        assert model.generator.encoder.width == 4 and model.discriminator.encoder.width == 16
        before = model.generator(TOKENS)
        with torch.no_grad():
            shared.weight += torch.randn(shared.weight.shape, generator=torch.Generator().manual_seed(0))
        assert not torch.allclose(model.generator(TOKENS), before)
    names = [name for name, p in model.named_parameters() if p is shared.weight]
    assert len(names) == 1  # and one optimizer moves it once


# -------------------------------------------------------------------- features and scores


@pytest.mark.parametrize("cls", [MaskedLM, ELECTRA])
@pytest.mark.parametrize("backbone", [NARROW, RecurrentBackbone(width=8)], ids=["transformer", "recurrent"])
def test_features_do_not_depend_on_the_other_texts(cls, backbone):
    model = small(cls, backbone=backbone)
    model.train()
    together = model.encode_texts(TEXTS)
    alone = torch.cat([model.encode_texts(text) for text in TEXTS])
    torch.testing.assert_close(together, alone)
    assert together.shape == (4, backbone.width) and not together.requires_grad and model.training
    refused(lambda: model.encode_texts(["the kei"]), "kei", "vocabulary")
    assert model.encode_texts(["the kei"], known=False).shape == (1, backbone.width)
    refused(lambda: model.encode_texts([" "]), "not empty")
    refused(lambda: model.encode_texts("here " * 20), "shorten")


def test_realness_is_zero_at_filling():
    scores = small(ELECTRA).realness(TOKENS)
    assert scores.shape == TOKENS.shape and (scores[~padding_mask(TOKENS)] == 0).all()
    assert (scores[padding_mask(TOKENS)] != 0).all()


def test_the_area_is_that_of_all_pairs():
    torch.manual_seed(0)
    low, high = torch.randn(300) * 3, torch.randn(200) * 3 + 2
    pairs = (high[:, None] > low[None]).double() + 0.5 * (high[:, None] == low[None]).double()
    assert float(area(torch.stack([histogram(low), histogram(high)]))) == pytest.approx(float(pairs.mean()), abs=1e-3)
    same = torch.full((7,), 90.0)
    assert float(area(torch.stack([histogram(same), histogram(same)]))) == 0.5


def test_tokens_that_seem_odd_stand_in_brackets():
    odd = torch.zeros_like(TOKENS, dtype=torch.bool)
    odd[1, 2] = odd[1, 4] = True  # the last is the end of the text, which is not shown
    assert small(ELECTRA).marked(TOKENS, odd)[:2] == ["the key is here", "the keys [are] here"]


def test_what_cannot_be_is_refused():
    refused(lambda: ELECTRA(), "ELECTRA", "text_shape")
    refused(lambda: small(MaskedLM, masked=0.0), "masked=0.0")
    refused(lambda: small(ELECTRA, generator_share=2.0), "generator_share", "2.0")
    refused(lambda: small(ELECTRA, detection=-1.0), "detection=-1.0")
    refused(lambda: small(MaskedLM, backbone=lit_gans.networks.DCGANBackbone()), "SequenceBackbone")
    refused(lambda: lit_gans.DCGAN(image_shape=(1, 16, 16)).encode_texts("it is"), "DCGAN", "features of texts")

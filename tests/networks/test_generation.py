"""Texts out of decoders."""

import itertools

import pytest
import torch

from lit_gans.errors import UsageError
from lit_gans.networks import RecurrentBackbone, TransformerBackbone
from lit_gans.networks.generation import NEVER, beam, draw, greedy, uniform
from lit_gans.networks.sequences import SequenceDecoder
from lit_gans.text import BEGIN, END, PAD


class Chain(SequenceDecoder):
    """A Markov chain: the logits depend on the last token alone."""

    def __init__(self, size=7, spread=1.0):
        super().__init__()
        self.vocabulary, rng = size, torch.Generator().manual_seed(3)
        self.table = torch.nn.Parameter(spread * torch.randn(size, size, generator=rng), requires_grad=False)
        self.steps = 0

    def start(self, n, length, memory=None, memory_mask=None):
        return {"row": torch.arange(n)}

    def step(self, tokens, state):
        self.steps += 1
        return self.table[tokens], state

    def probabilities(self):
        return self.table.index_fill(1, torch.tensor(NEVER), float("-inf")).softmax(1)

    def score(self, text):
        """The log-probability of a text that has its end, or is as long as texts may be."""
        return sum(self.probabilities().log()[a, b] for a, b in itertools.pairwise([BEGIN, *text]))


def test_draws_have_the_decoders_distribution_and_only_real_tokens():
    chain = Chain()
    texts = draw(chain, uniform(4000, 3, seed=0))
    expected = chain.probabilities()
    first = texts[:, 0].bincount(minlength=7) / 4000
    torch.testing.assert_close(first, expected[BEGIN], atol=0.03, rtol=0)
    after = texts[texts[:, 0] == 5][:, 1].bincount(minlength=7) / (texts[:, 0] == 5).sum()
    torch.testing.assert_close(after, expected[5], atol=0.05, rtol=0)
    assert set(texts.unique().tolist()) <= {PAD, END, 5, 6}
    ended = (texts == END).cumsum(1) - (texts == END).long() > 0
    assert torch.equal(texts == PAD, ended)


def test_a_row_depends_on_its_own_noise_alone():
    decoder = TransformerBackbone(width=8, layers=1, heads=2).decoder(12, 6).eval()
    noise = uniform(5, 6, seed=4)
    with torch.no_grad():
        texts = draw(decoder, noise)
        assert torch.equal(texts[2:4], draw(decoder, noise[2:4])) and torch.equal(texts, draw(decoder, noise))
    assert torch.equal(noise, uniform(5, 6, seed=4)) and not torch.equal(noise, uniform(5, 6, seed=5))


def test_temperature_and_top_k():
    chain, noise = Chain(), uniform(300, 4, seed=1)
    best = greedy(chain, 300, 4)
    assert torch.equal(draw(chain, noise, temperature=0), best) and torch.equal(draw(chain, noise, top_k=1), best)
    assert not torch.equal(draw(chain, noise), best) and torch.equal(draw(chain, noise, top_k=7), draw(chain, noise))
    flat = draw(chain, noise, temperature=100.0)[:, 0].bincount(minlength=7)
    assert (flat[[END, 5, 6]] > 70).all()  # nearly a third each
    for bad in ({"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": 0}):
        with pytest.raises(UsageError, match=next(iter(bad))):
            draw(chain, noise, **bad)


def test_texts_go_on_from_a_prefix():
    chain, prefix = Chain(), torch.tensor([[5, 6]]).expand(200, 2)
    texts = draw(chain, uniform(200, 4, seed=0), prefix=prefix)
    assert torch.equal(texts[:, :2], prefix)
    share = texts[:, 2].bincount(minlength=7) / 200
    torch.testing.assert_close(share, chain.probabilities()[6], atol=0.12, rtol=0)
    with pytest.raises(UsageError, match="begin with 2 tokens, but they may have at most 1"):
        greedy(chain, 1, 1, prefix=prefix[:1])


def test_guidance_joins_two_rows_of_each_text():
    chain = Chain()
    rows = []

    def guide(logits):
        conditional, other = logits.chunk(2)
        rows.append(len(logits))
        return other + 2 * (conditional - other)

    prefix = torch.tensor([[5], [5], [6], [6]])  # those by a condition, and those without
    texts = greedy(chain, 2, 3, prefix=prefix, guide=guide)
    logits = chain.table[6] + 2 * (chain.table[5] - chain.table[6])
    logits[list(NEVER)] = float("-inf")
    assert texts[:, 0].tolist() == [5, 5] and texts[:, 1].tolist() == [int(logits.argmax())] * 2 and set(rows) == {4}


def test_tokens_that_are_codes_have_no_end_and_none_is_refused():
    texts = draw(Chain(), uniform(200, 5, seed=0), never=(), end=None)
    assert set(texts.unique().tolist()) == set(range(7))


def test_the_loop_stops_when_all_texts_have_ended():
    chain = Chain()
    chain.table[:, END] = 50.0
    assert greedy(chain, 3, 20).tolist() == [[END] + [PAD] * 19] * 3 and chain.steps == 1
    assert beam(chain, 3, 20, beams=2)[:, 0].tolist() == [END] * 3 and chain.steps < 20


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_texts(penalty):
    chain, length = Chain(spread=2.0), 3
    texts = [
        list(text) if END not in text else list(text[: text.index(END) + 1])
        for text in itertools.product([END, 5, 6], repeat=length)
    ]
    best = max(texts, key=lambda text: float(chain.score(text)) / len(text) ** penalty)
    found = beam(chain, 2, length, beams=20, length_penalty=penalty)
    assert found[0].tolist() == found[1].tolist() == best + [PAD] * (length - len(best))


@pytest.mark.parametrize("backbone", [RecurrentBackbone(width=8), TransformerBackbone(width=8, layers=1, heads=2)])
def test_a_beam_of_one_is_greedy_and_reads_each_row_of_the_memory(backbone):
    torch.manual_seed(1)
    decoder = backbone.decoder(12, 6, memory=4).eval()
    memory, mask = 3 * torch.randn(4, 5, 4), torch.arange(5) < torch.tensor([[5], [3], [4], [1]])
    given = {"memory": memory, "memory_mask": mask}
    with torch.no_grad():
        assert torch.equal(beam(decoder, 4, 6, beams=1, **given), greedy(decoder, 4, 6, **given))
        whole = beam(decoder, 4, 6, beams=3, **given)
        each = [beam(decoder, 1, 6, 3, memory=memory[i : i + 1], memory_mask=mask[i : i + 1]) for i in range(4)]
    assert torch.equal(whole, torch.cat(each))
    with pytest.raises(UsageError, match="beams"):
        beam(decoder, 4, 6, beams=0, **given)

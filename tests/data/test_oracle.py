"""The oracle: its likelihood against one that is written out, and against the texts that it wrote."""

import torch
from conftest import refused
from torch import nn

from lit_gans import OracleLines
from lit_gans.text import BEGIN, END, PAD


def few(**arguments):
    return OracleLines(**{"vocabulary": 30, "length": 5, "hidden": 4, "count": 200, **arguments})


def test_the_likelihood_is_that_of_a_cell_that_is_run_step_by_step():
    data, text = few(), [7, 12, 34, 7, 9]
    network = data.oracle
    cell = nn.LSTMCell(4, 4)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in network.cells.state_dict().items()})
    assert not network.cells.bias_hh_l0.any() and network.tokens.weight.std() > 0.8  # one bias, weights of N(0, 1)
    hidden, total = None, 0.0
    for before, token in zip([BEGIN, *text], text, strict=False):
        hidden = cell(network.tokens.weight[before : before + 1], hidden)
        chances = (network.judge(hidden[0])[0, 5:]).softmax(0)  # the special tokens are never written
        total -= float(chances[token - 5].detach().log())
    torch.testing.assert_close(data.nll(torch.tensor([text])), torch.tensor([total / 5]))


def test_its_own_texts_are_the_likeliest():
    data = few(count=1000)
    own = data.samples("val").values("tokens")
    assert own.shape == (200, 5) and own.min() >= 5 and own.max() < 35
    other = torch.randint(5, 35, own.shape, generator=torch.Generator().manual_seed(0))
    shuffled = own[:, torch.randperm(5, generator=torch.Generator().manual_seed(0))]
    assert data.nll(own).mean() < data.nll(shuffled).mean() < data.nll(other).mean()


def test_a_token_that_it_never_writes_is_dear():
    data = few()
    text = data.samples("val").values("tokens")[:1]
    ended = text.clone()
    ended[0, 3:] = torch.tensor([END, PAD])
    assert float(data.nll(ended)) > float(data.nll(text)) and float(data.nll(ended)) > 2 * 20 / 5


def test_the_seed_makes_oracle_and_texts():
    one, again, other = few(), few(), few(seed=1)
    for split in ("train", "val", "test"):
        assert torch.equal(one.samples(split).values("tokens"), again.samples(split).values("tokens"))
    assert not torch.equal(one.oracle.judge.weight, other.oracle.judge.weight)
    assert not torch.equal(one.samples("val").values("tokens"), one.samples("test").values("tokens"))
    assert one.vocabularies["tokens"].decode(torch.tensor([[5, 34]])) == ["00 29"]
    state = torch.get_rng_state()
    few().oracle  # noqa: B018 - making it leaves the global random state alone
    assert torch.equal(state, torch.get_rng_state())
    refused(lambda: few(vocabulary=1), "vocabulary")

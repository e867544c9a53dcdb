"""Networks that read and write texts keep what their protocol says."""

import pytest
import torch

from lit_gans.errors import UsageError
from lit_gans.networks import RecurrentBackbone, TransformerBackbone
from lit_gans.networks.sequences import reordered
from lit_gans.text import BEGIN, PAD, padding_mask

BACKBONES = [
    RecurrentBackbone(width=8),
    RecurrentBackbone("lstm", width=8, layers=2),
    RecurrentBackbone(width=8, attention=False),
    TransformerBackbone(width=8, layers=2, heads=2),
]
SOURCE = torch.tensor([[5, 6, 7, 2, 0, 0], [8, 5, 9, 6, 6, 2], [2, 0, 0, 0, 0, 0]])
TARGET = torch.tensor([[1, 5, 6, 7, 2], [1, 9, 8, 2, 0], [1, 7, 2, 0, 0]])
each = pytest.mark.parametrize("backbone", BACKBONES, ids=lambda b: f"{type(b).__name__}-{b.layers}")


def networks(backbone, memory=True):
    torch.manual_seed(0)
    encoder = backbone.encoder(11, 6).eval()
    return encoder, backbone.decoder(12, 5, encoder.width if memory else None).eval()


def one_hot(tokens, size):
    return torch.nn.functional.one_hot(tokens, size).float()


def in_steps(decoder, tokens, length, *memory):
    state, logits = decoder.start(len(tokens), length, *memory), []
    for place in tokens.unbind(1):
        written, state = decoder.step(place, state)
        logits.append(written)
    return torch.stack(logits, 1)


@each
@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("graph", [True, False])
def test_steps_give_what_the_whole_text_gives(backbone, memory, graph):
    encoder, decoder = networks(backbone, memory)
    with torch.set_grad_enabled(graph):
        given = (encoder(SOURCE), padding_mask(SOURCE)) if memory else ()
        whole = decoder(TARGET, *given)
        torch.testing.assert_close(in_steps(decoder, TARGET, 5, *given), whole)
        torch.testing.assert_close(in_steps(decoder, one_hot(TARGET, 12), 5, *given), whole)
        torch.testing.assert_close(decoder(one_hot(TARGET, 12), *given), whole)
    assert whole.shape == (3, 5, 12) and encoder(SOURCE).shape == (3, 6, 8)


@each
def test_filling_changes_nothing(backbone):
    encoder, decoder = networks(backbone)
    mask = padding_mask(SOURCE)
    states, alone = encoder(SOURCE), encoder(SOURCE[:1, :4])
    torch.testing.assert_close(states[:1, :4], alone)
    soft = encoder(one_hot(SOURCE, 11), mask)
    torch.testing.assert_close(soft[mask], states[mask])
    written = decoder(TARGET, states, mask)
    torch.testing.assert_close(written[:1], decoder(TARGET[:1], alone, mask[:1, :4]))
    other = states.masked_fill(~mask.unsqueeze(2), 100.0)  # whatever stands where there is nothing
    torch.testing.assert_close(written, decoder(TARGET, other, mask))


@each
def test_a_decoder_does_not_see_what_comes(backbone):
    _, decoder = networks(backbone, memory=False)
    changed = TARGET.clone()
    changed[:, 3:] = 9
    torch.testing.assert_close(decoder(TARGET)[:, :3], decoder(changed)[:, :3])
    assert not torch.allclose(decoder(TARGET)[:, 3:], decoder(changed)[:, 3:])


@each
def test_an_encoder_reads_both_ways(backbone):
    encoder, _ = networks(backbone)
    first, last = SOURCE[1:2].clone(), SOURCE[1:2].clone()
    first[0, 0], last[0, 4] = 10, 10
    plain = encoder(SOURCE[1:2])
    assert not torch.allclose(encoder(first)[:, 5], plain[:, 5])
    assert not torch.allclose(encoder(last)[:, 0], plain[:, 0])


@each
def test_steps_have_a_gradient_and_states_can_change_rows(backbone):
    encoder, decoder = networks(backbone)
    soft = one_hot(TARGET, 12).requires_grad_()
    in_steps(decoder, soft, 5, encoder(SOURCE), padding_mask(SOURCE)).square().sum().backward()
    assert soft.grad is not None and all((row.abs().sum(1) > 0).all() for row in soft.grad)
    with torch.no_grad():
        rows, state = torch.tensor([2, 0, 0]), decoder.start(3, 5, encoder(SOURCE), padding_mask(SOURCE))
        assert all(len(values) == 3 for values in state.values())
        _, state = decoder.step(torch.full((3,), BEGIN), state)
        turned, _ = decoder.step(torch.tensor([7, 5, 5]), reordered(state, rows))
        straight, _ = decoder.step(torch.tensor([5, 9, 7]), state)
        torch.testing.assert_close(turned, straight[rows])


def test_attention_reaches_the_middle_of_a_text_and_its_ends_alone_do_not():
    moved = {}
    for attention in (True, False):
        _, decoder = networks(RecurrentBackbone(width=8, attention=attention))
        memory = torch.randn(1, 5, 8)
        other = memory.clone()
        other[:, 2] += 1
        moved[attention] = not torch.equal(decoder(TARGET[:1], memory), decoder(TARGET[:1], other))
    assert moved == {True: True, False: False}


def test_a_transformer_writes_its_keys_in_place():
    _, decoder = networks(TransformerBackbone(width=8, layers=1, heads=2), memory=False)
    with torch.no_grad():
        state = decoder.start(2, 5)
        keys = state["keys_0"]
        _, after = decoder.step(torch.full((2,), BEGIN), state)
    assert after["keys_0"] is keys and keys.shape == (2, 2, 5, 4)
    assert keys[:, :, 0].abs().sum() > 0 and not keys[:, :, 1:].any()


@each
def test_all_weights_are_used(backbone):
    for memory in (True, False):
        encoder, decoder = networks(backbone, memory)
        states = (encoder(SOURCE), padding_mask(SOURCE)) if memory else ()
        decoder(TARGET, *states).square().sum().backward()
        nets = [encoder, decoder] if memory else [decoder]
        assert all(p.grad is not None for net in nets for p in net.parameters())


def test_bad_options_and_long_texts_are_refused():
    for options, word in (({"width": 10}, "equally"), ({"layers": 0}, "layers"), ({"dropout": 1.0}, "dropout")):
        with pytest.raises(UsageError, match=word):
            TransformerBackbone(**options)
    with pytest.raises(UsageError, match="cell must be gru or lstm, got 'rnn'"):
        RecurrentBackbone("rnn")
    encoder, decoder = networks(TransformerBackbone(width=8, layers=1, heads=2))
    with pytest.raises(UsageError, match="at most 6 tokens, got 7"):
        encoder(torch.full((1, 7), PAD + 5))
    with pytest.raises(UsageError, match="at most 5 tokens, got 6"):
        decoder.start(1, 6)

"""Endings of all beginnings, soft choices, and the networks that judge texts."""

import torch
import torch.nn.functional as F
from torch import nn

from lit_gans.networks import PairDiscriminator, RecurrentBackbone, TextDiscriminator, TransformerBackbone
from lit_gans.networks.generation import NEVER
from lit_gans.networks.rollouts import roll_outs
from lit_gans.networks.soft import soft_draw
from lit_gans.networks.text_critics import filled
from lit_gans.text import BEGIN, END, PAD, padding_mask

DECODERS = [RecurrentBackbone(cell="lstm", width=8), TransformerBackbone(width=8, layers=1, heads=2)]


def made(backbone, vocabulary=9, length=4):
    torch.manual_seed(0)
    decoder = backbone.decoder(vocabulary, length).eval()
    for weights in decoder.parameters():  # far from even: a wrong state shows
        nn.init.normal_(weights, std=1.0)
    return decoder


def begun(texts):
    return torch.cat([torch.full_like(texts[:, :1], BEGIN), texts[:, :-1]], 1)


def test_endings_have_the_probabilities_of_the_decoder():
    """The next token after every beginning, and the one after that, against the decoder's own distribution."""
    for backbone in DECODERS:
        decoder = made(backbone)
        text = torch.tensor([[5, 7, 6, 8]])
        endings = roll_outs(decoder, text, 4000)[0]  # (3, 4000, 4)
        for size in (1, 2, 3):
            assert torch.equal(endings[size - 1, :, :size], text[:, :size].expand(4000, -1))
        refused = torch.tensor(NEVER)
        for size in (1, 2, 3):
            logits = decoder(begun(text))[0, size].index_fill(0, refused, float("-inf"))
            found = endings[size - 1, :, size].bincount(minlength=9) / 4000
            torch.testing.assert_close(found, logits.softmax(0), atol=0.03, rtol=0)
        second = endings[0][endings[0, :, 1] == 7]  # those that went on with the text's own second token
        if len(second) > 500:
            logits = decoder(begun(text))[0, 2].index_fill(0, refused, float("-inf"))
            found = second[:, 2].bincount(minlength=9) / len(second)
            torch.testing.assert_close(found, logits.softmax(0), atol=0.06, rtol=0)


def test_beginnings_are_drawn_on_by_the_same_numbers():
    """A decoder that does not look at what it reads draws the same token at a place, whatever stands before it."""
    decoder = made(DECODERS[0])
    for name, weights in decoder.named_parameters():
        weights.data.mul_(name == "judge.bias")
    decoder.judge.bias.data[END] = -20.0
    endings = roll_outs(decoder, torch.tensor([[5, 7, 6, 8], [8, 8, 8, 8]]), 50)
    assert torch.equal(endings[:, 0, :, 2:], endings[:, 1, :, 2:]) and endings[:, 0, :, 2].unique().numel() > 2
    assert torch.equal(endings[:, 0, :, 3], endings[:, 2, :, 3])


def test_a_text_that_has_ended_keeps_its_end():
    decoder = made(DECODERS[0])
    texts = torch.tensor([[5, END, PAD, PAD], [5, 6, 7, 8]])
    endings = roll_outs(decoder, texts, 50)
    assert (endings[0, 1:] == texts[0]).all()
    ends = endings[0, 0] == END
    behind = ends.cumsum(1) - ends.long() > 0
    assert (endings[0, 0][behind] == PAD).all() and (endings[0, 0][~behind] != PAD).all()


def test_soft_choices_are_texts_and_carry_a_gradient():
    decoder = made(DECODERS[0]).train()
    torch.manual_seed(1)
    weights = soft_draw(decoder, 64, 4)
    tokens = weights.argmax(2)
    torch.testing.assert_close(weights.detach(), F.one_hot(tokens, 9).float())
    assert not torch.isin(tokens[:, 0], torch.tensor([PAD, BEGIN, 3, 4])).any()
    ends = tokens == END
    behind = ends.cumsum(1) - ends.long() > 0
    assert behind.any() and (tokens[behind] == PAD).all() and (tokens[~behind] != PAD).all()
    weights[:, -1, 5].sum().backward()
    assert decoder.tokens.weight.grad[5:].abs().sum() > 0


def test_judges_do_not_see_filling_and_read_soft_tokens_alike():
    texts = torch.tensor([[5, 6, 7, END], [8, END, PAD, PAD]])
    longer = F.pad(texts, (0, 3))
    judge = TextDiscriminator(9, 8).eval()
    torch.testing.assert_close(judge(texts), judge(longer))
    torch.testing.assert_close(judge(texts), judge(F.one_hot(texts, 9).float()))
    assert filled(F.one_hot(texts, 9).float(), 6).argmax(2).tolist() == filled(texts, 6).tolist()

    pairs, source = PairDiscriminator(9, 9).eval(), torch.tensor([[5, 8, END], [6, END, PAD]])
    scores = pairs(source, texts)
    torch.testing.assert_close(scores, pairs(F.pad(source, (0, 4)), longer))
    torch.testing.assert_close(scores, pairs(source, F.one_hot(texts, 9).float(), padding_mask(texts)))
    torch.testing.assert_close(scores[:1], pairs(source[:1], texts[:1]))


def test_the_first_convolution_is_one_over_a_picture_of_joined_embeddings():
    """Its weights, written as a 3x3 convolution over pixels [x_i; y_j], away from the borders."""
    torch.manual_seed(0)
    judge, width = PairDiscriminator(9, 9, width=4), 4
    x, y = torch.randn(1, width, 6), torch.randn(1, width, 5)
    picture = torch.cat([x.unsqueeze(3).expand(-1, -1, -1, 5), y.unsqueeze(2).expand(-1, -1, 6, -1)], 1)
    weight = torch.zeros(width, 2 * width, 3, 3)
    weight[:, :width, :, 1] = judge.rows.weight  # a sum over three columns of one value is one weight
    weight[:, width:, 1, :] = judge.columns.weight
    whole = F.conv2d(picture, weight, judge.rows.bias + judge.columns.bias, padding=1)
    split = judge.rows(x).unsqueeze(3) + judge.columns(y).unsqueeze(2)
    torch.testing.assert_close(whole, split, atol=1e-5, rtol=1e-4)


def test_a_pair_judge_learns_which_translations_are_right():
    """Targets are the sources with every number raised by one; wrong ones have one other number."""
    torch.manual_seed(0)
    judge = PairDiscriminator(15, 16, width=16, dropout=0.0)
    optimizer = torch.optim.Adam(judge.parameters(), lr=5e-3)
    for _ in range(170):
        source = torch.randint(5, 15, (64, 4))
        right = source + 1
        wrong = right.clone()
        wrong[torch.arange(64), torch.randint(4, (64,))] = torch.randint(6, 16, (64,))
        scores = judge(source, right), judge(source, wrong)
        loss = F.softplus(-scores[0]).mean() + F.softplus(scores[1]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((scores[0] > 0).float().mean() + (scores[1] < 0).float().mean()) / 2 > 0.75

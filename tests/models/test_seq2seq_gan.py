"""Seq2SeqGAN: its advantage, its phases from a translator that was trained, and what a judge teaches."""

from functools import partial

import pytest
import torch
from conftest import assert_equal, fit, refused, training_state
from lightning.pytorch import Callback

import lit_gans
from lit_gans import NumberPairs, Seq2Seq, Seq2SeqGAN
from lit_gans.networks import RecurrentBackbone, TransformerBackbone
from lit_gans.optim import Adam

SMALL = RecurrentBackbone(width=8)
PHASES = {"likelihood_steps": 2, "discriminator_steps": 2}


def pairs(**arguments):
    return NumberPairs(
        **{"source": "digits", "count": 40, "largest": 99, "kinds": "cardinal", "batch_size": 8} | arguments
    )


def made(data, **arguments):
    torch.manual_seed(0)
    shapes = {"text_shape": data.text_shape, "source_text_shape": data.source_text_shape}
    return Seq2SeqGAN(**{**shapes, "backbone": SMALL, "width": 8, "scored": 8, **arguments})


def batch_of(data):
    return {name: value for name, value in data.samples("train")[:6].items() if isinstance(value, torch.Tensor)}


def test_the_advantage_is_over_the_likeliest_translation(monkeypatch):
    """A judge that counts a letter: what is drawn is worth more than the likeliest by the letters that it has more."""
    data = pairs()
    model, batch = made(data).eval(), batch_of(data)
    monkeypatch.setattr(model, "judged", lambda batch, tokens, mask: (tokens == 7).sum(1).float() - 2)
    written = torch.randint(5, 9, (6, 5))
    with torch.no_grad():
        found = model.advantage(batch, written)
        likeliest = model.translate_tokens(batch["source"])
    expected = [((tokens == 7).sum(1).float() - 2).sigmoid() for tokens in (written, likeliest)]
    torch.testing.assert_close(found[:, 0], expected[0] - expected[1])


@pytest.mark.parametrize("estimator", ["policy", "gumbel"])
@pytest.mark.parametrize("backbone", [SMALL, TransformerBackbone(width=8, layers=1, heads=2)], ids=str)
def test_resume_is_exact_over_the_phases(tmp_path, estimator, backbone):
    def parts():
        data = pairs()
        return made(data, **PHASES, estimator=estimator, backbone=backbone), data

    straight = fit(tmp_path / "straight", *parts(), max_steps=6)
    fit(tmp_path / "first", *parts(), max_steps=5)
    torch.manual_seed(99)
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "second", *parts(), max_steps=6, ckpt_path=last)
    assert_equal(training_state(straight), training_state(resumed))


def test_it_begins_from_a_translator(tmp_path):
    data = pairs()
    translator = Seq2Seq(text_shape=data.text_shape, source_text_shape=data.source_text_shape, backbone=SMALL, scored=8)
    fit(tmp_path / "translator", translator, data, max_steps=3)
    start = tmp_path / "translator" / "checkpoints" / "last.ckpt"
    fit(tmp_path / "game", made(data, start=str(start), discriminator_steps=2), pairs(), max_steps=2)
    start.unlink()
    loaded = lit_gans.load(tmp_path / "game" / "checkpoints" / "last.ckpt")
    assert loaded.translate_text(["17", "4"]) == translator.translate_text(["17", "4"])
    assert loaded.translate_text("17", beams=3) == translator.translate_text("17", beams=3)
    refused(lambda: loaded.translate_text("17x"), "17x", "vocabulary")


@pytest.mark.parametrize("estimator", ["policy", "gumbel"])
def test_a_generator_learns_what_the_judge_likes(tmp_path, monkeypatch, estimator):
    """Without a word of maximum likelihood: the judge likes one letter at the beginning."""
    data = pairs()
    liked = data.vocabularies["target"].rows(["e"])[0][0]

    def judged(self, batch, tokens, mask):
        first = tokens[:, 0, liked] if tokens.is_floating_point() else (tokens[:, 0] == liked).float()
        return 8 * first - 4 + 0 * next(self.discriminator.parameters()).sum()

    monkeypatch.setattr(Seq2SeqGAN, "judged", judged)
    rate = partial(Adam, lr=0.02)
    model = made(
        data, likelihood_steps=0, discriminator_steps=0, likelihood=0.0, estimator=estimator, pace=1.0, optimizer=rate
    )
    begun = (model.translate_tokens(batch_of(data)["source"])[:, 0] == liked).float().mean()
    fit(tmp_path, model, data, max_steps=40, limit_val_batches=0)
    tokens = model.translate_tokens(batch_of(data)["source"])
    assert (tokens[:, 0] == liked).float().mean() == 1 > begun


def test_a_validation_scores_translations(tmp_path):
    logged, data = {}, pairs()

    class Watch(Callback):
        def on_validation_end(self, trainer, pl_module):
            logged.update({name: float(value) for name, value in trainer.callback_metrics.items()})

    fit(tmp_path, made(data, **PHASES), data, callbacks=[Watch()], max_steps=5)
    assert {"val/nll", "val/perplexity", "val/bleu", "val/chrf", "val/exact"} <= logged.keys()


def test_what_cannot_be_is_refused():
    data = pairs()
    refused(lambda: Seq2SeqGAN(text_shape=(5, 9)), "source_text_shape")
    refused(lambda: made(data, width=0), "width")
    refused(lambda: made(data, r1=1.0), "r1", "images")

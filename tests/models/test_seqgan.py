"""SeqGAN: its gradient against one that is summed over all texts, its values, its phases and where it begins."""

from functools import partial

import pytest
import torch
from conftest import assert_equal, fit, refused, training_state
from lightning.pytorch import Callback

import lit_gans
from lit_gans import LanguageModel, OracleLines, SeqGAN
from lit_gans.networks import RecurrentBackbone, TransformerBackbone
from lit_gans.optim import Adam, LinearDecay
from lit_gans.text import END, PAD, padding_mask, self_bleu

SMALL = RecurrentBackbone(cell="lstm", width=8)
PHASES = {"likelihood_steps": 3, "discriminator_steps": 2, "generator_every": 2}


def lines(**arguments):
    return OracleLines(**{"vocabulary": 20, "length": 5, "hidden": 4, "count": 40, "batch_size": 8, **arguments})


def made(**arguments):
    torch.manual_seed(0)
    given = {"text_shape": (5, 25), "backbone": SMALL, "filters": 4, "roll_outs": 2, **arguments}
    return SeqGAN(**given)


def all_texts(vocabulary, length):
    """Every text of so many tokens, ends among them, that a decoder can write."""
    words = torch.tensor([END, *range(5, vocabulary)])
    rows = torch.cartesian_prod(*[words] * length)
    behind = (rows == END).cumsum(1) - (rows == END).long() > 0
    return rows.masked_fill(behind, PAD).unique(dim=0)


@pytest.mark.parametrize(
    "backbone", [SMALL, TransformerBackbone(width=8, layers=1, heads=2)], ids=["lstm", "attention"]
)
def test_the_policy_gradient_is_that_of_the_expected_reward(backbone, monkeypatch):
    """The mean over all texts of what one text gives, by their probability, is the gradient of the expectation."""
    model = made(text_shape=(3, 8), backbone=backbone).train()
    texts = all_texts(8, 3)
    rewards = torch.randn(len(texts), 1, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(SeqGAN, "advantage", lambda self, batch, written: rewards[rows])
    rows = torch.arange(len(texts))
    model.generator.eval()
    refused_tokens = torch.tensor([PAD, 1, 3, 4])
    steps = model.logits({}, texts).index_fill(2, refused_tokens, float("-inf")).log_softmax(2)
    mask = padding_mask(texts)
    chances = steps.gather(2, texts.unsqueeze(2)).squeeze(2).masked_fill(~mask, 0).sum(1).exp()
    torch.testing.assert_close(chances.sum(), torch.tensor(1.0))
    expected = torch.autograd.grad(-(chances * rewards[:, 0]).sum(), [*model.generator.parameters()])
    model.generator.train()
    total = 0.0
    for number in range(len(texts)):
        rows = torch.tensor([number])
        term = model.policy({}, texts[rows])["policy"] * mask[number].sum()  # the term is a mean over tokens
        total = total + chances[number].detach() * term
    found = torch.autograd.grad(total, [*model.generator.parameters()])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_a_value_is_the_mean_judgement_of_the_endings(monkeypatch):
    """A judge that likes one word at the last place: what a beginning is worth is the chance of that word."""
    model = made(text_shape=(3, 8), roll_outs=4000)
    monkeypatch.setattr(model.discriminator, "forward", lambda texts: (texts[:, 2] == 6).float())
    texts = torch.tensor([[5, 7, 6], [5, 7, 7]])
    with torch.no_grad():
        model.generator.eval()
        values = model.values(texts)
        steps = model.logits({}, texts).index_fill(2, torch.tensor([PAD, 1, 3, 4]), float("-inf")).softmax(2)
    torch.testing.assert_close(values[:, 2], torch.tensor([1.0, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(values[:, 1], steps[:, 2, 6], atol=0.03, rtol=0)
    torch.testing.assert_close(values[0, 0], values[1, 0], atol=0.03, rtol=0)
    monkeypatch.setattr(SeqGAN, "values", lambda self, written: torch.tensor([[1.0, 3.0, 3.0], [2.0, 1.0, 9.0]]))
    added = torch.tensor([[-0.5, 2.0, 0.0], [0.5, -1.0, 0.0]])  # the second text has ended
    found = model.advantage({}, torch.tensor([[5, 7, 6], [5, END, PAD]]))
    torch.testing.assert_close(found, added / (5.5 / 5) ** 0.5)


class Turns(Callback):
    """Who moved in every batch, and the generator's learning rate and what its optimizer remembers."""

    def __init__(self):
        self.turns, self.rates, self.steps = [], [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.turns.append([player for player in ("discriminator", "generator") if f"{player}/loss" in outputs])
        optimizer = trainer.optimizers[0]
        self.rates.append(round(optimizer.param_groups[0]["lr"], 9))
        state = next(iter(optimizer.state.values()), {})
        self.steps.append(int(state.get("step", 0)))


def test_the_phases(tmp_path):
    watch = Turns()
    model = made(**PHASES, pace=0.1, optimizer=partial(Adam, lr=0.01))
    fit(tmp_path, model, lines(), callbacks=[watch], max_steps=9)
    both = ["discriminator", "generator"]
    assert watch.turns == [["generator"]] * 3 + [["discriminator"]] * 2 + [both, ["discriminator"]] * 2
    assert watch.rates == [0.01] * 5 + [0.001] * 4
    assert watch.steps == [1, 2, 3, 3, 3, 1, 1, 2, 2]  # the game begins with a new memory
    assert int(model.policy_average.n_averaged) == 5


def test_a_schedule_goes_on_at_the_pace_of_the_game(tmp_path):
    watch = Turns()
    model = made(**PHASES, pace=0.1, optimizer=partial(Adam, lr=0.01), scheduler=partial(LinearDecay, steps=10))
    fit(tmp_path, model, lines(), callbacks=[watch], max_steps=8)
    assert watch.rates == pytest.approx([0.009, 0.008, 0.007, 0.006, 0.005, 0.0004, 0.0003, 0.0002])


@pytest.mark.parametrize("estimator", ["policy", "gumbel"])
def test_resume_is_exact_over_the_phases(tmp_path, estimator):
    def parts():
        arguments = {**PHASES, "estimator": estimator, "likelihood": 0.3, "entropy": 0.01, "pace": 0.5}
        return made(**arguments), lines()

    straight = fit(tmp_path / "straight", *parts(), max_steps=9)
    for stop in (2, 4, 6):  # in each phase
        fit(tmp_path / f"first{stop}", *parts(), max_steps=stop)
        torch.manual_seed(99)
        last = tmp_path / f"first{stop}" / "checkpoints" / "last.ckpt"
        resumed = fit(tmp_path / f"second{stop}", *parts(), max_steps=9, ckpt_path=last)
        assert_equal(training_state(straight), training_state(resumed))


def test_likelihood_alone_learns_and_the_mixture_adds_up(tmp_path):
    model = made(likelihood_steps=60, discriminator_steps=0, likelihood=0.5, optimizer=partial(Adam, lr=0.02))
    outputs = []

    class Watch(Callback):
        def on_train_batch_end(self, trainer, pl_module, given, batch, batch_idx):
            outputs.append({name: float(value) for name, value in given.items()})

    fit(tmp_path, model, lines(count=400), callbacks=[Watch()], max_steps=61)
    assert outputs[59]["generator/likelihood"] < outputs[0]["generator/likelihood"] - 0.3
    game = outputs[60]
    assert game["generator/loss"] == pytest.approx(game["generator/policy"] + game["generator/likelihood"], abs=1e-5)
    assert game["generator/likelihood"] == pytest.approx(outputs[59]["generator/likelihood"] / 2, abs=0.3)


def test_it_begins_from_a_language_model_whose_file_is_then_not_needed(tmp_path):
    data = lines()
    language = LanguageModel(text_shape=data.text_shape, backbone=SMALL)
    fit(tmp_path / "language", language, data, max_steps=3)
    start = tmp_path / "language" / "checkpoints" / "last.ckpt"
    model = made(start=str(start), discriminator_steps=2)
    assert model.likelihood_steps == 0 and not model.start.taken
    fit(tmp_path / "game", model, lines(), max_steps=2)  # only the discriminator has moved
    assert torch.equal(model.sample(20, seed=1), language.sample(20, seed=1))
    start.unlink()
    loaded = lit_gans.load(tmp_path / "game" / "checkpoints" / "last.ckpt")
    assert loaded.start.taken and torch.equal(loaded.sample(20, seed=1), language.sample(20, seed=1))
    assert loaded.decode_text(loaded.sample(1, seed=0)) == language.decode_text(language.sample(1, seed=0))
    fit(tmp_path / "on", made(start=str(start), discriminator_steps=2), lines(), max_steps=4,
        ckpt_path=tmp_path / "game" / "checkpoints" / "last.ckpt")  # fmt: skip
    fit(tmp_path / "further", loaded, lines(), max_steps=1)
    gone = made(start=str(start))
    refused(lambda: fit(tmp_path / "gone", gone, lines(), max_steps=1), start)


def test_a_start_that_does_not_fit_is_refused(tmp_path):
    fit(tmp_path, LanguageModel(text_shape=(5, 25), backbone=SMALL), lines(), max_steps=1)
    start = str(tmp_path / "checkpoints" / "last.ckpt")
    wider = made(start=start, backbone=RecurrentBackbone(cell="lstm", width=9))
    refused(lambda: fit(tmp_path / "wider", wider, lines(), max_steps=1), start, "width=8", "LanguageModel")
    other = made(start=start, text_shape=(5, 26))
    refused(lambda: fit(tmp_path / "other", other, lines(vocabulary=21), max_steps=1), "vocabulary")


def test_a_validation_measures_three_things_together(tmp_path):
    for model in (made(**PHASES), LanguageModel(text_shape=(5, 25), backbone=SMALL)):
        logged, data = {}, lines()

        class Watch(Callback):
            def on_validation_end(self, trainer, pl_module, logged=logged):
                logged.update({name: float(value) for name, value in trainer.callback_metrics.items()})

        fit(tmp_path / type(model).__name__, model, data, callbacks=[Watch()], max_steps=5)
        tokens, held_out = model.sample(500, seed=0), data.samples("val").values("tokens")
        assert logged["val/nll_oracle"] == pytest.approx(float(data.nll(tokens).mean()), abs=1e-4)
        assert logged["val/self_bleu"] == pytest.approx(self_bleu(tokens), abs=1e-4)
        assert logged["val/nll"] == pytest.approx(-float(model.log_likelihoods({"tokens": held_out}).mean()), abs=1e-4)


def test_what_cannot_be_is_refused():
    refused(lambda: SeqGAN(), "SeqGAN", "text_shape")
    refused(lambda: made(estimator="magic"), "estimator", "'magic'")
    refused(lambda: made(likelihood=1.0), "likelihood", "1.0")
    refused(lambda: made(pace=0), "pace")
    refused(lambda: made(r1=1.0), "r1", "images")
    refused(lambda: made(augment="color"), "augment", "images")
    refused(lambda: made(roll_outs=0), "roll_outs")
    refused(lambda: made(backbone="LSTM"), "backbone")


def test_an_ending_may_be_longer_than_the_texts_of_the_batch():
    """What a beginning is worth must not depend on how long the other texts of its batch have become."""
    model = made(text_shape=(6, 8), roll_outs=20).eval()
    texts, found = torch.tensor([[5, 6, END], [7, END, PAD]]), []
    for length in (3, 6):
        torch.manual_seed(1)
        with torch.no_grad():
            found.append(model.values(torch.nn.functional.pad(texts, (0, length - 3), value=PAD)))
    assert found[0].shape == (2, 3)
    torch.testing.assert_close(found[0], found[1][:, :3])

"""Models that learn texts by maximum likelihood: what they minimise, measure, draw and translate."""

import math
from functools import partial

import pytest
import torch
from conftest import assert_equal, fit, refused, trainer, training_state
from lightning.pytorch import Callback

import lit_gans
from lit_gans import LanguageModel, NumberPairs, Seq2Seq, TextLines, TextPairs
from lit_gans.networks import RecurrentBackbone, TransformerBackbone
from lit_gans.optim import TextAdam
from lit_gans.text import BEGIN, END, PAD, Vocabulary, translation_scores

COLOURS, THINGS = ("red", "blue", "green"), ("cup", "hat", "key", "door")
LINES = [f"{size} {colour} {thing}" for size in ("a", "one") for colour in COLOURS for thing in THINGS]
RECURRENT, TRANSFORMER = RecurrentBackbone(width=8, dropout=0.0), TransformerBackbone(width=8, layers=1, heads=2)
BACKBONES = [RECURRENT, RecurrentBackbone("lstm", width=8, attention=False), TRANSFORMER]
QUICK = {"ema_decay": 0.5, "scheduler": None, "optimizer": partial(TextAdam, lr=0.01)}
each = pytest.mark.parametrize("backbone", BACKBONES, ids=lambda b: f"{type(b).__name__}-{b.dropout}")


def lines(folder, times=4, **options):
    (folder / "lines.txt").write_text("\n".join(LINES * times))
    return TextLines(str(folder / "lines.txt"), **{"batch_size": 8, "val_size": 2, "test_size": 2, **options})


def pairs(**options):
    return NumberPairs(
        "digits", "en", **{"count": 40, "largest": 99, "kinds": ["cardinal"], "batch_size": 4, **options}
    )


def model_for(data, backbone=RECURRENT, cls=None, **options):
    torch.manual_seed(0)
    cls = cls or (Seq2Seq if data.source_text_shape else LanguageModel)
    shapes = {"text_shape": data.text_shape, "source_text_shape": data.source_text_shape}
    model = cls(**shapes, backbone=backbone, **options)
    model.vocabularies.update(data.vocabularies)
    return model


def validated(model, data, folder, **options):
    return trainer(folder, **options).validate(model, datamodule=data, verbose=False)[0]


# -------------------------------------------------------------------- likelihood


@each
def test_the_loss_is_the_mean_over_tokens_and_not_over_filling(tmp_path, backbone):
    data = lines(tmp_path)
    model = model_for(data, backbone).eval()
    short, long = torch.tensor([[5, END, PAD, PAD]]), torch.tensor([[6, 7, 8, END]])
    losses = [float(model.loss({"tokens": tokens})["nll"]) for tokens in (short[:, :2], long)]
    both = model.loss({"tokens": torch.cat([short, long])})["nll"]
    assert float(both) == pytest.approx((2 * losses[0] + 4 * losses[1]) / 6, rel=1e-5)
    logits = model.generator(torch.tensor([[BEGIN, 5]]))
    first = -logits.log_softmax(2)[0, [0, 1], [5, END]].mean()
    assert losses[0] == pytest.approx(float(first), rel=1e-5)


def test_label_smoothing_asks_for_all_tokens_a_little(tmp_path):
    data = lines(tmp_path)
    plain, smooth = (model_for(data, label_smoothing=share) for share in (0.0, 0.3))
    tokens = torch.tensor([[5, 6, END]])
    steps = plain.generator(torch.tensor([[BEGIN, 5, 6]])).log_softmax(2)
    expected = 0.7 * plain.loss({"tokens": tokens})["nll"] - 0.3 * steps.mean()
    torch.testing.assert_close(smooth.loss({"tokens": tokens})["nll"], expected)
    refused(lambda: model_for(data, label_smoothing=1.0), "label_smoothing", "1.0")


@pytest.mark.parametrize("batch_size", [2, 6])
def test_perplexity_is_over_all_tokens_of_all_batches(tmp_path, batch_size):
    (tmp_path / "lines.txt").write_text("a red cup on one blue hat\n" * 3)
    (tmp_path / "val.txt").write_text("a\na red cup\none blue hat on a red cup\n" * 2)
    held_out = str(tmp_path / "val.txt")
    data = TextLines(
        str(tmp_path / "lines.txt"), val_path=held_out, test_path=held_out, length=9, batch_size=batch_size
    )
    model = model_for(data)
    found = validated(model, data, tmp_path)
    sums = [model.log_likelihoods({"tokens": row["tokens"]}) for row in data.val_dataloader()]
    counts = [int((row["tokens"] != PAD).sum()) for row in data.val_dataloader()]
    nll = -float(sum(each.sum() for each in sums)) / sum(counts)
    assert found["val/nll"] == pytest.approx(nll, rel=1e-5)
    assert found["val/perplexity"] == pytest.approx(math.exp(nll), rel=1e-5)


def test_a_language_model_learns_its_language(tmp_path):
    data = lines(tmp_path, 20)
    model = model_for(data, RecurrentBackbone("lstm", width=24, dropout=0.0), **QUICK)
    fit(tmp_path, model, data, max_steps=60)
    assert validated(model, data, tmp_path)["val/perplexity"] < 3  # 24^(1/4) = 2.2 if all are equally likely
    texts = model.decode_text(model.sample(40, seed=0))
    assert sum(text in LINES for text in texts) >= 36 and len(set(texts)) >= 6
    begun = model.decode_text(model.sample(10, seed=0, text="a blue"))
    assert all(text.startswith("a blue") for text in begun) and set(begun) & set(LINES)
    assert len(set(model.decode_text(model.sample(10, seed=0, temperature=0)))) == 1


# -------------------------------------------------------------------- drawing


def test_samples_are_repeatable_whatever_their_number(tmp_path):
    model = model_for(lines(tmp_path))
    texts = model.sample(5, seed=3)
    assert texts.shape == (5, *model.shape) and texts.dtype == torch.long and texts.max() < model.sizes()[1]
    assert torch.equal(texts, model.sample(5, seed=3)) and not torch.equal(texts, model.sample(5, seed=4))
    noise = model.rows(5, seed=3)["noise"]
    assert torch.equal(texts, model.sample(noise=noise)) and torch.equal(texts[2:], model.sample(noise=noise[2:]))
    with lit_gans.networks.base.at_once(2):
        assert torch.equal(texts, model.sample(5, seed=3))
    assert model.sample(0).shape == (0, *model.shape)


def test_beginnings_may_differ_by_text_and_length(tmp_path):
    model = model_for(lines(tmp_path))
    begun = ["a", "one blue hat", "a red"]
    texts = model.decode_text(model.sample(3, seed=0, text=begun))
    assert all(f"{text} ".startswith(f"{start} ") for text, start in zip(texts, begun, strict=True))
    refused(lambda: model.sample(3, text=["a", "one"]), "3 texts", "2")
    refused(lambda: model.sample(2, text="a grey"), "'grey'", "vocabulary")
    refused(lambda: model.sample(2, text="a red cup a red cup"), "may have 3 tokens")
    refused(lambda: model.sample(2, text=""), "not empty")
    refused(lambda: model.sample(2, noise=torch.rand(2, 9)), "(n, 4)", "(2, 9)")
    refused(lambda: LanguageModel(), "text_shape=(length, vocabulary)")


# -------------------------------------------------------------------- translation


@each
def test_translations_do_not_depend_on_their_neighbours(backbone):
    model = model_for(pairs(), backbone)
    texts = ["7", "12", "95", "3"]
    together = model.translate_text(texts)
    assert together == [model.translate_text(text)[0] for text in texts] and len(together) == 4
    with lit_gans.networks.base.at_once(3):
        assert together == model.translate_text(texts)
        beams = model.translate_text(texts, beams=3)
    assert beams == [model.translate_text(text, beams=3)[0] for text in texts]
    for wrong, parts in (("", "not empty"), ("x", "'x'"), ("1" * 40, "tokens")):
        refused(lambda text=wrong: model.translate_text(text), parts)
    refused(lambda: model.translate_text("7", beams=0), "beams must be at least 1")


@pytest.mark.parametrize("backbone", [RecurrentBackbone(width=24, dropout=0.0), TransformerBackbone(24, 1, 2, 0.0)])
def test_a_translation_is_learned(tmp_path, backbone):
    turned = [" ".join(reversed(text.split())) for text in LINES]
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in zip(LINES, turned, strict=True)))
    data = TextPairs(str(tmp_path / "pairs.tsv"), batch_size=8, val_size=2, test_size=2)
    model = model_for(data, backbone, **QUICK)
    fit(tmp_path, model, data, max_steps=60, limit_val_batches=0)
    found = model.translate_text(LINES)
    assert sum(a == b for a, b in zip(found, turned, strict=True)) >= 20


class Texts(Callback):
    def __init__(self):
        self.shown = []

    def on_validation_batch_end(self, trainer, pl_module, outputs, *rest):
        self.shown.append(outputs.get("texts"))


def test_a_validation_translates_some_sentences_and_scores_them_all_together(tmp_path):
    data, watch = pairs(count=100, largest=999), Texts()
    model = model_for(data, scored=6)
    texts = data.samples("val")[:]
    found = validated(model, data, tmp_path, callbacks=[watch])
    assert [len(shown["translation"]) if shown else 0 for shown in watch.shown] == [4, 2, 0]
    assert {**watch.shown[0], "translation": None} == {
        "source": texts["source_text"][:4],
        "target": texts["target_text"][:4],
        "translation": None,
    }
    expected = translation_scores(model.translate_text(texts["source_text"][:6]), texts["target_text"][:6], True)
    assert {f"val/{name}": pytest.approx(score) for name, score in expected.items()}.items() <= found.items()
    again = validated(model, data, tmp_path)
    assert again == found  # nothing is left of the validation before
    assert "val/bleu" not in validated(model_for(data, scored=0), data, tmp_path)


def test_scores_of_translations():
    scores = translation_scores(["zwei und drei", "neun "], ["zwei und drei", "neun"], True)
    assert scores == {"bleu": pytest.approx(100), "chrf": pytest.approx(100), "exact": 100.0}
    wrong = translation_scores(["zwei und drei und vier", "acht"], ["zwei und drei und fünf", "neun"])
    assert wrong["exact"] == 0 and 0 < wrong["bleu"] < 90 and 0 < wrong["chrf"] < 90
    assert (
        translation_scores(["abcd efgh"], ["abcdefgh"], True)["bleu"]
        > translation_scores(["abcd e"], ["abcde"])["bleu"]
    )
    assert translation_scores([], []) == {}
    kinds = {
        kind: Vocabulary.learn(["one, two two"], kind).of_characters for kind in ("words", "subwords", "characters")
    }
    assert kinds == {"words": False, "subwords": False, "characters": True}


# -------------------------------------------------------------------- runs


@pytest.mark.parametrize("kind", ["lines", "pairs"])
def test_a_run_goes_on_bit_for_bit_and_its_checkpoint_is_enough(tmp_path, kind):
    def data():
        return lines(tmp_path) if kind == "lines" else pairs()

    def model():
        return model_for(data(), RecurrentBackbone(width=8, dropout=0.3))  # dropout draws, too

    whole = fit(tmp_path / "whole", model(), data(), max_steps=7, limit_val_batches=1)
    fit(tmp_path / "part", model(), data(), max_steps=3, limit_val_batches=1)
    last = tmp_path / "part" / "checkpoints" / "last.ckpt"
    rest = fit(tmp_path / "part", model(), data(), ckpt_path=last, max_steps=7, limit_val_batches=1)
    assert_equal(training_state(rest), training_state(whole))
    trained, loaded = model(), lit_gans.load(last)
    trained.load_state_dict(rest["state_dict"])
    trained.on_load_checkpoint(rest)
    if kind == "lines":
        assert torch.equal(loaded.sample(3, seed=0), trained.sample(3, seed=0))
    else:
        assert loaded.translate_text(["12", "7"], beams=2) == trained.translate_text(["12", "7"], beams=2)
    assert loaded.backbone == RecurrentBackbone(width=8, dropout=0.3)


@each
def test_bfloat16(tmp_path, backbone):
    data = pairs()
    model = model_for(data, backbone)
    fit(tmp_path, model, data, precision="bf16-mixed", max_steps=2, limit_val_batches=1)
    assert len(model.bfloat16().translate_text(["12"], beams=2)) == 1
    language = model_for(lines(tmp_path), backbone).bfloat16()
    assert language.sample(3, seed=0).dtype == torch.long


def test_the_averages_are_used(tmp_path):
    data = pairs()
    model = model_for(data, ema_decay=0.5)
    fit(tmp_path, model, data, max_steps=2, limit_val_batches=0)
    batch = next(iter(data.val_dataloader()))
    averaged = model.log_likelihoods(batch)
    model.reset_average()
    assert not torch.equal(averaged, model.log_likelihoods(batch))


def test_rates_rise_and_fall():
    model = LanguageModel(text_shape=(4, 9), backbone=RECURRENT)
    made = model.configure_optimizers()
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(1600):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(2e-3 / 400) and max(rates) == rates[399] == pytest.approx(2e-3)
    assert rates[-1] == pytest.approx(1e-3) and optimizer.param_groups[0]["betas"] == (0.9, 0.98)
    refused(lambda: lit_gans.optim.WarmUp(optimizer, steps=0), "steps=0")

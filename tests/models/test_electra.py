"""ELECTRA and the masked language model: gaps, guesses, and which tokens were replaced."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import fails, fit, refused, trainer
from lightning.pytorch import Callback
from torch import nn

import lit_gans
from lit_gans import ELECTRA, GrammarLines, MaskedLM
from lit_gans.cli.main import main
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


# -------------------------------------------------------------------- runs and the command line


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint of each model after one epoch, with what its validation logged and showed."""
    data, found = GrammarLines(count=60, batch_size=16), {}
    for cls in (MaskedLM, ELECTRA):
        folder, shown = tmp_path_factory.mktemp(cls.__name__), []

        class Watch(Callback):
            def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
                shown.append(outputs)  # noqa: B023

        torch.manual_seed(0)
        model = cls(text_shape=data.text_shape, backbone=NARROW)
        fit(folder, model, data, callbacks=[Watch()], max_steps=4)
        run = trainer(folder)
        (logged,) = run.validate(model, datamodule=data, verbose=False)
        found[cls.__name__] = folder / "checkpoints" / "last.ckpt", logged, shown[0]["texts"], data
    return found


def test_a_validation_counts_every_token(trained):
    path, logged, shown, data = trained["ELECTRA"]
    model = lit_gans.load(path)
    assert logged.keys() == {f"val/{name}" for name in ("mlm", "mlm_accuracy", "copied", "rtd_accuracy", "rtd_auc")}
    scores, original, guessed = [], [], []
    for number, batch in enumerate(data.val_dataloader()):
        tokens, rng = batch["tokens"], torch.Generator().manual_seed(number)
        chosen = gaps(tokens, 0.15, rng=torch.Generator().manual_seed(number))
        with model.inference_generator() as generator, torch.no_grad():
            logits = generator(chosen.tokens, chosen.places)
        guessed.append((logits[..., 5:].argmax(2) + 5 == tokens.gather(1, chosen.places))[chosen.used])
        replaced = chosen.filled(tokens, draw_tokens(logits, 1.0, rng))
        there = padding_mask(tokens)
        scores.append(model.realness(replaced)[there])
        original.append((replaced == tokens)[there])
    scores, original = torch.cat(scores), torch.cat(original)
    assert logged["val/mlm_accuracy"] == pytest.approx(float(torch.cat(guessed).float().mean()))
    assert logged["val/rtd_accuracy"] == pytest.approx(float(((scores > 0) == original).float().mean()))
    pairs = scores[original][:, None] - scores[~original][None]
    auc = ((pairs > 0).float() + 0.5 * (pairs == 0).float()).mean()
    assert logged["val/rtd_auc"] == pytest.approx(float(auc), abs=0.01)
    assert list(shown) == ["text", "replaced", "found"] and len(shown["text"]) == 6
    assert [*trained["MaskedLM"][2]] == ["text", "with gaps", "guessed"] and "[MASK]" in trained["MaskedLM"][2][
        "with gaps"
    ][0]


def test_a_loaded_model_shares_its_embedding_and_reads_as_before(trained):
    path, _, _, data = trained["ELECTRA"]
    texts = data.texts("train")["tokens"][:6]
    first, second = lit_gans.load(path), lit_gans.load(path)
    assert first.generator.embedding is reader_of_tokens(first.discriminator).tokens
    assert torch.equal(first.encode_texts(texts), second.encode_texts(texts))
    average = first.encode_texts(texts)
    first.discriminator_ema = None
    assert not torch.equal(first.encode_texts(texts), average)
    first.discriminator.load_state_dict(second.discriminator_ema.module.state_dict())
    assert torch.equal(first.encode_texts(texts), average)


@pytest.mark.parametrize("name", ["ELECTRA", "MaskedLM"])
def test_embed_writes_features(name, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path, _, _, data = trained[name]
    texts = data.texts("train")["tokens"][:6]
    (tmp_path / "lines.txt").write_text("\n".join(texts) + "\n", "utf-8")
    main(["embed", str(path), "lines.txt", "--batch_size=2"])
    assert "features of 6 texts, 16 numbers each, in lines.npz" in capsys.readouterr().out
    read = np.load("lines.npz")
    assert read["texts"].tolist() == texts and read["features"].dtype == np.float32
    expected = lit_gans.load(path).encode_texts(texts)
    torch.testing.assert_close(torch.from_numpy(read["features"]), expected)
    assert "is there already" in fails("embed", path, "lines.txt")
    main(["embed", str(path), "lines.txt", "--force"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"the kei is here\n", "'kei'"),
        (b"the key\n\nthe keys\n", "line 2 of lines.txt is empty"),
        (b"", "lines.txt has no text"),
        (b"\xff\xfe", "lines.txt is not text in UTF-8"),
        (b"the " * 60, "shorten it"),
    ],
)
def test_texts_that_cannot_be_embedded_are_one_sentence(content, said, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_bytes(content)
    assert said in fails("embed", trained["ELECTRA"][0], "lines.txt")
    assert not (tmp_path / "lines.npz").exists()


def test_what_does_not_read_texts_is_said(tmp_path, monkeypatch, trained):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("the key\n")
    lit_gans.save(lit_gans.DCGAN(image_shape=(1, 16, 16), backbone=lit_gans.networks.DCGANBackbone(width=4)), "x.ckpt")
    assert "does not give features of texts" in fails("embed", "x.ckpt", "lines.txt")
    assert "must end in .npz" in fails("embed", trained["ELECTRA"][0], "lines.txt", "--output=x.csv")
    assert "cannot be read" in fails("embed", trained["ELECTRA"][0], "other.txt")

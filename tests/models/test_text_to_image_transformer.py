"""The transformer that draws: its terms by hand, lines of words and codes, its samples, and the tokenizer inside it."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from conftest import data_for, fails, fit, refused, small

import lit_gans
from lit_gans import DCGAN, DiscreteVAE, TextToImageTransformer
from lit_gans.cli.main import main
from lit_gans.errors import UsageError
from lit_gans.networks import RecurrentBackbone
from lit_gans.networks.generation import uniform
from lit_gans.optim import Adam
from lit_gans.text import BEGIN, END, PAD

TEXTS = ["a small red one on blue", "a large green zero on white"]


@pytest.fixture
def model():
    """Not trained, but with words; its logits are large, so that what it is told counts."""
    made = small(TextToImageTransformer)
    made.vocabularies["tokens"] = data_for(TextToImageTransformer).vocabularies["tokens"]
    torch.nn.init.normal_(made.generator.judge.weight)
    torch.nn.init.normal_(made.generator.places.tokens.weight)
    made.reset_average()
    return made.eval()


def batch_of(model, n=4):
    rows = model.encode_text([*TEXTS] * (n // 2))
    return {"image": torch.rand(n, *model.image_shape) * 2 - 1, "tokens": rows}


# -------------------------------------------------------------------- the loss


def test_the_loss_by_hand(model):
    model.text_dropout = 0.0
    batch = batch_of(model, 2)
    batch["tokens"][1, 3:] = torch.tensor([END] + [PAD] * (batch["tokens"].shape[1] - 4))
    terms = model.loss(batch)
    codes = model.tokenizer.encode(batch["image"]).flatten(1)
    of_words, of_codes = [], []
    for tokens, own in zip(batch["tokens"], codes, strict=True):
        words = [int(token) for token in tokens if token != PAD]
        filled = words + [END] * (model.length - len(words))
        line = torch.tensor([[BEGIN, *filled, *(own + model.words).tolist()]])
        logits = model.generator(line[:, :-1])[0]
        for place, word in enumerate(words):
            of_words.append(-F.log_softmax(logits[place, : model.words], 0)[word])
        for place, code in enumerate(own):
            of_codes.append(-F.log_softmax(logits[model.length + place, model.words :], 0)[code])
    torch.testing.assert_close(terms["text"], torch.stack(of_words).mean() / 8)
    torch.testing.assert_close(terms["image"], torch.stack(of_codes).mean() * 7 / 8)


def test_a_dropped_caption_is_not_seen_and_not_learned(model):
    batch, other = batch_of(model), batch_of(model)
    other["image"], other["tokens"] = batch["image"], batch["tokens"].flip(0)
    model.text_dropout = 1.0  # more than a user may ask for
    for name in ("text", "image"):
        assert torch.equal(model.loss(batch)[name], model.loss(other)[name])
    assert float(model.loss(batch)["text"].detach()) == 0


def test_the_tokenizer_stays_as_it_is(model, tmp_path):
    before = {name: value.clone() for name, value in model.tokenizer.state_dict().items()}
    fit(tmp_path, model, data_for(TextToImageTransformer), max_steps=3)
    assert all(torch.equal(before[name], value) for name, value in model.tokenizer.state_dict().items())
    assert not any(p.requires_grad for p in model.tokenizer.parameters())
    optimizer = model.configure_optimizers()
    optimizer = optimizer["optimizer"] if isinstance(optimizer, dict) else optimizer
    own = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert own == {id(p) for p in model.generator.parameters()}


# -------------------------------------------------------------------- samples


def test_a_sample_is_drawn_by_the_models_own_probabilities(model):
    """Of the first code: as often as the model says, whatever the batch."""
    words = model.filled(model.encode_text(TEXTS[0]))
    with model.inference_generator() as decoder:
        line = torch.cat([torch.full((1, 1), BEGIN), words], 1)
        expected = decoder(line)[0, -1, model.words :].softmax(0)
    seen = model.tokenizer.image_of
    codes = []
    model.tokenizer.image_of = lambda part: (codes.append(part), seen(part))[1]
    model.sample(2000, seed=0, text=TEXTS[0])
    drawn = torch.bincount(torch.cat(codes)[:, 0, 0], minlength=model.tokenizer.codes) / 2000
    torch.testing.assert_close(drawn, expected, atol=0.04, rtol=0)


@pytest.mark.parametrize("options", [{}, {"guidance": 2.5, "top_k": 3, "temperature": 0.8}])
def test_the_cache_changes_nothing(model, options):
    with_cache = model.sample(3, seed=1, text=TEXTS, **options)
    torch.testing.assert_close(model.sample(3, seed=1, text=TEXTS, cache=False, **options), with_cache)


def test_a_row_depends_on_its_own_noise_and_text_alone(model):
    noise = uniform(4, model.places, 0)
    together = model.sample(noise=noise, text=TEXTS)
    alone = [model.sample(noise=noise[k : k + 1], text=TEXTS[k % 2]) for k in range(4)]
    torch.testing.assert_close(torch.cat(alone), together)
    given = model.rows(4, seed=3, text=TEXTS)
    assert torch.equal(model.sample(**given), model.sample(4, seed=3, text=TEXTS))
    assert not torch.equal(together, model.sample(noise=noise, text=TEXTS[::-1]))


def test_temperature_top_k_and_guidance(model):
    likeliest = model.sample(3, seed=1, text=TEXTS[0], temperature=0)
    assert torch.equal(likeliest, model.sample(3, seed=2, text=TEXTS[0], top_k=1))
    assert torch.equal(likeliest[0], likeliest[1])
    assert not torch.equal(likeliest, model.sample(3, seed=1, text=TEXTS[0]))
    # without guidance's pull towards the text, the text does not count
    plain = [model.sample(3, seed=1, text=text, guidance=0) for text in TEXTS]
    assert torch.equal(*plain)
    torch.testing.assert_close(
        model.sample(3, seed=1, text=TEXTS[0], guidance=1.0000001), model.sample(3, seed=1, text=TEXTS[0])
    )


def test_captions_of_training_take_turns(tmp_path):
    model = small(TextToImageTransformer)
    assert model.sample(2, seed=0).shape == (2, 3, 16, 16) and model.captions(2) == []  # nothing is said yet
    data = data_for(TextToImageTransformer)
    fit(tmp_path, model, data, max_steps=2)
    told = model.captions(10)
    assert len(told) == 10 and told[0] == told[8]  # two batches of four
    assert torch.equal(model.sample(10, seed=0), model.sample(10, seed=0, text=told))
    again = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt")
    assert again.captions(3) == told[:3]


def test_predictions_of_two_devices_are_those_of_one(model, monkeypatch):
    """Devices take turns in the batches: a batch has the seed of its number among all of them."""
    monkeypatch.setattr(TextToImageTransformer, "number", lambda self, batch_idx: 2 * batch_idx + 1)
    batch = batch_of(model)
    expected = model.sample(4, seed=7, text=batch["tokens"])
    assert torch.equal(model.predict_step(batch, 3), expected)


def test_a_decoder_of_another_kind_draws_too():
    model = small(TextToImageTransformer, backbone=RecurrentBackbone(width=8, attention=False, dropout=0.0))
    drawn = model.sample(2, seed=0, text=torch.tensor([[5, 6, END]]))
    torch.testing.assert_close(drawn, model.sample(2, seed=0, text=torch.tensor([[5, 6, END]]), cache=False))


def test_what_is_drawn_is_the_averages(tmp_path):
    model = small(TextToImageTransformer, optimizer=partial(Adam, lr=0.3))
    fit(tmp_path, model, data_for(TextToImageTransformer), max_steps=4)
    averaged = model.sample(8, seed=0)
    average, model.generator_ema = model.generator_ema, None
    assert not torch.equal(model.sample(8, seed=0), averaged)
    model.generator.load_state_dict(average.module.state_dict())
    assert torch.equal(model.sample(8, seed=0), averaged)


# -------------------------------------------------------------------- the tokenizer, and bad input


def test_a_checkpoint_holds_its_tokenizer(tmp_path):
    """The file that it came from may go; a checkpoint of this model stands for the tokenizer in it."""
    path, tokenizer = tmp_path / "tokenizer.ckpt", small(DiscreteVAE)
    lit_gans.save(tokenizer, path)
    first = small(TextToImageTransformer, tokenizer=path)
    lit_gans.save(first, tmp_path / "first.ckpt")
    path.unlink()
    loaded = lit_gans.load(tmp_path / "first.ckpt")
    assert torch.equal(loaded.sample(3, seed=0), first.sample(3, seed=0))
    image = torch.rand(2, *tokenizer.shape) * 2 - 1
    assert torch.equal(loaded.tokenizer.reconstruct(image), tokenizer.reconstruct(image))
    second = small(TextToImageTransformer, tokenizer=tmp_path / "first.ckpt")
    assert torch.equal(second.tokenizer.reconstruct(image), tokenizer.reconstruct(image))
    assert all(p.requires_grad for p in tokenizer.generator.parameters())  # a user's own is left alone


def test_what_is_no_tokenizer_is_refused(tmp_path):
    other = tmp_path / "other.ckpt"
    lit_gans.save(small(DCGAN), other)
    refused(lambda: small(TextToImageTransformer, tokenizer=other), other, "DCGAN", "DiscreteVAE")
    refused(lambda: small(TextToImageTransformer, tokenizer=None), "tokenizer", "lit-gans fit")
    refused(lambda: small(TextToImageTransformer, tokenizer=tmp_path / "none.ckpt"), "none.ckpt")
    larger = DiscreteVAE(image_shape=(3, 32, 32), codes=4, width=8)
    refused(lambda: small(TextToImageTransformer, tokenizer=larger), "(3, 32, 32)", "(3, 16, 16)")
    refused(lambda: small(TextToImageTransformer, text_shape=None), "text_shape")
    refused(lambda: small(TextToImageTransformer, text_dropout=1.0), "text_dropout")


def test_what_cannot_be_drawn_is_refused(model):
    with pytest.raises(UsageError, match="'cow' in 'a purple cow'"):
        model.sample(1, text="a purple cow")
    refused(lambda: model.sample(1, text=""), "not empty")
    refused(lambda: model.sample(1, text="a small red one on blue on blue"), "shorten")
    refused(lambda: model.sample(1, text=torch.full((1, 9), 5)), "captions of 7 tokens", "9")
    refused(lambda: model.sample(1, text=TEXTS[0], temperature=-1), "temperature")
    refused(lambda: model.sample(1, text=TEXTS[0], top_k=0), "top_k")
    refused(lambda: model.sample(noise=torch.zeros(2, 3), text=TEXTS[0]), "16 codes")
    refused(lambda: model.interpolate(2, 3), "TextToImageTransformer")


def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    """Two runs, and pictures of a sentence from the second alone."""
    monkeypatch.chdir(tmp_path)
    data = ["--data=CaptionedGlyphs", "--data.size=16", "--data.count=40", "--data.batch_size=8"]
    rest = ["--trainer.max_steps=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    little = ["--model.codes=8", "--model.width=8", "--model.blocks=1"]
    main(["fit", "--model=DiscreteVAE", *little, *data, *rest])
    few = ["--model.backbone=Transformer", "--model.backbone.width=8", "--model.backbone.layers=1"]
    main(["fit", "--model=TextToImageTransformer", "--model.tokenizer=last", *few, *data, *rest])
    (path,) = tmp_path.glob("runs/TextToImage*/version_0/checkpoints/last.ckpt")
    for tokenizer in tmp_path.glob("runs/DiscreteVAE*/version_0/checkpoints/*.ckpt"):
        tokenizer.unlink()
    picture = tmp_path / "drawn.png"
    main(["sample", str(path), "--text", "a small red seven on green", "--count=2", f"--output={picture}"])
    assert picture.is_file()
    assert "tokenizer" in fails("fit", "--model=TextToImageTransformer", *data, *rest)
    larger = ["--data=CaptionedGlyphs", "--data.size=32", "--data.count=40"]
    said = fails("fit", "--model=TextToImageTransformer", f"--model.tokenizer={path}", *few, *larger, *rest)
    assert "(3, 16, 16)" in said and "(3, 32, 32)" in said

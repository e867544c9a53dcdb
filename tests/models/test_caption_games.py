"""Games told a sentence: their equations, their stages, and what they do with words."""

import pytest
import torch
from conftest import assert_equal, data_for, fit, refused, small
from torch import nn

import lit_gans
from lit_gans import DFGAN, GANCLS, StackGAN, UsageError
from lit_gans.families import CaptionGAN
from lit_gans.families.caption import nearest_others
from lit_gans.losses import hinge_discriminator
from lit_gans.models.gancls import halved
from lit_gans.networks import FusionBackbone, SentenceTransformers
from lit_gans.networks.fusion import Affine, FusionBlock
from lit_gans.networks.stacked import ConditioningAugmentation
from lit_gans.networks.wrappers import ConditionalNorm
from lit_gans.penalties import matching_aware

ONE, OTHER = "a small red one on blue", "a large white zero on cyan"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gancls")
    model = small(GANCLS)
    fit(folder, model, data_for(GANCLS), max_steps=3, limit_val_batches=0)
    return model, folder / "checkpoints" / "last.ckpt"


def batch_of(model, texts):
    data = data_for(type(model))
    model._take_vocabularies(data.vocabularies, "test")
    image = torch.rand(len(texts), *model.shape) * 2 - 1
    return model.receive({"image": image, "tokens": model.encode_text(texts)})


# -------------------------------------------------------------------- how players are told


@pytest.mark.parametrize("cls", [GANCLS, StackGAN])
def test_norm_layers_are_told_the_sentence_where_there_are_some(cls):
    """At first they pass over it; in the networks without a norm it stands beside the noise."""
    told, beside = small(cls), small(cls, conditioning="input")
    noise = torch.randn(1, told.noise_size).expand(2, -1)
    text = torch.randn(2, 8)
    for model, same in ((told, True), (beside, False)):
        images = model.generator.eval()(noise, text)[:, 0]
        assert torch.equal(images[0], images[1]) == same
    for norm in (module for module in told.modules() if isinstance(module, ConditionalNorm)):
        nn.init.normal_(norm.shift.weight)
    images = told.generator(noise, text)
    assert not torch.equal(images[0], images[1])
    assert small(cls, backbone=FusionBackbone(width=4)).sample(2, seed=0).shape[0] == 2


def test_norm_layers_that_there_are_not():
    fusion = FusionBackbone(width=4)
    refused(lambda: small(DFGAN, backbone=fusion, conditioning="norm"), "FusionGenerator has none", "'input'")
    refused(
        lambda: small(DFGAN, backbone=fusion, conditioning="both"), "conditioning must be 'input' or 'norm', got 'both'"
    )


def test_the_places_of_a_map_are_judged_alike_before_they_are_judged_together():
    """Features of one place are those of any other, so that a figure may stand anywhere."""
    judge = small(GANCLS).discriminator
    text, seen = torch.randn(1, 8), torch.zeros(1, judge.places, judge.see.in_features)
    assert judge.places > 1
    nn.init.ones_(judge.judge.weight)
    scores = []
    for place in (0, judge.places - 1):
        seen.zero_()[:, place] = 1
        scores.append(judge._score(seen, text))
    torch.testing.assert_close(*scores)


# -------------------------------------------------------------------- equations


@pytest.mark.parametrize(("negatives", "others"), [("any", [2, 0, 1]), ("hard", [1, 0, 0])])
def test_wrong_sentences_are_those_of_other_images(negatives, others):
    model = small(GANCLS, negatives=negatives)
    batch = batch_of(model, [ONE, OTHER, OTHER])
    judge, real = model.discriminator.eval(), batch["image"]
    right, wrong, fooled = model.judged(judge, batch, real, -real)
    text = judge.read(batch["text"])
    torch.testing.assert_close(right, judge(real, text))
    torch.testing.assert_close(fooled, judge(-real, text))
    expected = judge(real, text[others])
    if negatives == "any":
        expected[2] = -1e4  # the sentence of the image before it is its own
    torch.testing.assert_close(wrong, expected)


def test_the_hardest_wrong_sentence_shares_most_words():
    rows = [
        "a small red seven on green",
        "a large blue two on white",
        "a small red three on green",
        "a red small on seven",
    ]
    words = sorted({word for row in rows for word in row.split()})
    tokens = torch.tensor(
        [[5 + words.index(word) for word in row.split()] + [0] * (6 - len(row.split())) for row in rows]
    )
    assert nearest_others(tokens, 5 + len(words)).tolist() == [2, 0, 0, 0]
    assert nearest_others(tokens[:1].repeat(3, 1), 5 + len(words)).tolist() == [0, 0, 0]


def test_negatives_that_there_are_not():
    refused(lambda: small(GANCLS, negatives="soft"), "negatives must be 'hard' or 'any', got 'soft'")


def test_fakes_and_wrong_pairs_count_half_each():
    right, wrong, fooled = torch.tensor([0.5]), torch.tensor([1.0]), torch.tensor([3.0])
    terms = halved(hinge_discriminator(right, fooled), hinge_discriminator(right, wrong))
    assert {name: float(term) for name, term in terms.items()} == {"real": 0.5, "fake": 2.0, "wrong": 1.0}
    model = small(DFGAN, penalty=0.0)
    assert {"penalty", "penalty_every"} <= model.hparams.keys()
    batch = batch_of(model, [ONE, OTHER])
    fake = model.generate(batch)
    assert model.discriminator_loss(batch, fake).keys() == {"real", "fake", "wrong"}


def test_the_matching_aware_penalty_of_a_linear_judge():
    """D = a . x + b . s has the gradients a and b everywhere: (|a|^2 + |b|^2)^3."""
    a, b = torch.tensor([1.0, -1.0]), torch.tensor([0.5])
    value = matching_aware(lambda x, s: x @ a + s @ b, torch.randn(4, 2), torch.randn(4, 1))
    torch.testing.assert_close(value, torch.tensor(2.25**3))
    with torch.autocast("cpu", torch.bfloat16):
        again = matching_aware(lambda x, s: x @ a + s @ b, torch.randn(4, 2), torch.randn(4, 1))
    torch.testing.assert_close(again, torch.tensor(2.25**3))


def test_the_penalty_does_not_train_the_reader_and_refuses_batch_norm():
    from lit_gans.networks import DCGANBackbone

    model = small(DFGAN)
    batch = batch_of(model, [ONE, OTHER])
    text = model.discriminator.read(batch["text"])
    matching_aware(model.discriminator, batch["image"], text).backward()
    assert all(p.grad is None for p in model.discriminator.reader.parameters())
    assert model.discriminator.judge.weight.grad.abs().sum() > 0
    refused(lambda: small(DFGAN, backbone=DCGANBackbone(width=4, discriminator_norm="batch")), "batch norm")


def test_deep_fusion_begins_without_effect_and_then_has_one():
    affine, maps, vector = Affine(3, 4, 8), torch.randn(2, 4, 5, 5), torch.randn(2, 3)
    assert torch.equal(affine(maps, vector), maps)
    block = FusionBlock(4, 2, 3, 8)
    assert block(maps, vector).shape == (2, 2, 10, 10)
    nn.init.normal_(block.affine[3].layers[2].weight)
    assert not torch.allclose(block(maps, vector), block(maps, -vector))


def test_conditioning_augmentation():
    cloud = ConditioningAugmentation(2, 3)
    text = torch.randn(2, 2).repeat_interleave(4000, 0)
    mean, log_variance = cloud.statistics(text)
    drawn = cloud(text)
    torch.testing.assert_close(drawn[:4000].mean(0), mean[0], atol=0.1, rtol=0)
    torch.testing.assert_close(drawn[:4000].var(0).log(), log_variance[0], atol=0.15, rtol=0)
    assert torch.equal(cloud.eval()(text), mean)


def test_the_kl_term_is_a_mean_over_coordinates():
    model = small(StackGAN, kl=3.0)
    nn.init.zeros_(model.generator.augmentations[0].project.weight)
    model.generator.augmentations[0].project.bias.data = torch.tensor([2.0] * 4 + [0.0] * 4)  # N(2, 1) in each
    batch = batch_of(model, [ONE, OTHER])
    fake = {"small": torch.zeros(2, 3, 8, 8), "text": model.generator.read(batch["text"])}
    torch.testing.assert_close(model.generator_loss(batch, fake)["kl"], torch.tensor(3.0 * 2.0))


# -------------------------------------------------------------------- two stages


def test_the_second_stage_begins_as_the_first_enlarged_and_leaves_it_alone(tmp_path):
    model, first = small(StackGAN, stage_one_steps=2), {}
    average = model.generator_ema.module

    def keep(*_):  # samples are the average's, so the second stage learns from its images
        first.update({name: value.clone() for name, value in average.state_dict().items()})

    refined = model.sample(4, seed=0)
    logits = torch.atanh(0.9 * model.sample(4, seed=0, stage=1))
    large = nn.functional.interpolate(logits, scale_factor=2.0, mode="bilinear").tanh()
    torch.testing.assert_close(refined, large)

    class Keep(lit_gans.callbacks.SaveLast):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == 2:
                keep()

    fit(tmp_path, model, data_for(StackGAN), max_steps=5, callbacks=[Keep()], limit_val_batches=0)
    changed = {name.split(".")[0] for name, value in model.generator.named_parameters() if not value.equal(first[name])}
    assert changed == {"refiner", "augmentations"}
    assert model.generator.augmentations[0].project.weight.equal(first["augmentations.0.project.weight"])
    assert model.generator_ema.updates == 3, "the average of the second stage follows as closely as that of the first"
    assert all(value.equal(first[name]) for name, value in average.named_parameters() if name.startswith("first."))
    refused(lambda: model.sample(1, stage=3), "stage must be 1 or 2")
    refused(lambda: small(StackGAN, factor=3), "factor")


def test_sides_that_the_factor_does_not_divide():
    model = small(StackGAN, image_shape=(3, 19, 35))
    assert model.sample(2, seed=0).shape == (2, 3, 19, 35) and model.sample(2, stage=1).shape == (2, 3, 10, 18)
    assert small(StackGAN, image_shape=(3, 32, 32), factor=4).sample(1, stage=1).shape == (1, 3, 8, 8)


# -------------------------------------------------------------------- words


def test_samples_by_text(trained):
    model, _ = trained
    noise = model.draw_noise(2, torch.Generator().manual_seed(0))
    both = model.sample(noise=noise, text=[ONE, OTHER])
    torch.testing.assert_close(both[:1], model.sample(noise=noise[:1], text=ONE))
    assert not torch.allclose(both[1:], model.sample(noise=noise[1:], text=ONE))
    assert len(model.sample(text=[ONE, OTHER, ONE])) == 3 and len(model.sample(text=ONE)) == 64
    rows = model.rows(3, seed=4, text=[ONE, OTHER])
    assert torch.equal(model.sample(**rows), model.sample(3, seed=4, text=[ONE, OTHER]))
    assert not torch.equal(model.sample(2, seed=0, text=ONE, truncation=0.1), model.sample(2, seed=0, text=ONE))


def test_captions_of_training_take_turns_and_are_in_the_checkpoint(trained):
    model, path = trained
    seen = model.captions(13)
    assert seen[0] == seen[12] and len({*seen}) > 1  # three batches of four
    torch.testing.assert_close(model.sample(3, seed=0), model.sample(3, seed=0, text=seen[:3]))
    loaded = lit_gans.load(path)
    assert loaded.captions(13) == seen
    assert_equal(loaded.sample(5, seed=1), model.sample(5, seed=1))
    assert small(GANCLS).captions(3) == []


def test_between_two_sentences(trained):
    model, _ = trained
    images = model.interpolate(2, 5, seed=0, text=ONE, to=OTHER)
    noise = model.draw_noise(2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(images[:, 0], model.sample(noise=noise, text=ONE))
    torch.testing.assert_close(images[:, -1], model.sample(noise=noise, text=OTHER))
    assert model.interpolate(2, 3, seed=0, text=ONE).shape == (2, 3, *model.shape)
    refused(lambda: model.interpolate(2, 3, to=OTHER), "text")
    refused(lambda: model.interpolate(2, 3, text=ONE, label=3), "does not draw by class")


def test_bad_words(trained):
    model, _ = trained
    with pytest.raises(UsageError, match=r"'orange' .* is not in the vocabulary"):
        model.sample(1, text="a small orange one on blue")
    refused(lambda: model.sample(1, text="  "), "not empty")
    refused(lambda: model.sample(1, text=ONE + " on blue on blue"), "tokens")
    refused(lambda: model.sample(1, text=torch.zeros(3)), "conditions")
    refused(lambda: model.sample(1, text=torch.zeros(0, 3, dtype=torch.long)), "sentence")
    refused(lambda: model.invert(torch.zeros(1, *model.shape)), "text")
    refused(lambda: GANCLS(image_shape=(3, 16, 16)), "text_shape")
    refused(lambda: small(lit_gans.DCGAN).conditions("a red one", 1), "draw")


# -------------------------------------------------------------------- a frozen reader


class Letters(nn.Module):
    """Counts letters: a frozen reader that knows every word."""

    def forward(self, texts):
        return torch.tensor([[float(text.count(letter)) for letter in "abcdefgh"] for text in texts])


class Trained(Letters):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, texts):
        return super().forward(texts) * self.scale


@pytest.mark.parametrize("encoder", [Letters, Trained])
def test_a_frozen_reader(encoder, tmp_path):
    model = small(GANCLS, text_encoder=encoder(), text_width=6)
    before = {name: value.clone() for name, value in model.text_encoder.state_dict().items()}
    fit(tmp_path, model, data_for(GANCLS), max_steps=2)
    assert_equal(dict(model.text_encoder.state_dict()), before)
    given = {"text_encoder": encoder()} if encoder is Trained else {}
    loaded = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt", trust="test_caption_games", **given)
    anything = "a badge of cabbage"
    assert torch.equal(loaded.sample(2, seed=0, text=anything), model.sample(2, seed=0, text=anything))
    assert torch.equal(loaded.sample(2, seed=0), model.sample(2, seed=0))


def test_a_reader_that_is_none():
    class One(nn.Module):
        def forward(self, texts):
            return torch.zeros(8)

    refused(lambda: small(GANCLS, text_encoder=One()), "text_encoder", "(N, D)")
    refused(lambda: small(GANCLS, text_encoder="words"), "text_encoder")
    refused(lambda: small(GANCLS, generator=nn.Linear(3, 3), latent_dim=8), "generator")


def test_sentence_transformers_is_asked_for_in_a_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    refused(lambda: small(GANCLS, text_encoder=SentenceTransformers("none")), "pip install sentence-transformers")


def test_every_caption_game_is_one():
    assert all(issubclass(game, CaptionGAN) and game.draws_by_text for game in (GANCLS, DFGAN, StackGAN))

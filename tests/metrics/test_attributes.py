"""What samples show of several attributes, and by which sentences they are drawn for a score."""

import pytest
import torch
from conftest import data_for, few, logged_by, refused, small

from lit_gans import DCGAN, GANCLS, CaptionedGlyphs
from lit_gans.metrics import AttributeReader
from lit_gans.metrics.material import drawn, sentences, shuffled


@pytest.fixture(scope="module")
def reader():
    """Of two attributes of 8x8 images: how light the upper half is, and whether the lower one is striped."""
    return AttributeReader.learn(*pictures(400), epochs=6)


def pictures(count, seed=0):
    rng = torch.Generator().manual_seed(seed)
    light, striped = torch.randint(3, (count,), generator=rng), torch.randint(2, (count,), generator=rng)
    images = 0.1 * torch.randn(count, 1, 8, 8, generator=rng)
    images[:, :, :4] += (light - 1).view(-1, 1, 1, 1) * 0.8
    images[:, :, 4:] += striped.view(-1, 1, 1, 1) * (torch.arange(8) % 2 * 1.6 - 0.8)
    return images.clamp(-1, 1), {"light": light, "striped": striped}


def test_all_attributes_right_at_once(reader):
    images, values = pictures(200, seed=1)
    assert min(reader.score(images, values).values()) > 0.95
    seen = reader.read(images)
    wrong = {"light": (seen["light"] + (torch.arange(200) < 20)) % 3, "striped": seen["striped"].clone()}
    wrong["striped"][10:50] = 1 - wrong["striped"][10:50]
    found = reader.score(images, wrong)
    assert {name: round(share, 4) for name, share in found.items()} == {"light": 0.9, "striped": 0.8, "all": 0.75}


def test_a_rare_value_counts_as_much_where_shares_are_balanced(reader):
    images, _ = pictures(200, seed=1)
    seen = reader.read(images)
    asked = {"light": seen["light"], "striped": torch.zeros(200, dtype=torch.long)}
    asked["striped"][:2] = 1
    right = seen["striped"] == asked["striped"]
    expected = (right[:2].float().mean() + right[2:].float().mean()) / 2
    assert reader.score(images, asked, balanced=True)["striped"] == pytest.approx(float(expected))


def test_bad_attributes(reader):
    images, values = pictures(10)
    refused(lambda: reader.score(images, {"light": values["light"]}), "light, striped")
    refused(lambda: reader.score(images[:0], values), "N = 0")
    refused(lambda: AttributeReader.learn(images, {}), "no attribute")


def test_scores_are_of_samples_by_the_captions_of_the_split(tmp_path):
    data, model = CaptionedGlyphs(size=16, characters="01", count=100, held_out=0.3), small(GANCLS)
    data.setup()
    model._take_vocabularies(data.vocabularies, "test")
    tokens = sentences(model, data, "test", 25)
    captions = data.splits["test"].values("caption")
    order = shuffled(10).tolist()
    assert model.decode_text(tokens) == [captions[order[k % 10]] for k in range(25)]
    (images,) = drawn(model, 25, 0, text=tokens)
    assert torch.equal(images, model.sample(25, seed=0, text=tokens))
    assert sentences(small(DCGAN), data, "test", 5) is None


def test_a_run_is_scored(tmp_path):
    model = small(GANCLS)
    asked, original = [], model.sample

    def sample(*arguments, **options):
        asked.append(options.get("text"))
        return original(*arguments, **options)

    model.sample = sample
    logged = logged_by(tmp_path, few(), model, data_for(GANCLS, count=160, batch_size=40))
    assert "val/swd" in logged or "val/fid" in logged, logged
    assert any(isinstance(text, torch.Tensor) and not text.is_floating_point() for text in asked)

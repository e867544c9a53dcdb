"""The vocabularies of a model: from the data or by hand, kept in checkpoints."""

import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

import lit_gans
from lit_gans import GAN
from lit_gans.errors import UsageError
from lit_gans.text import Vocabulary

WORDS = Vocabulary.learn(["a red seven", "a blue one"])


class Captioned(LightningDataModule):
    """Images with tokens beside them."""

    vocabularies = {"tokens": WORDS}

    def train_dataloader(self):
        rows = [{"image": torch.zeros(1, 4, 4), "tokens": WORDS.encode(["a red one"])[0]} for _ in range(4)]
        return DataLoader(rows, batch_size=2)


def fitted(tmp_path, model, data, **options):
    trainer = Trainer(
        max_steps=options.pop("steps", 1), logger=False, enable_progress_bar=False, default_root_dir=tmp_path
    )
    trainer.fit(model, data, **options)
    return trainer


def small(**arguments):
    return GAN(image_shape=(1, 4, 4), text_shape=(4, len(WORDS)), **arguments)


def test_a_checkpoint_alone_reads_and_writes_texts(tmp_path):
    fitted(tmp_path, small(), Captioned()).save_checkpoint(tmp_path / "a.ckpt")
    model = lit_gans.load(tmp_path / "a.ckpt")
    assert model.vocabularies == {"tokens": WORDS}
    assert model.decode_text(model.encode_text("a red one")) == ["a red one"]


def test_a_resumed_run_refuses_another_vocabulary(tmp_path):
    fitted(tmp_path, small(), Captioned()).save_checkpoint(tmp_path / "a.ckpt")
    other = Captioned()
    other.vocabularies = {"tokens": Vocabulary.learn(["a green two", "a one"])}
    with pytest.raises(UsageError, match="the checkpoint has another vocabulary of 'tokens'"):
        fitted(tmp_path, small(), other, steps=2, ckpt_path=tmp_path / "a.ckpt")
    with pytest.raises(UsageError, match="Captioned has another vocabulary of 'tokens'"):
        fitted(tmp_path, lit_gans.load(tmp_path / "a.ckpt"), other)


def test_a_larger_vocabulary_than_the_model_was_made_for_is_refused(tmp_path):
    model = GAN(image_shape=(1, 4, 4), text_shape=(4, 7))
    with pytest.raises(UsageError, match="has 10 tokens, but this GAN was made for 7"):
        fitted(tmp_path, model, Captioned())


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ([], "reads texts that are not empty"),
        (["  "], "reads texts that are not empty"),
        (["a purple one"], "'purple' in 'a purple one' is not in the vocabulary"),
        (["a red seven one"], "may have 3 tokens here"),
    ],
)
def test_texts_that_a_model_cannot_read_are_refused(texts, says):
    model = small()
    model.vocabularies["tokens"] = WORDS
    with pytest.raises(UsageError, match=says):
        model.encode_text(texts)


def test_a_model_without_a_vocabulary_says_where_it_comes_from():
    with pytest.raises(UsageError, match="does not have a vocabulary of 'tokens'; it gets one from the data"):
        small().encode_text(["a"])

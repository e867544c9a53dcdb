"""Two models of texts with hardly a weight, and their data: what holds for texts is tested by them."""

import torch
from lightning.pytorch import LightningDataModule
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from lit_gans.core.joint import JointModel
from lit_gans.text import BEGIN, END, PAD, Vocabulary, ended, padded

TEXTS = [f"{size} {colour} {thing}" for size in ("a", "one") for colour in ("red", "blue") for thing in ("cup", "hat")]
WORDS = Vocabulary.learn(TEXTS)
GERMAN = {"a": "ein", "one": "ein", "red": "roter", "blue": "blauer", "cup": "becher", "hat": "hut"}
ANSWERS = [" ".join(GERMAN[word] for word in text.split()) for text in TEXTS]
WORTE = Vocabulary.learn(ANSWERS)


class Bigrams(JointModel):
    """Predicts a word from the one before it."""

    draws = True
    needs = ("tokens",)
    subject = "tokens"
    value_range = None
    best_score = ("val/nll", "min")

    def __init__(self, **model):
        super().__init__(**model)
        self.set_generator(nn.Embedding(self.text_shape[1], self.text_shape[1]))

    def nll(self, generator, tokens):
        before = torch.cat([torch.full_like(tokens[:, :1], BEGIN), tokens[:, :-1]], 1)
        return cross_entropy(generator(before).flatten(0, 1), tokens.flatten(), ignore_index=PAD)

    def loss(self, batch):
        return {"nll": self.nll(self.generator, batch["tokens"])}

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        tokens = self.receive(batch)["tokens"]
        with self.inference_generator() as generator:
            self.log(f"{self.stage_name}/nll", self.nll(generator, tokens), batch_size=len(tokens))
        return {}

    @torch.no_grad()
    def sample(self, n=16, *, seed=None, text=None, temperature=1.0):
        rng = torch.Generator().manual_seed(0 if seed is None else seed)
        begun = self.encode_text(text)[0, :-1] if text else torch.empty(0, dtype=torch.long)
        tokens = torch.cat([torch.full((1,), BEGIN), begun.cpu()]).repeat(n, 1)
        with self.inference_generator() as generator:
            for _ in range(self.text_shape[0] - len(begun)):
                logits = generator(tokens[:, -1].to(self.device)).float().cpu()
                logits[:, [PAD, BEGIN, 3, 4]] = -torch.inf
                chances = (logits / temperature).softmax(1)
                tokens = torch.cat([tokens, torch.multinomial(chances, 1, generator=rng)], 1)
        return ended(tokens[:, 1:]).to(self.device)


class Unsaid(Bigrams):
    """Does not say which of its values is best."""

    best_score = None


class WordByWord(JointModel):
    """Translates each word by itself."""

    needs = ("source", "target")
    subject = "target"
    value_range = None
    best_score = ("val/exact", "max")

    def __init__(self, **model):
        super().__init__(**model)
        self.set_generator(nn.Embedding(self.source_text_shape[1], self.text_shape[1]))

    def loss(self, batch):
        logits = self.generator(batch["source"]).flatten(0, 1)
        return {"nll": cross_entropy(logits, batch["target"].flatten(), ignore_index=PAD)}

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        batch = self.receive(batch)
        source, target = (self.decode_text(batch[name], name) for name in ("source", "target"))
        made = self.translate_text(source)
        right = sum(a == b for a, b in zip(made, target, strict=True)) / len(made)
        self.log(f"{self.stage_name}/exact", right, batch_size=len(made))
        return {"texts": {"source": source, "target": target, "translation": made}}

    @torch.no_grad()
    def translate_text(self, texts, *, beams=1):
        source = self.encode_text(texts, "source")
        with self.inference_generator() as generator:
            made = generator(source).argmax(2)
        return self.decode_text(made.masked_fill(source == END, END), "target")


class Lines(LightningDataModule):
    """Every text of the list, several times."""

    text_shape, source_text_shape = (4, len(WORDS)), None
    vocabularies = {"tokens": WORDS}

    def __init__(self, repeats: int = 4, batch_size: int = 8):
        super().__init__()
        self.repeats, self.batch_size = repeats, batch_size

    def rows(self):
        return [{"tokens": row[row != PAD]} for row in WORDS.encode(TEXTS)]

    def train_dataloader(self):
        return DataLoader(self.rows() * self.repeats, batch_size=self.batch_size, collate_fn=_together, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.rows(), batch_size=self.batch_size, collate_fn=_together)

    test_dataloader = predict_dataloader = val_dataloader


class Pairs(Lines):
    """The texts with their translations."""

    text_shape, source_text_shape = (4, len(WORTE)), (4, len(WORDS))
    vocabularies = {"source": WORDS, "target": WORTE}

    def rows(self):
        return [
            {"source": source, "target": target}
            for source, target in zip(WORDS.encode(TEXTS), WORTE.encode(ANSWERS), strict=True)
        ]


def _together(rows):
    return {name: padded([row[name].tolist() for row in rows]) for name in rows[0]}

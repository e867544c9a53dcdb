"""Texts whose true distribution is known: a random network wrote them, and can say how likely any other text is."""

from functools import cached_property

import torch
from torch import Tensor

from lit_gans.data.base import BaseData
from lit_gans.data.samples import Samples
from lit_gans.errors import at_least
from lit_gans.networks.generation import draw, uniform
from lit_gans.networks.recurrent import RecurrentDecoder
from lit_gans.text import BEGIN, SPECIAL, Vocabulary

_STRANGE = -20.0  # log-probability of a token that the oracle never writes, such as the end
_CHUNK = 500  # texts drawn at once: of 5,000 tokens each
_SPLITS = ("train", "val", "test")


class OracleLines(BaseData):
    """Texts that an LSTM with random weights wrote, the test of SeqGAN: how good a text is can be computed exactly.

    Yu et al. 2017, *SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient*, arXiv:1609.05473, section 5.1:
    all weights of the oracle are drawn from N(0, 1), its cells and embeddings have ``hidden`` units. The paper has a
    vocabulary of 5,000, length 20 and 32 units; these defaults take minutes of one core. All texts are of one length,
    and none has an end. Words are numbers.

    `nll` is the measure: by the oracle, of texts of a model. It falls also where a model loses variety, so that it is
    never to be looked at alone.

    Args:
        vocabulary: number of words.
        length: words of a text.
        hidden: units of the oracle.
        count: training texts; a fifth as many are in each of the other splits.
        batch_size: texts a device and batch.
        num_workers: worker processes.
        seed: of the oracle's weights, the texts and their order.

    Raises:
        UsageError: if a number is out of range.

    Examples:
        >>> data = OracleLines(vocabulary=50, length=6, count=100)
        >>> texts = data.samples("val").values("tokens")
        >>> texts.shape, data.text_shape, data.nll(texts).shape
        (torch.Size([20, 6]), (6, 55), torch.Size([20]))
    """

    def __init__(
        self,
        vocabulary: int = 500,
        length: int = 12,
        hidden: int = 16,
        count: int = 10_000,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        at_least(2, vocabulary=vocabulary, length=length)
        at_least(1, hidden=hidden)
        at_least(5, count=count)
        self.vocabulary, self.length, self.hidden, self.count = vocabulary, length, hidden, count

    @cached_property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """Numbers as words, ``000`` to ``499``, in their order."""
        digits = len(str(self.vocabulary - 1))
        return {"tokens": Vocabulary.learn([f"{number:0{digits}}" for number in range(self.vocabulary)])}

    @property
    def text_shape(self) -> tuple[int, int]:
        """(length, vocabulary), with the five special tokens."""
        return self.length, self.vocabulary + len(SPECIAL)

    def facts(self) -> dict[str, str]:
        """Also what wrote the texts."""
        wrote = f"by an LSTM of {self.hidden} units: {self.length} words of {self.vocabulary:,}"
        return {**super().facts(), "tokens": wrote}

    @cached_property
    def oracle(self) -> RecurrentDecoder:
        """The network that wrote the texts, on the CPU."""
        with torch.random.fork_rng(devices=[]):
            network = RecurrentDecoder(self.text_shape[1], self.hidden, cell="lstm")
        rng = torch.Generator().manual_seed(self.seed)
        for name, weights in network.named_parameters():
            one = "bias_hh" not in name  # PyTorch's cells have two biases, whose sum is the one of the paper
            weights.data = torch.randn(weights.shape, generator=rng) * one
        return network.eval().requires_grad_(False)

    def load(self, split: str) -> Samples:
        """The texts of a split, which depend on the seed and the split alone."""
        count = self.count if split == "train" else self.count // 5
        noise = uniform(count, self.length, 3 * self.seed + _SPLITS.index(split) + 1)
        never = range(len(SPECIAL))
        with torch.no_grad():
            parts = [draw(self.oracle, part, never=never, end=None) for part in noise.split(_CHUNK)]
        return Samples({"tokens": torch.cat(parts)})

    @torch.no_grad()
    def nll(self, tokens: Tensor) -> Tensor:
        """The oracle's negative log-likelihood of texts (N, T), in nats a token: (N,).

        A token that it never writes, such as the end, and filling behind it count as e^-20.
        """
        tokens = tokens.cpu()
        found = []
        for part in tokens.split(_CHUNK):
            before = torch.cat([torch.full_like(part[:, :1], BEGIN), part[:, :-1]], 1)
            logits = self.oracle(before)
            logits[..., : len(SPECIAL)] = float("-inf")
            steps = logits.log_softmax(2).gather(2, part.unsqueeze(2)).squeeze(2)
            found.append(-steps.masked_fill(part < len(SPECIAL), _STRANGE).mean(1))
        return torch.cat(found)

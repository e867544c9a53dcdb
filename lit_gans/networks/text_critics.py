"""Networks that say whether a text, or a translation, is real."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.networks.sequences import embedded, mask_of
from lit_gans.text import PAD

_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)  # Yu et al. 2017, appendix: of texts of 20 tokens


class TextDiscriminator(nn.Module):
    """Looks at all windows of a text, keeps what each filter found most of, and mixes it in a highway layer.

    Kim 2014, *Convolutional Neural Networks for Sentence Classification*, arXiv:1408.5882, with the highway of
    Srivastava et al. 2015, arXiv:1505.00387, as in SeqGAN (Yu et al. 2017, arXiv:1609.05473).

    Args:
        vocabulary: number of tokens.
        length: most tokens of a text; shorter ones are filled up to it. Windows have 1 to 10, 15 and 20 tokens,
            those that fit.
        width: size of an embedding.
        filters: filters of each size of window.
        dropout: share of what was found that training leaves out.

    Examples:
        >>> TextDiscriminator(20, length=8)(torch.tensor([[5, 6, 2, 0]])).shape
        torch.Size([1])
    """

    def __init__(self, vocabulary: int, length: int, width: int = 32, filters: int = 64, dropout: float = 0.25) -> None:
        super().__init__()
        self.length = length
        self.tokens = nn.Embedding(vocabulary, width)
        self.windows = nn.ModuleList(nn.Conv1d(width, filters, size) for size in _SIZES if size <= length)
        self.size = filters * len(self.windows)
        self.highway = nn.Linear(self.size, 2 * self.size)
        nn.init.constant_(self.highway.bias[self.size :], -2.0)  # it begins by handing on what it gets
        self.dropout, self.judge = nn.Dropout(dropout), nn.Linear(self.size, 1)

    def features(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T), or weights (N, T, vocabulary), to what was found in them, (N, size)."""
        places = embedded(self.tokens, filled(tokens, self.length)).transpose(1, 2)  # (N, width, length)
        found = torch.cat([F.relu(window(places)).amax(2) for window in self.windows], 1)
        new, gate = self.highway(found).chunk(2, 1)
        gate = gate.sigmoid()
        return self.dropout(gate * F.relu(new) + (1 - gate) * found)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T), or weights (N, T, vocabulary), to scores (N,)."""
        return self.judge(self.features(tokens)).squeeze(1)


class PairDiscriminator(nn.Module):
    """Looks at every pair of a place in the source and a place in the translation, as on a picture.

    Wu et al. 2017, *Adversarial Neural Machine Translation*, arXiv:1704.06933. The pixel (i, j) of the picture joins
    token i of the source and token j of the translation. The first convolution over such a picture is a sum of one
    over the source and one over the translation, which is how it is computed here. Then the picture is halved and
    convolved twice. For each row the best column counts, for each column the best row: a word of one text that nothing
    in the other answers to lowers the mean of these.

    Args:
        source: number of tokens of the source.
        target: number of tokens of the translation.
        width: size of an embedding, and channels.
        dropout: share of what was found that training leaves out.

    Examples:
        >>> source, target = torch.tensor([[5, 6, 2, 0]]), torch.tensor([[7, 8, 9, 2, 0, 0]])
        >>> PairDiscriminator(20, 30)(source, target).shape
        torch.Size([1])
    """

    def __init__(self, source: int, target: int, width: int = 32, dropout: float = 0.1) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(source, width), nn.Embedding(target, width)
        self.rows, self.columns = (nn.Conv1d(width, width, 3, padding=1) for _ in range(2))
        self.pictures = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.judge = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, source: Tensor, target: Tensor, target_mask: Tensor | None = None) -> Tensor:
        """Sources (N, S) and translations (N, T), or weights (N, T, vocabulary) with their mask, to scores (N,)."""
        rows, columns = mask_of(source), mask_of(target, target_mask)
        down = self.rows(self._places(self.source, source, rows)).unsqueeze(3)  # (N, width, S, 1)
        along = self.columns(self._places(self.target, target, columns)).unsqueeze(2)  # (N, width, 1, T)
        picture, seen = F.relu(down + along), rows.unsqueeze(2) & columns.unsqueeze(1)  # (N, width, S, T), (N, S, T)
        for layer in self.pictures:
            picture, seen = _halved(picture, seen)
            picture = F.relu(layer(picture))
        picture = picture * seen.unsqueeze(1)
        found = torch.cat([_mean(picture.amax(3), seen.any(2)), _mean(picture.amax(2), seen.any(1))], 1)
        return self.judge(self.dropout(found)).squeeze(1)

    @staticmethod
    def _places(embedding: nn.Embedding, tokens: Tensor, mask: Tensor) -> Tensor:
        """Embeddings (N, width, T), zero where there is filling."""
        return (embedded(embedding, tokens) * mask.unsqueeze(2)).transpose(1, 2)


def filled(tokens: Tensor, length: int) -> Tensor:
    """Tokens (N, T), or weights (N, T, vocabulary), with ``PAD`` up to the length."""
    missing = max(0, length - tokens.shape[1])
    if not tokens.is_floating_point():
        return F.pad(tokens, (0, missing), value=PAD)
    soft = F.pad(tokens, (0, 0, 0, missing))
    soft[:, tokens.shape[1] :, PAD] = 1
    return soft


def _halved(picture: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """The largest values (N, C, S/2, T/2) of blocks of four, and where there is no filling in all four."""
    picture = F.max_pool2d(picture * seen.unsqueeze(1), 2, ceil_mode=True)
    return picture, F.max_pool2d(seen.unsqueeze(1).float(), 2, ceil_mode=True).squeeze(1) > 0


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean (N, C) of values (N, C, T) over the places of the mask (N, T)."""
    weights = mask.unsqueeze(1).to(values.dtype)
    return (values * weights).sum(2) / weights.sum(2).clamp(min=1)

"""Networks that read a sentence: from tokens to one vector, and players that are told it."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.networks.base import Discriminator, size_of
from lit_gans.networks.sequences import SequenceEncoder, mask_of, mean_state
from lit_gans.networks.wrappers import ConditionalGenerator, Conditioning


class SentenceReader(nn.Module):
    """Reads texts: maps tokens (N, T) to the mean of their states, (N, size), normalised to mean 0 and deviation 1.

    A mean of states is much smaller than the noise, or the features of an image, that it stands beside: without the
    norm both players learn late to use it.

    Args:
        encoder: gives every token a state.
    """

    def __init__(self, encoder: SequenceEncoder) -> None:
        super().__init__()
        self.encoder, self.size = encoder, encoder.width
        self.norm = nn.LayerNorm(encoder.width, elementwise_affine=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) to (N, size); a text without tokens is all zeros."""
        return self.norm(mean_state(self.encoder(tokens), mask_of(tokens)))


class ReadingGenerator(ConditionalGenerator):
    """A generator that is told a sentence: ``generator(noise, generator.read(tokens))``.

    Args:
        reader: maps what is known of a sentence to a vector (N, size): a `SentenceReader` of tokens, or a layer that
            projects the vectors of a frozen encoder.
        generator: a network from noise that is longer by ``size``, or one with norm layers, see `ConditionalGenerator`.
        size: of the reader's vectors.
        conditioning: how the generator is told them.
    """

    def __init__(
        self, reader: nn.Module, generator: nn.Module, size: int, conditioning: Conditioning = "input"
    ) -> None:
        super().__init__(generator, size, conditioning)
        self.reader = reader

    def read(self, text: Tensor) -> Tensor:
        """Tokens (N, T), or the vectors (N, D) of a frozen encoder, to the condition (N, size)."""
        return self.reader(text)


class MatchingDiscriminator(Discriminator):
    """Judges whether an image is real and goes with a sentence: ``discriminator(image, discriminator.read(tokens))``.

    The image's features and the sentence's vector s go through two layers to one score, as in Reed et al. 2016,
    arXiv:1605.05396, figure 2. The first layer sees one place of the image's last map with the sentence, and is the
    same for every place; the second sees all places. To the score comes the inner product f . V s / sqrt(number of
    features), f the sum over the places: with it discriminators find out what belongs together much sooner (Miyato &
    Koyama 2018, arXiv:1802.05637).

    Args:
        reader: as in `ReadingGenerator`; a discriminator has its own.
        discriminator: a network with ``features`` and ``size``, such as `DCGANDiscriminator`; its last layer goes.
        size: of the reader's vectors.
        hidden: units between the two layers.

    Raises:
        UsageError: if the discriminator does not give its features.
    """

    def __init__(self, reader: nn.Module, discriminator: nn.Module, size: int, hidden: int = 256) -> None:
        super().__init__()
        self.places = getattr(discriminator, "places", 1)
        features = size_of(discriminator) // self.places
        self.reader, self.discriminator = reader, cast(Discriminator, discriminator)
        self.discriminator.judge = nn.Identity()  # its place is taken by the layers that see the sentence too
        self.see, self.hear = nn.Linear(features, hidden), nn.Linear(size, hidden, bias=False)
        self.judge = nn.Linear(self.places * hidden, 1)
        self.compare = nn.Linear(size, features, bias=False)

    def read(self, text: Tensor) -> Tensor:
        """Tokens (N, T), or the vectors (N, D) of a frozen encoder, to the condition (N, size)."""
        return self.reader(text)

    def forward(self, image: Tensor, *texts: Tensor) -> Tensor | tuple[Tensor, ...]:  # type: ignore[override]
        """Images (N, C, H, W) with sentences (N, size) to scores (N,); with several sentences, scores for each."""
        seen = self.discriminator.features(image).unflatten(1, (-1, self.places)).transpose(1, 2)
        scores = tuple(self._score(seen, text.to(seen)) for text in texts)
        return scores[0] if len(scores) == 1 else scores

    def _score(self, seen: Tensor, text: Tensor) -> Tensor:
        """Features (N, places, features) and sentences (N, size) to scores (N,)."""
        both = F.leaky_relu(self.see(seen) + self.hear(text).unsqueeze(1), 0.2)  # (N, places, hidden)
        together = (seen.sum(1) * self.compare(text)).sum(1) / (self.places * seen.shape[2]) ** 0.5
        return self.judge(both.flatten(1)).squeeze(1) + together

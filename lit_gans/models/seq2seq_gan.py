"""The game of translations."""

from typing import Any, ClassVar

from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from lit_gans.core.checks import refuse_backbone
from lit_gans.core.game import Batch
from lit_gans.errors import at_least
from lit_gans.families import SequenceGAN, Translating
from lit_gans.networks import PairDiscriminator, SequenceBackbone, SequenceDecoder, TransformerBackbone
from lit_gans.networks.generation import greedy
from lit_gans.optim import TextAdam
from lit_gans.text import padding_mask


class Seq2SeqGAN(Translating, SequenceGAN):
    """A translator that is rewarded for translations which a discriminator, who reads the source too, takes for real.

    Yang, Chen, Wang & Xu 2018, *Improving Neural Machine Translation with Conditional Sequence Generative Adversarial
    Nets*, arXiv:1703.04887; the discriminator is that of Wu et al. 2017, *Adversarial Neural Machine Translation*,
    arXiv:1704.06933.

    The discriminator minimises `-E log D(x, y) - E log(1 - D(x, y'))` for a translation y' that is drawn from the
    generator. The generator minimises `w E [-log p(y|x)] - (1 - w) E A log p(y'|x) - e H(p)`, with w = ``likelihood``
    and the advantage `A = D(x, y') - D(x, greedy translation)` of a whole sentence: better than what it would have
    written anyway (self-critical, Rennie et al. 2017, arXiv:1612.00563).

    Good at: moving a trained translator, without a metric to optimise by. Bad at: beating maximum likelihood by much:
    what its cross-entropy has learned there is little left for a discriminator to see.

    Args:
        backbone: makes encoder and decoder: that of the `Seq2Seq` that it starts from.
        width: of the discriminator's embeddings and channels.
        optimizer: for both players.
        likelihood: share of maximum likelihood, the teacher's part.
        entropy: weight of a bonus for the entropy of the next token.
        pace: factor on the generator's learning rate when the game begins.
        clip_norm: largest norm of a player's gradient.
        scored: how many held-out sentences a validation translates.
        sequence: arguments of `SequenceGAN`: start, likelihood_steps, discriminator_steps, estimator and so on.

    Raises:
        UsageError: if an argument is out of range, or there is no ``text_shape`` or ``source_text_shape``.

    Examples:
        >>> import torch
        >>> backbone = TransformerBackbone(width=8, layers=1, heads=2)
        >>> model = Seq2SeqGAN(source_text_shape=(6, 20), text_shape=(7, 30), backbone=backbone)
        >>> model.translate_tokens(torch.tensor([[5, 6, 2]])).shape
        torch.Size([1, 7])

    Card: docs/models/seq2seq_gan.md; configuration: examples/configs/seq2seq_gan_numbers.yaml.
    """

    default_backbone: ClassVar[SequenceBackbone] = TransformerBackbone()
    alone: ClassVar[int] = 5000

    def __init__(
        self,
        *,
        backbone: SequenceBackbone | None = None,
        width: int = 32,
        optimizer: OptimizerCallable = TextAdam,
        likelihood: float = 0.5,
        entropy: float = 0.01,
        pace: float = 0.05,
        clip_norm: float | None = 1.0,
        scored: int = 500,
        **sequence: Any,
    ) -> None:
        at_least(1, width=width)
        at_least(0, scored=scored)
        refuse_backbone(self, backbone, SequenceBackbone, generator=sequence.get("generator"))
        self.backbone, self.width = backbone or self.default_backbone, width
        shared: dict[str, Any] = {"optimizer": optimizer, "clip_norm": clip_norm}
        super().__init__(likelihood=likelihood, entropy=entropy, pace=pace, **shared, **sequence)
        self.scored = scored

    def make_discriminator(self) -> nn.Module:
        """A picture of both texts."""
        return PairDiscriminator(self.sizes("source")[1], self.sizes("target")[1], self.width)

    def reading(self, generator: nn.Module, batch: Batch) -> tuple[SequenceDecoder, dict[str, Any]]:
        """The decoder, and what the encoder says of the sources."""
        memory, mask = generator.read(batch["source"])  # type: ignore[operator]
        return generator.decoder, {"memory": memory, "memory_mask": mask}  # type: ignore[return-value]

    def judged(self, batch: Batch, tokens: Tensor, mask: Tensor) -> Tensor:
        """Scores (N,) of the translations with their sources."""
        return self.discriminator(batch["source"], tokens, mask)

    def advantage(self, batch: Batch, written: Tensor) -> Tensor:
        """How much likelier to be real each translation is than the likeliest one, (N, 1)."""
        decoder, memory = self.reading(self.generator, batch)
        likeliest = greedy(decoder, len(written), self.room(), **memory)
        scores = [self.judged(batch, tokens, padding_mask(tokens)) for tokens in (written, likeliest)]
        drawn, expected = (values.float().sigmoid() for values in scores)
        return (drawn - expected).unsqueeze(1)

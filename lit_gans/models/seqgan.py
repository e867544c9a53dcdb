"""The game of texts with roll-outs."""

from typing import Any, ClassVar, cast

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from lit_gans.core.checks import refuse_backbone
from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import SequenceGAN, Writing
from lit_gans.losses import Terms
from lit_gans.networks import RecurrentBackbone, SequenceBackbone, SequenceDecoder, TextDiscriminator
from lit_gans.networks.base import evaluating
from lit_gans.networks.rollouts import roll_outs
from lit_gans.networks.text_critics import filled
from lit_gans.optim import ExponentialAverage, TextAdam
from lit_gans.precision import full
from lit_gans.text import padding_mask

_SCORED = 4096  # texts that the discriminator judges at once
_LEAST = 1e-6  # spread of values that all are the same


class SeqGAN(Writing, SequenceGAN):
    """A writer that is rewarded for texts which a discriminator takes for real, token by token.

    Yu, Zhang, Wang & Yu 2017, *SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient*, arXiv:1609.05473.

    The discriminator minimises `-E log D(y) - E log(1 - D(G))`, the generator `-E sum_t A_t log p(y_t | y_<t)`. What a
    beginning is worth, V_t, is the mean logit of D over endings that are drawn from it, by an average of the generator
    that follows it closely, the roll-out policy; what the whole text is worth is D itself. The advantage is what a
    token adds, `A_t = V_t - V_(t-1)`, in units of the batch's spread. The paper takes `A_t = V_t`, of probabilities
    rather than logits, whose gradient is the same in the mean but much noisier: most of it is about the tokens before.

    Good at: texts that are likelier than those of maximum likelihood, at about the same variety, on small sets. Bad at:
    anything large; a lower temperature of a plain language model does much of the same, see the card.

    Args:
        backbone: makes the decoder; the paper's is an LSTM of 32 units.
        roll_outs: endings that each beginning gets; 16 in the paper.
        roll_out_decay: share of the roll-out policy that one update keeps.
        filters: the discriminator's filters of each size.
        discriminator_dropout: share of the discriminator's findings that training leaves out.
        optimizer: for both players.
        generator_every: batches, of the discriminator, for each move of the generator.
        ema_decay: of the averaged generator, whose moves are few here.
        sequence: arguments of `SequenceGAN`: start, likelihood_steps, discriminator_steps, estimator, pace and so on.

    Raises:
        UsageError: if an argument is out of range, or there is no ``text_shape``.

    Examples:
        >>> SeqGAN(text_shape=(6, 20), backbone=RecurrentBackbone("lstm", width=8), filters=4).sample(3, seed=0).shape
        torch.Size([3, 6])

    Card: docs/models/seqgan.md; configuration: examples/configs/seqgan_oracle.yaml.
    """

    default_backbone: ClassVar[SequenceBackbone] = RecurrentBackbone(cell="lstm", width=32, dropout=0.25)

    def __init__(
        self,
        *,
        backbone: SequenceBackbone | None = None,
        roll_outs: int = 4,
        roll_out_decay: float = 0.8,
        filters: int = 64,
        discriminator_dropout: float = 0.25,
        optimizer: OptimizerCallable = TextAdam,
        generator_every: int = 5,
        ema_decay: float = 0.95,
        **sequence: Any,
    ) -> None:
        at_least(1, roll_outs=roll_outs, filters=filters)
        if not 0 <= roll_out_decay < 1:
            raise UsageError(f"roll_out_decay must be in [0, 1), got {roll_out_decay}")
        refuse_backbone(self, backbone, SequenceBackbone, generator=sequence.get("generator"))
        self.backbone = backbone or self.default_backbone
        self.filters, self.discriminator_dropout = filters, discriminator_dropout
        super().__init__(optimizer=optimizer, generator_every=generator_every, ema_decay=ema_decay, **sequence)
        self.roll_outs = roll_outs
        self.policy_average = ExponentialAverage(self.generator, roll_out_decay)

    def make_discriminator(self) -> nn.Module:
        """Windows of all sizes, and a highway."""
        length, vocabulary = self.sizes()
        return TextDiscriminator(vocabulary, length, filters=self.filters, dropout=self.discriminator_dropout)

    def reading(self, generator: nn.Module, batch: Batch) -> tuple[SequenceDecoder, dict[str, Any]]:
        """The generator itself, which writes by nothing."""
        return generator, {}  # type: ignore[return-value]

    def judged(self, batch: Batch, tokens: Tensor, mask: Tensor) -> Tensor:
        """Scores (N,) of the texts."""
        return self.discriminator(tokens)

    def advantage(self, batch: Batch, written: Tensor) -> Tensor:
        """What every token adds to the value of its text, in units of the batch's spread; (N, T)."""
        values, weights = self.values(written), padding_mask(written).float()
        before = torch.cat([values[:, :1].mean(0).expand(len(values), 1), values[:, :-1]], 1)
        added = (values - before) * weights
        return added / ((added.square().sum() / weights.sum()).sqrt() + _LEAST)

    def values(self, written: Tensor) -> Tensor:
        """The mean logit of being real of what each beginning leads to, (N, T); of a whole text its own."""
        length = written.shape[1]
        written = filled(written, self.room())  # endings may be longer than the longest text of the batch
        policy = self.policy_average.following(self.generator)
        with evaluating(policy):
            endings = roll_outs(cast(SequenceDecoder, policy), written, self.roll_outs)  # (N, T - 1, roll-outs, T)
        texts = torch.cat([endings.flatten(0, 2), written])
        scores = full(torch.cat([self.discriminator(part) for part in texts.split(_SCORED)]))
        begun = scores[: -len(written)].view(endings.shape[:3]).mean(2)
        return torch.cat([begun, scores[-len(written) :, None]], 1)[:, :length]

    def generator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The generator's turn, after which the roll-out policy follows it."""
        terms = super().generator_step(batch, fake)
        self.policy_average.update_parameters(self.generator)
        return terms

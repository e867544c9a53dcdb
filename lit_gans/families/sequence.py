"""Games in which a fake is a text: tokens that were chosen one after the other, through which no gradient flows."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.core.game import BaseGAN, Batch, Fake
from lit_gans.core.pace import multiply_rates
from lit_gans.core.start import Start
from lit_gans.errors import UsageError, at_least
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks.base import evaluating
from lit_gans.networks.generation import NEVER, draw, uniform
from lit_gans.networks.sequences import SequenceDecoder, begun
from lit_gans.networks.soft import soft_draw
from lit_gans.precision import full
from lit_gans.text import PAD, lengths, padding_mask

Estimator = Literal["policy", "gumbel"]
_ANNEALED = 0.5  # the temperature that soft choices end at


class SequenceGAN(BaseGAN):
    """A game of texts, in three phases that one run goes through.

    First the generator learns by maximum likelihood, alone, for ``likelihood_steps`` batches; then the discriminator
    learns to tell its texts from real ones, alone, for ``discriminator_steps``; then they play. A choice among tokens
    has no gradient, so the generator learns in one of two ways.

    - ``policy``: REINFORCE (Williams 1992). A token is made more likely by as much as it is better than expected:
      `-E sum_t A_t log p(y_t | y_<t)`. What the advantage A is, a variant says.
    - ``gumbel``: straight-through Gumbel-softmax (Jang et al. 2016, arXiv:1611.01144). The discriminator reads the
      chosen tokens, and its gradient goes to the probabilities as if they had been read. Less noise, some bias; the
      temperature falls from 1 to 0.5 over ``anneal_steps`` batches of the game.

    In the game both may be mixed with maximum likelihood on real texts, which keeps the generator from losing words
    that the discriminator does not miss.

    A family below says what a text is written from, in `reading`, and a variant what is judged and what is better than
    expected, in `judged` and `advantage`.

    Args:
        start: a checkpoint of the same generator that was trained by maximum likelihood: a file, or a folder of a run.
            It is read once, when a new run begins. The checkpoints of this model do not need it.
        likelihood_steps: batches of the first phase; by default none with a ``start``, else the paper's or 2,000.
        discriminator_steps: batches of the second phase.
        estimator: ``policy`` or ``gumbel``.
        likelihood: share of maximum likelihood in the generator's loss during the game, in [0, 1].
        entropy: weight of a bonus for the entropy of the next token, in nats.
        pace: factor on the generator's learning rate when the game begins; its optimizer then forgets what it knew.
        anneal_steps: batches over which the temperature of soft choices falls.
        game: arguments of `BaseGAN`: generator, discriminator, optimizer, generator_every and so on.

    Raises:
        UsageError: if an argument is out of range, or ``r1`` or ``augment`` is given, which are for images.
    """

    subject: ClassVar[str] = "tokens"
    needs: ClassVar[tuple[str, ...]] = ("tokens",)
    value_range: ClassVar[tuple[float, float] | None] = None
    #: batches of the first phase where there is no start
    alone: ClassVar[int] = 2000

    def __init__(
        self,
        *,
        start: str | None = None,
        likelihood_steps: int | None = None,
        discriminator_steps: int = 300,
        estimator: Estimator = "policy",
        likelihood: float = 0.0,
        entropy: float = 0.0,
        pace: float = 1.0,
        anneal_steps: int = 2000,
        **game: Any,
    ) -> None:
        at_least(0, likelihood_steps=likelihood_steps, discriminator_steps=discriminator_steps, entropy=entropy)
        at_least(1, anneal_steps=anneal_steps)
        if estimator not in get_args(Estimator):
            raise UsageError(f"estimator must be 'policy' or 'gumbel', got {estimator!r}")
        if not 0 <= likelihood < 1:
            raise UsageError(f"likelihood is a share in [0, 1); 1 would be no game, got {likelihood}")
        if not pace > 0:
            raise UsageError(f"pace must be positive, got {pace}")
        for name in ("r1", "augment"):
            if game.get(name):
                raise UsageError(f"{name} is for images: tokens of a text cannot be changed a little; leave it out")
        super().__init__(**game)
        self.likelihood_steps = likelihood_steps if likelihood_steps is not None else 0 if start else self.alone
        self.discriminator_steps, self.estimator, self.likelihood = discriminator_steps, estimator, likelihood
        self.entropy, self.pace, self.anneal_steps = entropy, pace, anneal_steps
        self.start = Start(start)
        self._right: Tensor | None = None

    # ---------------------------------------------------------------- a family and a variant write these

    @abstractmethod
    def reading(self, generator: nn.Module, batch: Batch) -> tuple[SequenceDecoder, dict[str, Any]]:
        """The generator's decoder, and what it writes by for this batch: its ``memory`` and ``memory_mask``, if any."""

    @abstractmethod
    def judged(self, batch: Batch, tokens: Tensor, mask: Tensor) -> Tensor:
        """Scores (N,) of texts (N, T) for this batch; in the other estimator they are weights (N, T, vocabulary)."""

    @abstractmethod
    def advantage(self, batch: Batch, written: Tensor) -> Tensor:
        """How much better than expected each token of (N, T) is, (N, T) or (N, 1), without a gradient."""

    # ---------------------------------------------------------------- phases

    @property
    def begins(self) -> int:
        """The number of the batch with which the game begins."""
        return self.likelihood_steps + self.discriminator_steps

    def movers(self) -> tuple[str, ...]:
        """The generator, then the discriminator, then both, the generator once in ``generator_every`` batches."""
        if self.batch_number < self.likelihood_steps:
            return ("generator",)
        since = self.batch_number - self.begins
        return ("discriminator",) if since < 0 or since % self.generator_every else ("discriminator", "generator")

    def on_fit_start(self) -> None:
        """Also takes the weights of the start; by now a checkpoint has said whether that was done before."""
        super().on_fit_start()
        self.start.take(self)

    def generator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The generator's turn; before the first of the game its optimizer begins anew, at the pace of the game."""
        if self.batch_number == self.begins:
            optimizer = self._optimizers()[self.players.index("generator")].optimizer
            optimizer.state.clear()  # moments of gradients of another size
            multiply_rates(optimizer, [config.scheduler for config in self.trainer.lr_scheduler_configs], self.pace)
        return super().generator_step(batch, fake)

    # ---------------------------------------------------------------- texts

    def room(self) -> int:
        """Most tokens of a text that is written."""
        return self.sizes(self.subject)[0]

    def generate(self, batch: Batch) -> Fake:
        """Texts as ``written``, (N, T) tokens; with soft choices also ``weights`` (N, T, vocabulary); no fake at first.

        They have other names than the real texts: their length is another.
        """
        if self.batch_number < self.likelihood_steps:
            return {}
        n = len(batch[self.subject])
        if self.estimator == "gumbel":
            decoder, memory = self.reading(self.generator, batch)
            weights = soft_draw(decoder, n, self.room(), self.temperature(), **memory)
            return {"written": weights.detach().argmax(2), "weights": weights}
        with torch.no_grad(), evaluating(self.generator):
            decoder, memory = self.reading(self.generator, batch)
            return {"written": cut(draw(decoder, uniform(n, self.room()), **memory))}

    def temperature(self) -> float:
        """The temperature of soft choices at this batch."""
        done = min(max(self.batch_number - self.begins, 0) / self.anneal_steps, 1.0)
        return 1.0 + done * (_ANNEALED - 1.0)

    def logits(self, batch: Batch, tokens: Tensor) -> Tensor:
        """The generator's logits (N, T, vocabulary) for each of the tokens (N, T), given those before it."""
        decoder, memory = self.reading(self.generator, batch)
        return decoder(begun(tokens), **memory)

    # ---------------------------------------------------------------- the game

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real texts from written ones."""
        real, written = batch[self.subject], fake["written"]
        scores = self.judged(batch, real, padding_mask(real)), self.judged(batch, written, padding_mask(written))
        self._right = 0.5 * ((scores[0] > 0).float().mean() + (scores[1] < 0).float().mean()).detach()
        return minimax_discriminator(*scores)

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn; also says the share of texts that it judged rightly."""
        terms = super().discriminator_step(batch, fake)
        return terms if self._right is None else {**terms, "state/right": self._right}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Maximum likelihood at first; then the game, by the estimator, mixed with it."""
        if not fake:
            return {"likelihood": self.negative_log_likelihood(batch)}
        if self.estimator == "gumbel":
            mask = padding_mask(fake["written"])
            terms = non_saturating_generator(self.judged(batch, fake["weights"], mask))
        else:
            terms = self.policy(batch, fake["written"])
        if not self.likelihood:
            return terms
        terms = {name: (1 - self.likelihood) * term for name, term in terms.items()}
        return {**terms, "likelihood": self.likelihood * self.negative_log_likelihood(batch)}

    def policy(self, batch: Batch, written: Tensor) -> Terms:
        """REINFORCE: minus the mean, over tokens, of advantage times log-probability; and the bonus for entropy."""
        with torch.no_grad(), evaluating(self.discriminator), evaluating(self.generator):
            advantage = full(self.advantage(batch, written))
        refused = written.new_tensor(list(NEVER))
        with without_dropout(self.generator):  # the texts were drawn without
            logits = full(self.logits(batch, written)).index_fill(2, refused, torch.finfo(torch.float32).min)
        steps, mask = logits.log_softmax(2), padding_mask(written)
        chosen = steps.gather(2, written.unsqueeze(2)).squeeze(2).masked_fill(~mask, 0.0)
        count = mask.sum()
        terms = {"policy": -(advantage * chosen).sum() / count}
        if self.entropy:
            entropy = -(steps.exp() * steps).sum(2)
            terms["entropy"] = -self.entropy * (entropy * mask).sum() / count
        return terms

    def negative_log_likelihood(self, batch: Batch) -> Tensor:
        """The mean over the tokens of real texts, in nats."""
        real = batch[self.subject]
        return F.cross_entropy(full(self.logits(batch, real)).flatten(0, 1), real.flatten(), ignore_index=PAD)


def cut(tokens: Tensor) -> Tensor:
    """Tokens (N, T) without the columns at the end that are filling in every row."""
    return tokens[:, : max(1, int(lengths(tokens).max()))]


@contextmanager
def without_dropout(network: nn.Module) -> Iterator[None]:
    """Puts a network into evaluation mode but for recurrent layers, which on a GPU have a gradient in training only."""
    recurrent = [(module, module.dropout) for module in network.modules() if isinstance(module, nn.RNNBase)]
    with evaluating(network):
        for module, _ in recurrent:
            module.training, module.dropout = True, 0.0
        try:
            yield
        finally:
            for module, dropout in recurrent:
                module.dropout = dropout

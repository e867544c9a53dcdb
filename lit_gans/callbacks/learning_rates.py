"""Learning rates by the names of the players."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LearningRateMonitor as LightningMonitor


class LearningRateMonitor(LightningMonitor):
    """Lightning's ``LearningRateMonitor``, which names rates after players: ``lr-generator``, ``lr-discriminator``.

    Lightning's own does that for scheduled optimizers alone; others it names ``lr-Adam`` and ``lr-Adam-1``. The
    arguments are Lightning's.
    """

    def on_train_start(self, trainer: Trainer, *arguments: Any, **options: Any) -> None:
        """Learns whose optimizers they are."""
        players = getattr(trainer.lightning_module, "players", ())
        together = len(players) != len(trainer.optimizers)  # one optimizer for all networks
        self._players = {} if together else {id(o): p for o, p in zip(trainer.optimizers, players, strict=True)}
        super().on_train_start(trainer, *arguments, **options)

    def _check_duplicates_and_update_name(
        self, optimizer: Any, name: str, seen_optimizers: Any, seen_optimizer_types: Any, lr_scheduler_config: Any
    ) -> list[str]:
        if (player := self._players.get(id(optimizer))) is None:
            return super()._check_duplicates_and_update_name(
                optimizer, name, seen_optimizers, seen_optimizer_types, lr_scheduler_config
            )
        seen_optimizers.append(optimizer)
        groups = optimizer.param_groups
        return [self._add_suffix(f"lr-{player}", groups, number) for number in range(len(groups))]

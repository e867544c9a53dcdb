"""The players of a game: their networks, optimizers and schedules."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_gans.core.checks import refuse_idle, refuse_no_network
from lit_gans.core.generative import GenerativeModel
from lit_gans.core.gradients import parameters_of
from lit_gans.core.reduction import all_reduce_mean, moving_statistics
from lit_gans.errors import UsageError
from lit_gans.losses import Terms

PLAYERS = ("generator", "discriminator")


class Players(GenerativeModel):
    """Makes the networks named in ``players`` by their hooks, and gives each an optimizer and a schedule."""

    discriminator: nn.Module
    players: ClassVar[tuple[str, ...]] = PLAYERS
    #: the term that a schedule on a plateau watches; by default the player's own loss
    plateau: ClassVar[str | None] = None
    #: makes each player's optimizer from its parameters
    optimizer_factories: dict[str, Any]
    #: makes each player's schedule from its optimizer; None for no schedule
    scheduler_factories: dict[str, Any]
    #: when each player's schedule is stepped, in the words of Lightning's dict
    scheduler_options: dict[str, dict[str, Any]]
    _moved: set[str]
    _statistics: list[tuple[nn.Module, str]] | None = None

    def _make_players(self, given: dict[str, nn.Module | None]) -> None:
        """Sets every player to the network that was given, or else to the one that its hook makes."""
        for player in self.players:
            network = given.get(player)
            refuse_no_network(player, network)
            if network is None:
                network = self._hook(f"make_{player}", "its network")()
            if player == "generator":
                self.set_generator(network)
            else:
                setattr(self, player, network)

    def _hook(self, name: str, gives: str) -> Any:
        """A method that a class writes for each of its players.

        Raises:
            UsageError: if it does not.
        """
        if (method := getattr(self, name, None)) is None:
            mine = type(self).__name__
            raise UsageError(
                f"{mine} has the players {', '.join(self.players)}, but no method {name}; write {mine}.{name}, which "
                f"gives {gives}"
            )
        return method

    def make_generator(self) -> nn.Module:
        """The generator that is made where none is given."""
        raise UsageError(f"{type(self).__name__} has no default networks: pass a generator, or write make_generator()")

    def make_discriminator(self) -> nn.Module:
        """The discriminator that is made where none is given."""
        raise UsageError(
            f"{type(self).__name__} has no default networks: pass a discriminator, or write make_discriminator()"
        )

    def configure_optimizers(self) -> Any:
        """One optimizer and, if wanted, one schedule a player, over the parameters that are not frozen by then.

        An override gives the optimizers of all ``players``, in that order. Its schedules are stepped once an epoch, or
        where their ``interval`` is ``step``, once a batch. Every batch counts as one step, however many
        of the optimizers step in it.
        """
        optimizers, schedules = [], []
        for player in self.players:
            pairs = [(name, p) for name, p in getattr(self, player).named_parameters() if p.requires_grad]
            if not pairs:
                raise UsageError(f"the {player} has no parameter that requires a gradient, so it cannot learn")
            optimizer = self.optimizer_factories[player]([p for _, p in pairs], named_parameters=pairs)
            optimizers.append(optimizer)
            if (pace := self.scheduler_factories[player]) is not None:
                own = {"name": f"lr-{player}", **self.scheduler_options[player]}
                schedules.append({**own, "scheduler": pace(optimizer)})
        return optimizers, schedules

    def on_train_start(self) -> None:
        """Also refuses weights that no optimizer would move."""
        super().on_train_start()
        self._moved.clear()
        self._statistics = None  # networks may have changed since the run before
        moved = [parameters_of(optimizer) for optimizer in self._optimizers()]
        for name, parameters in zip(self.players, moved, strict=True):
            own = set(map(id, getattr(self, name).parameters()))
            if not any(id(p) in own for p in parameters):
                raise UsageError(
                    f"configure_optimizers must give the optimizers of {_listed(self.players)}, in that order; the "
                    f"{name}'s has none of its parameters"
                )
        refuse_idle(
            self, [p for parameters in moved for p in parameters], " or ".join(map("the {}".format, self.players))
        )

    def renew(self, player: str = "generator") -> None:
        """Gives a player's new layers to its average and its optimizer; call it after the layers were added."""
        super().renew(player)
        self._statistics = None
        if self._trainer is None or not self.trainer.optimizers:
            return
        optimizer = self.trainer.optimizers[self.players.index(player)]
        trainable = [p for p in getattr(self, player).parameters() if p.requires_grad]
        optimizer.param_groups[0]["params"] = trainable
        for gone in optimizer.state.keys() - set(trainable):
            del optimizer.state[gone]

    def _optimizers(self) -> list[Any]:
        """The optimizers of all players, in the order of ``players``."""
        given = self.optimizers()
        optimizers = given if isinstance(given, list) else [given]
        if len(optimizers) != len(self.players):
            raise UsageError(
                f"configure_optimizers must give {len(self.players)} optimizers, those of {_listed(self.players)}, got "
                f"{len(optimizers)}; put the parameters of a further network into one of them, or name it in players"
            )
        return optimizers

    def _step_schedules(self, terms: Terms) -> None:
        for config in self.trainer.lr_scheduler_configs:
            by_epoch = config.interval == "epoch"  # as in Lightning; the base's own are stepped by the batch
            number = self.trainer.current_epoch if by_epoch else self.batch_number
            if (by_epoch and not self.trainer.is_last_batch) or (number + 1) % config.frequency:
                continue
            if not isinstance(config.scheduler, ReduceLROnPlateau):
                config.scheduler.step()
                continue
            name = config.monitor or self.plateau
            known = terms if name is None or name in terms else {**self.trainer.callback_metrics, **terms}
            if name is not None and name not in known and not by_epoch and self.batch_number == 0:
                raise UsageError(
                    f"a schedule watches {name!r}, which is not a term of a batch: {', '.join(terms)}; set "
                    f"{type(self).__name__}.plateau to one of them"
                )
            watched = known.get(name or f"{str(config.name).removeprefix('lr-')}/loss")
            if watched is not None:
                config.scheduler.step(self._over_devices(watched))

    def _over_devices(self, value: Any) -> Any:
        """The mean of a number over all devices, since schedules must not differ between them."""
        if self.trainer.world_size > 1:
            value = torch.as_tensor(value, device=self.device).detach().float().clone()
            all_reduce_mean([value])
        return value

    @torch.no_grad()
    def _average_batch_statistics(self) -> None:
        """Each device has seen its own part of the batch; all keep the mean of their running statistics."""
        if self._statistics is None:
            self._statistics = moving_statistics(getattr(self, player) for player in self.players)
        all_reduce_mean([module.get_buffer(name) for module, name in self._statistics])


def _listed(players: Sequence[str]) -> str:
    """Names in a sentence."""
    return f"{', '.join(players[:-1])} and {players[-1]}"

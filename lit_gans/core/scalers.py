"""A gradient scaler for each player, in float16."""

from copy import deepcopy
from typing import Any

_OWN = "scalers_of_players"  # an attribute of the plugin, since scales belong to a run


class Scalers:
    """Gives the precision plugin the scaler of the player whose turn it is.

    Gradients of float16 are multiplied by a scale, or they would be rounded to nothing; where they overflow the step is
    left out and the scale is halved. The players' gradients differ by orders of magnitude, a penalty's most of all:
    with one scale for both, the overflow of one would take digits from the other.
    """

    def __init__(self) -> None:
        self._saved: dict[str, dict[str, Any]] = {}

    def take(self, plugin: Any, player: str) -> None:
        """Makes the player's scaler the plugin's, if that has one; a new one begins as the plugin's was."""
        if getattr(plugin, "scaler", None) is None:
            return
        own = vars(plugin).setdefault(_OWN, {})
        if player not in own:
            own[player] = deepcopy(plugin.scaler)
            if player in self._saved:
                own[player].load_state_dict(self._saved.pop(player))
        plugin.scaler = own[player]

    @staticmethod
    def state_dict(plugin: Any) -> dict[str, dict[str, Any]]:
        """The state of every player's scaler; empty where nothing is scaled."""
        return {player: scaler.state_dict() for player, scaler in vars(plugin).get(_OWN, {}).items()}

    def load_state_dict(self, state: dict[str, dict[str, Any]]) -> None:
        """Goes on with saved states from each player's first turn under a plugin."""
        self._saved = dict(state)

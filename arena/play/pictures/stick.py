"""A person's joystick: keys, which a terminal sends once and never takes back, as held actions.

A terminal tells when a key goes down and not when it comes up. So a key counts as held for HOLD_S
after its last press; the repeats that a terminal sends while a key stays down renew it. A second
key that is held meanwhile is combined with the first, as in UPFIRE.
"""

from __future__ import annotations

from collections.abc import Sequence

HOLD_S = 0.25
"""Seconds that a press holds: long enough to join most terminals' repeats, short enough to aim."""

PARTS = {"up": "UP", "down": "DOWN", "left": "LEFT", "right": "RIGHT", "space": "FIRE"}
"""The keys of a joystick, by their names in Textual, and the parts of an action's name."""

OPPOSITES = {"up": "down", "down": "up", "left": "right", "right": "left"}
NOTHING = "NOOP"
ORDER = ("up", "down", "right", "left", "space")  # of the parts in the names of Atari's actions


class Stick:
    """The keys held now, as one action of an environment.

    An environment with an action named NOOP does that while no key is held; another goes on with
    the last action. Digits choose an action by its number, for environments without such names.

    Args:
        action_names: of the environment, in order.
    """

    def __init__(self, action_names: Sequence[str]) -> None:
        self._numbers = {name.upper(): number for number, name in enumerate(action_names)}
        self._held_until: dict[str, float] = {}
        self._new: set[str] = set()  # pressed since the last action
        self._rest = self._numbers.get(NOTHING)
        self._last = 0

    @property
    def known_keys(self) -> list[str]:
        """Return the keys that do something here, by their names in Textual."""
        named = [key for key, part in PARTS.items() if any(part in name for name in self._numbers)]
        return named + [str(number) for number in range(min(10, len(self._numbers)))]

    def press(self, key: str, now: float) -> None:
        """Hold a key until HOLD_S after `now`, seconds; the opposite key is let go.

        A key that does nothing here is ignored.
        """
        if key not in self.known_keys:
            return
        self._held_until.pop(OPPOSITES.get(key, ""), None)
        self._held_until[key] = now + HOLD_S
        self._new.add(key)

    def action(self, now: float) -> int:
        """Return the action of the keys held at `now`, seconds; each press is in one at least."""
        held_until = self._held_until.items()
        self._held_until = {key: end for key, end in held_until if end > now or key in self._new}
        self._new.clear()
        held = self._held_until
        if not held:
            return self._last if self._rest is None else self._rest
        digits = [key for key in held if key.isdecimal()]
        chosen = int(max(digits, key=held.__getitem__)) if digits else self._named(held)
        if chosen is not None:
            self._last = chosen
        return self._last if chosen is not None or self._rest is None else self._rest

    def _named(self, held: dict[str, float]) -> int | None:
        """Return the action with most of the held keys, the newest first where not all fit."""
        newest_first = sorted(held, key=held.__getitem__, reverse=True)
        for count in range(len(newest_first), 0, -1):
            parts = set(newest_first[:count])
            name = "".join(PARTS[key] for key in ORDER if key in parts)
            if name in self._numbers:
                return self._numbers[name]
        return None

"""How a game of Atari is played and scored. Scores of two protocols do not compare.

The name of a protocol travels with the environment and belongs beside every score.
"""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from typing import ClassVar

from envs.settings import NonNegativeInt, PositiveInt, Settings, Share

PROTOCOLS: dict[str, AtariProtocol] = {}  # by name; filled at the end of this file


@dataclass(frozen=True)
class AtariProtocol(Settings):
    """The settings of a protocol; the defaults are those of `nature`.

    One with other values than a named protocol has takes a name of its own.
    """

    table: ClassVar[str] = "protocol"

    name: str = "nature"
    noop_max: NonNegativeInt = 30
    """A game starts after 0 to this many frames without an action, drawn evenly."""
    fire_at_start: bool = False
    """Press FIRE in the first of those frames, or in one if there are none, where the game has it.
    It is never pressed after a lost life: that the agent has to find out."""
    repeat_action_probability: Share = 0.0
    """How likely a frame repeats the action before it (Machado et al. 2018, section 5.2)."""
    full_action_set: bool = False
    """All 18 actions of the joystick, also those that do nothing in this game."""
    life_loss: bool = True
    """Tell the agent of a lost life in training, as if the game had ended; it goes on."""
    max_frames: PositiveInt = 18_000
    """A game is cut after this many frames, 60 a second, counted from the agent's first action."""
    frame_skip: PositiveInt = 4
    """Frames that an action is held for; the agent sees the maximum of the last two."""
    evaluation_epsilon: Share = 0.05
    """The share of random actions when an agent is evaluated."""

    def check_combination(self) -> None:
        """Raise ValueError for a cap below one step, or for another protocol's name."""
        if self.max_frames < self.frame_skip:
            raise ValueError(
                f"protocol.max_frames = {self.max_frames}: expected {self.frame_skip} "
                "(frame_skip) or more"
            )
        known = PROTOCOLS.get(self.name)
        if known is not None and known != self:
            mine, its = asdict(self), asdict(known)
            changed = ", ".join(f"{key} = {mine[key]!r}" for key in mine if mine[key] != its[key])
            raise ValueError(
                f"protocol.name = {self.name!r}: that protocol does not have {changed}; expected "
                "another name"
            )

    @property
    def max_steps(self) -> int:
        """The agent steps after which a game is cut."""
        return self.max_frames // self.frame_skip


def find_protocol(protocol: str | AtariProtocol) -> AtariProtocol:
    """The protocol of that name; one that is given stays. Raises ValueError for another name."""
    if isinstance(protocol, AtariProtocol):
        return protocol
    if protocol not in PROTOCOLS:
        near = difflib.get_close_matches(protocol, PROTOCOLS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"unknown protocol {protocol!r}: expected one of {', '.join(PROTOCOLS)}{hint}"
        )
    return PROTOCOLS[protocol]


# Mnih et al. 2015 (Methods, "Evaluation procedure" and "Training details"): up to 30 no-ops, at
# most five minutes a game, epsilon 0.05; a lost life ends an episode in training alone.
NATURE = AtariProtocol()

# Machado et al. 2018 (section 5 and table 5): sticky actions instead of no-ops, all 18 actions, no
# signal of lives, 30 minutes a game. They report returns in training and evaluate nothing apart;
# epsilon in evaluation is Dopamine's, which follows them otherwise.
STICKY = AtariProtocol(
    name="sticky",
    noop_max=0,
    repeat_action_probability=0.25,
    full_action_set=True,
    life_loss=False,
    max_frames=108_000,
    evaluation_epsilon=0.001,
)

PROTOCOLS.update({found.name: found for found in (NATURE, STICKY)})

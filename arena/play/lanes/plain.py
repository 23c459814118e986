"""Print a match of Lanes line by line, where there is no screen."""

from __future__ import annotations

from collections.abc import Callable

from arena.play.lanes.panels import SIDE_NAMES, clock, result_text
from arena.play.lanes.session import LanesSession


def print_match(session: LanesSession, say: Callable[[str], None]) -> None:
    """Play a match of agents, or a replay, to its end; print kills, fallen towers, and the result.

    Raises ValueError where a person plays, who needs a screen.
    """
    if session.person is not None:
        raise ValueError("a person needs a screen to play: name two agents")
    left, right = session.names
    say(f"{session.match.game}, seed {session.match.seed}: {left} (left) against {right} (right)")
    if session.message:
        say(session.message)
    before = session.scene()
    while session.timeline.advance():
        scene = session.scene()
        at = clock(scene.seconds)
        for team, side in enumerate(SIDE_NAMES):
            if scene.kills[team] > before.kills[team]:
                say(f"{at}  {side} kills: {scene.kills[0]} to {scene.kills[1]}")
            if scene.towers[team] < before.towers[team]:
                say(f"{at}  {side} has {scene.towers[team]} towers left")
        before = scene
    result = result_text(before) or "the replay ends here"
    kills, towers = (f"{a} to {b}" for a, b in (before.kills, before.towers))
    say(f"{clock(before.seconds)}  {result}; kills {kills}, towers {towers}")

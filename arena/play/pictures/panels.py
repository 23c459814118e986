"""Format the text beside the picture: who plays, the score, and the value of each action."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from arena.play.pictures.session import PictureSession
from arena.play.pictures.stick import HOLD_S

EIGHTHS = " ▏▎▍▌▋▊▉█"
CURVE = "▁▂▃▄▅▆▇█"
LEAST_ACTIONS = 6  # whose values are worth more room than the curve
SHOWN_GAMES = 5  # results of the games before
KEY_NAMES = {"left": "←", "right": "→", "up": "↑", "down": "↓"}


def title_text(session: PictureSession, width: int) -> Text:
    """Format two lines: the environment with its protocol, and who is at the stick."""
    environment = session.environment
    protocol = f"  protocol {environment.protocol}" if environment.protocol else ""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{environment.name}", "bold").append(f"{protocol}\n", "dim")
    agent = session.agent
    if session.by_hand:
        text.append("you are at the stick", "bold green")
        if agent is not None:
            text.append(f", {agent.name} looks on", "dim")
    elif agent is not None:
        text.append(f"{agent.name} plays", "bold")
    if session.paused:
        text.append("  paused", "bold yellow")
    elif session.speed != 1.0:
        text.append(f"  speed {session.speed:g}", "yellow")
    return text


def score_text(session: PictureSession) -> Text:
    """Format the score, the lives, the steps, the measures and the results before."""
    game = session.game
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("score ", "dim").append(number(game.score), "bold")
    text.append("\nsteps ", "dim").append(f"{game.steps:,}")
    if game.seen.lives is not None:
        text.append("  lives ", "dim").append(str(game.seen.lives), "bold")
    for line in session.measured():
        text.append(f"\n{line}", "cyan")
    if session.is_over:
        how = "a limit ended it" if game.seen.truncated else "game over"
        text.append(f"\n{how}", "bold yellow")
        if session.by_hand:
            text.append(": n begins the next", "yellow")
    if session.finished:
        last = [number(done.score) for done in session.finished[-SHOWN_GAMES:]]
        mean = sum(done.score for done in session.finished) / len(session.finished)
        text.append(f"\n{len(session.finished)} played, mean {mean:.1f}: ", "dim")
        text.append(" ".join(last))
    return text


def values_text(session: PictureSession, width: int, height: int) -> Text:
    """Draw the value of each action as a bar, and below the best value of the last steps.

    The bars go from the lowest to the highest value of the last steps; a longer one is better.
    Where there is little room the actions alone are drawn, those about the chosen one.
    """
    names, values = session.environment.action_names, session.values
    if values.now is None or not values.best:
        nothing = "" if session.agent is None else f"{session.agent.name} values no actions"
        return _actions_text(session, nothing)
    low, high = values.range
    room = max(map(len, names))
    wide = max(1, width - room - 11)
    text = Text(no_wrap=True)
    has_curve = height >= min(len(names), LEAST_ACTIONS) + 3
    room_below = height - 3 if has_curve else height
    shown = _around(session.game.action or 0, len(names), max(1, room_below))
    for action in shown:
        value = float(values.now[action])
        is_best = value == values.best[-1]
        mark = "▶" if action == session.game.action else " "
        text.append(f"{mark} {names[action]:{room}} ", "bold" if is_best else "")
        text.append(f"{value:7.3f} " if math.isfinite(value) else "      - ")
        text.append(bar(share_of(value, low, high), wide) + "\n", "green" if is_best else "blue")
    if not has_curve:
        return text
    text.append(f"\nbest value {low:.2f} to {high:.2f}\n", "dim")
    return text.append(curve(list(values.best), low, high, width), "cyan")


def _actions_text(session: PictureSession, headline: str) -> Text:
    """Name the actions, with a mark at the last."""
    text = Text(headline + "\n" if headline else "", "dim", no_wrap=True)
    for action, name in enumerate(session.environment.action_names):
        is_last = action == session.game.action
        text.append(f"{'▶' if is_last else ' '} {name}\n", "bold" if is_last else "dim")
    return text


def _around(chosen: int, count: int, room: int) -> range:
    """Return the lines to show of `count`, where they do not all fit: those about the chosen."""
    first = max(0, min(chosen - room // 2, count - room))
    return range(first, min(count, first + room))


def share_of(value: float, low: float, high: float) -> float:
    """Return where a value lies between two others, 0 to 1; 0 for NaN or an empty range."""
    if not (math.isfinite(value) and high > low):
        return 0.0
    return min(1.0, max(0.0, (value - low) / (high - low)))


def bar(share: float, width: int) -> str:
    """Draw a share, 0 to 1, as a bar of `width` characters, in eighths of one."""
    eighths = round(8 * width * share)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (EIGHTHS[rest] if rest else "")).ljust(width)


def curve(values: Sequence[float], low: float, high: float, width: int) -> str:
    """Draw the last `width` values as a curve of one line."""
    top = len(CURVE) - 1
    return "".join(CURVE[round(top * share_of(value, low, high))] for value in values[-width:])


def number(value: float) -> str:
    """Format a score: without decimals where it has none."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def keys_text(session: PictureSession) -> str:
    """List the keys, those of the stick where a person is at it."""
    if not session.by_hand:
        return "p pause  . step  +- speed  t take over  n new game  ? keys  q leave"
    keys = [KEY_NAMES.get(key, key) for key in session.stick.known_keys if not key.isdecimal()]
    stick = " ".join(keys) or "0 to 9"
    hand_back = "  t hand back" if session.agent is not None else ""
    held = f"a press holds for {HOLD_S:g} s, as a terminal does not tell when a key is let go"
    return f"{stick}: {held}{hand_back}  p pause  n new game  ? keys  q leave"

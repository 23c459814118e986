"""Format the text beside the board: the players, an agent's analysis, the moves."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from arena.engine.snapshot import Candidate, Snapshot
from arena.play.screen.board import HUES, hues
from arena.play.screen.review import Judgement, Review
from arena.play.screen.session import MOVE, GameSession
from envs.game import Game, State

MARK_STYLES = {"??": "bold red", "?": "bold dark_orange", "?!": "bold yellow", "": ""}


def clock(seconds: float) -> str:
    """Format seconds as `2:03` or `1:02:03`."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def sides_text(session: GameSession, width: int) -> Text:
    """Format a line for each side: to move or not, its name, its player, its time."""
    text, names = Text(no_wrap=True, overflow="ellipsis"), session.game.player_names
    room = max(map(len, names))
    for side, chair in enumerate(session.chairs):
        moves_next = side == session.side and not session.is_over
        time = clock(chair.seconds)
        who = chair.title[: max(0, width - room - len(time) - 6)]
        style = "bold" if moves_next else "dim"
        text.append("▶ " if moves_next else "  ", "bold green")
        text.append("● ", _colour_of(session.game, side))
        text.append(f"{names[side]:{room}} {who:{max(0, width - room - len(time) - 6)}} ", style)
        text.append(time + ("" if side else "\n"), style)
    return text


def _colour_of(game: Game, side: int) -> str:
    hue = hues(game)[side]
    return "grey50" if hue == "black" else HUES[hue]  # black would not show on a dark terminal


def status_text(session: GameSession, review: Review | None, ply: int) -> Text:
    """Format the status line: the side to move, the result, or the ply under review."""
    if review is not None:
        return Text(f"move {ply} of {len(review.history.moves)}  {review.progress}", "bold")
    if session.is_over:
        winner = session.winner()
        names = session.game.player_names
        return Text("a draw" if winner is None else f"{names[winner]} wins", "bold green")
    chair = session.chairs[session.side]
    if session.paused:
        return Text("paused", "bold yellow")
    thinking = session.thought is not None and session.purpose == MOVE
    verb = "thinks" if thinking else "to move"
    if chair.is_human and chair.title == "you":
        return Text(f"your move, {session.game.player_names[session.side]}", "bold")
    return Text(f"{chair.title} {verb}", "bold")


def bar_text(game: Game, value: float | None, side: int, width: int) -> Text:
    """Draw a position's value as a bar, the first player's part from the left.

    `value` is for `side`, in [-1, 1]; None draws no bar.
    """
    if value is None:
        return Text("no value known", "dim")
    first = value if side == 0 else -value
    room = max(4, width - 10)
    filled = round(room * (first + 1) / 2)
    pieces = game.board is not None and game.board.pieces
    first_mark, second_mark = (name[0] for name in game.player_names) if pieces else "XO"
    text = Text(f"{first_mark} ", no_wrap=True)
    text.append("█" * filled, _colour_of(game, 0))
    text.append("░" * (room - filled), _colour_of(game, 1))
    return text.append(f" {second_mark} {first:+.2f}")


def thought_text(
    game: Game, name: str, found: Snapshot | None, state: State, width: int, height: int
) -> Text:
    """Format an agent's analysis of a position: progress, line, and moves, best first."""
    if found is None:
        return Text(f"no thoughts of {name} yet", "dim")
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(_headline(name, found)[:width] + "\n", "bold")
    line = " ".join(game.words(state, found.line))
    text.append(f"line {line}"[:width] + "\n", "cyan")
    for candidate in found.candidates[: max(0, height - 2)]:
        word = game.written(state, candidate.action)
        text.append_text(_candidate_line(word, candidate, found, width))
    text.rstrip()
    return text


def _headline(name: str, found: Snapshot) -> str:
    progress = f" {found.simulations:,}/{found.target:,}" if found.target else ""
    if found.exact is None:
        return name + progress
    known = {1.0: "win", 0.0: "draw", -1.0: "loss"}.get(found.exact, f"{found.exact:+.2f}")
    return f"{name}{progress} {known}" + (f" in {found.plies}" if found.plies else "")


def _candidate_line(word: str, move: Candidate, found: Snapshot, width: int) -> Text:
    value = "    -" if move.value is None else f"{move.value:+.2f}"
    sign = " " if move.exact is None else "="
    amount = f"{move.visits:>6,}" if found.target else f"{100 * move.share:5.0f}%"
    words = f"{word:4} {amount} {sign}{value} "
    text = Text(words[:width])
    return text.append("▇" * round(max(0, width - len(words)) * move.share) + "\n", "green")


def moves_text(
    words: Sequence[str],
    shown: int,
    judgements: Sequence[Judgement | None],
    width: int,
    height: int,
) -> Text:
    """Format the words of moves in rows around the last of the `shown` ones, which is marked."""
    rows, here = [Text(no_wrap=True)], 0
    for ply, move in enumerate(words):
        judged = judgements[ply] if ply < len(judgements) else None
        mark = judged.mark if judged else ""
        number = f"{ply // 2 + 1}." if ply % 2 == 0 else ""
        word = f"{number}{move}"
        if len(rows[-1]) + len(word) + len(mark) + 1 > width and len(rows[-1]):
            rows.append(Text(no_wrap=True))
        rows[-1].append(word, "reverse" if ply + 1 == shown else "dim" if ply >= shown else "")
        rows[-1].append(mark, MARK_STYLES[mark]).append(" ")
        here = len(rows) - 1 if ply + 1 == shown else here
    first = max(0, min(here - height // 2, len(rows) - height))
    return Text("\n").join(rows[first : first + max(1, height)])


def judgement_text(review: Review, ply: int) -> str:
    """Describe the loss of value by the move that led to a ply."""
    judged = review.judge(ply - 1) if ply else None
    if judged is None:
        return ""
    action = review.history.moves[ply - 1]
    before, after = review.value(ply - 1), review.value(ply)
    state = review.history.states[ply - 1]
    move = f"{review.game.written(state, action)}{judged.mark}"
    sure = "exactly" if judged.exact else "about"
    best = review.snapshots[ply - 1]
    instead = ""
    if judged.mark and best and best.candidates[0].action != action:
        instead = f"; {review.game.written(state, best.candidates[0].action)} was better"
    if before is None or after is None:
        return move
    return f"{move} gave away {sure} {judged.drop:.2f} of value{instead}"

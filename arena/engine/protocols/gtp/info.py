"""What an agent thinks of a position, as Leela Zero and KataGo write it in GTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arena.engine.snapshot import Candidate, Line, Snapshot


def info_line(
    snapshot: Snapshot, form: str, words_of: Callable[[Sequence[int]], Sequence[str]]
) -> str:
    """Return the moves of a snapshot on one line, "" of an agent that has no opinion.

    Win rates are (1 + value) / 2 for the side to move: of 10,000 in the form `lz`, of 1 in `kata`.
    """
    if snapshot.value_to_play is None:
        return ""
    known = {candidate.action: candidate for candidate in snapshot.candidates}
    parts = [
        _move(line, known[line.moves[0]], order, form, words_of(line.moves))
        for order, line in enumerate(snapshot.lines)
        if line.value_to_play is not None
    ]
    return " ".join(parts)


def _move(line: Line, move: Candidate, order: int, form: str, words: Sequence[str]) -> str:
    value = line.value_to_play if line.exact is None else line.exact
    assert value is not None
    winrate = (1 + max(-1.0, min(1.0, value))) / 2
    prior = move.share if move.prior is None else move.prior
    if form == "lz":
        numbers = f"winrate {round(10_000 * winrate)} prior {round(10_000 * prior)}"
    else:
        numbers = f"utility {2 * winrate - 1:.6f} winrate {winrate:.6f} prior {prior:.6f}"
    return f"info move {words[0]} visits {line.visits} {numbers} order {order} pv {' '.join(words)}"

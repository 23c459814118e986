"""Print matches as text: a count during play, a table at the end."""

from __future__ import annotations

from arena.match.match import MatchResult, Tally
from arena.rating.sprt import Sprt
from arena.status_line import StatusLine


class MatchProgress(StatusLine):
    """Shows how many games are finished; see `arena.match.match.Report`."""

    def __call__(self, finished: int, games: int) -> None:
        """Show the finished games of a match, if it is time to."""
        self.show(f"{finished} of {games} games")


def summary(result: MatchResult, sprt: Sprt | None = None) -> str:
    """Format a result in a few lines; `sprt` is the match's test, if any."""
    low, high = result.interval
    total = result.total
    lost, half, even, most, won = result.pairs
    before = f" ({result.resumed_games} recorded before)" if result.resumed_games else ""
    tested = [verdict_text(sprt, result)] if sprt and result.sprt else []
    return "\n".join(
        [
            f"{result.agents[0]} against {result.agents[1]}, {result.game}, "
            f"{total.games} games{before}:",
            f"  score          {100 * total.score:5.1f}%  (95%: {100 * low:.1f} to "
            f"{100 * high:.1f})",
            f"  all games      {tally_text(total)}",
            f"  as first       {tally_text(result.as_first_player)}",
            f"  as second      {tally_text(result.as_second_player)}",
            f"  pairs          {lost} of 0 points, {half} of 1/2, {even} of 1, {most} of 3/2, "
            f"{won} of 2",
            f"  openings       {_openings(result.openings)}, seed {result.seed}; "
            f"{result.mean_plies:.1f} plies a game",
            *_time(result),
            *_repetition(result),
            *tested,
        ]
    )


def tally_text(tally: Tally) -> str:
    """Format the results of the first agent."""
    return f"{tally.wins} won, {tally.draws} drawn, {tally.losses} lost"


def _openings(label: str) -> str:
    kind, _, rest = label.partition(":")
    if kind == "book":
        return f"{kind} {rest.rpartition(':')[0]}"
    if kind == "position":
        return "one position"
    return f"{kind}, {rest} plies" if rest else kind


def _time(result: MatchResult) -> list[str]:
    """Format who lost on time, in a match by the clock."""
    if not result.clock:
        return []
    late = ", ".join(f"{n} by {name}" for n, name in zip(result.lost_on_time, result.agents))
    return [f"  clock          {result.clock} seconds; lost on time: {late}"]


def _repetition(result: MatchResult) -> list[str]:
    """Format a note on repeated games, empty without any."""
    lines = []
    if result.is_used_up:
        pairs = result.total.games // 2
        lines.append(
            f"  used up        {pairs} distinct pair{'' if pairs == 1 else 's'}: all openings were "
            "played, and from them the agents only repeat their games"
        )
    if result.repeated_games:
        lines.append(f"  not counted    {result.repeated_games} recorded games that repeat others")
    return lines


def verdict_text(sprt: Sprt, result: MatchResult) -> str:
    """Format the state of a match's test in a line."""
    assert result.sprt is not None
    state = result.sprt
    undecided = f"undecided between {sprt.elo0:g} and {sprt.elo1:g} Elo"
    if result.is_used_up:
        undecided += ", and no opening is left that could decide it"
    says = {
        "elo0": f"elo0 accepted: stronger by no more than {sprt.elo0:g} Elo",
        "elo1": f"elo1 accepted: stronger by {sprt.elo1:g} Elo or more",
        "undecided": undecided,
    }
    return (
        f"  sprt           LLR {state.llr:+.2f} of {state.lower:.2f} to {state.upper:.2f}: "
        f"{says[state.decision]}"
    )

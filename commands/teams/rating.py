"""Matches and ratings of games of teams: the second kind of `match` and `rate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from commands.options import INTERRUPTED, answer, drawn, print_json

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping, Sequence

    from arena.rating.sprt import Sprt
    from arena.teams.ladder import TeamLadderState
    from envs.teams import TeamGame
    from store.run import Run

GAMES = 40  # of each pairing


def match_teams(args: Namespace, game: TeamGame, sprt: Sprt | None) -> int:
    """Play a match between two agents of a game of teams."""
    from agents.cores import allowed_cores, use_threads
    from arena.match.origins import Origins
    from arena.match.records import MatchLog
    from arena.match.text import MatchProgress
    from arena.rating.recorded import note_best_checkpoint
    from arena.teams.match import play_team_match
    from arena.teams.names import exact_team_name, find_team_agent, home_of_match
    from arena.teams.playing import SEEDS

    names = tuple(exact_team_name(name, game, args.store) for name in (args.first, args.second))
    threads = allowed_cores()
    if not {*names} <= {*game.scripts}:
        use_threads(threads)
    first, second = (find_team_agent(name, game, args.store) for name in names)
    home = None if args.no_record else home_of_match(names, game, args.store)
    key = Origins(args.store).key(game.name, (names[0], names[1]), args.seed, SEEDS)
    with MatchProgress() as report:
        result, text = play_team_match(
            game,
            first,
            second,
            args.games,
            seed=args.seed,
            threads=threads,
            sprt=sprt,
            log=MatchLog(home.files, key) if home else None,
            report=report,
        )
    if home:
        note_best_checkpoint(home)
    answer(args, result.to_json(), lambda: text)
    return 0


def rate_teams(args: Namespace, names: Sequence[str], plot: Path | None) -> int:
    """Rate checkpoints of runs of a game of teams, as a table, a matrix and a plot."""
    from agents.cores import allowed_cores, use_threads
    from arena.rating.rate import rate
    from arena.teams.ladder import TeamLadder, TeamLadderSettings, open_team_runs
    from arena.teams.plot import write_plot
    from arena.teams.table import TeamLadderProgress, table_of, table_text

    threads = 1 if args.follow else allowed_cores()
    use_threads(threads)
    games = GAMES if args.games is None else args.games
    settings = TeamLadderSettings(games, args.checkpoints, args.seed, threads)
    game, runs = open_team_runs(args.store, names)
    ladder = TeamLadder(game, args.store, runs, settings)
    progress = TeamLadderProgress()

    def settled(state: TeamLadderState) -> None:
        table = table_of(ladder)
        progress.clear()
        plots = drawn(lambda: write_plot(table, plot) if plot and table.best else [])
        if args.json:
            print_json({**table.to_json(), "plots": plots}, flush=True)
        else:
            print(table_text(table), *(f"plot: {path}" for path in plots), sep="\n", flush=True)

    is_complete = rate(ladder, follow=args.follow, progress=progress, settled=settled)
    return 0 if is_complete or args.follow else INTERRUPTED


def teams_comparison(args: Namespace, seed: int) -> Callable[[Mapping[str, str]], int]:
    """Return what rates the newest checkpoints of runs, {run: variant's label}, by matches.

    The options are checked here, before the runs train.
    """
    from agents.cores import allowed_cores, use_threads
    from arena.rating.rate import rate
    from arena.teams.ablation import team_ablation, team_ablation_text
    from arena.teams.ladder import TeamLadder, TeamLadderSettings, open_team_runs
    from arena.teams.table import TeamLadderProgress

    games = GAMES if args.rating_games is None else args.rating_games
    settings = TeamLadderSettings(games, most=1, seed=seed, threads=allowed_cores())

    def compare(labels: Mapping[str, str]) -> int:
        use_threads(settings.threads)
        game, runs = open_team_runs(args.store, [*labels])
        ladder = TeamLadder(game, args.store, runs, settings)
        progress = TeamLadderProgress()

        def settled(state: TeamLadderState) -> None:
            progress.clear()
            found = team_ablation(ladder, labels)
            answer(args, found.to_json(), lambda: team_ablation_text(found))

        return 0 if rate(ladder, progress=progress, settled=settled) else INTERRUPTED

    return compare


def team_game_of_runs(runs: Sequence[Run]) -> TeamGame | None:
    """Return the game of teams that the first run learned; None if it learned something else."""
    from arena.teams.names import team_game_of

    return team_game_of(runs[0].info)

"""The command line: parses it and calls one function of `commands`.

Heavy packages are imported only when a command needs them, so that `ludens --help` is fast.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from commands import (
    ablating,
    completion,
    evaluating,
    playing,
    rating,
    runs,
    serving,
    showing,
    surgery,
    tools,
    training,
    watching,
)
from commands.options import INTERRUPTED, VERSION
from commands.teams import trajectories
from configs.command_line import FAILURE, Command, UsageError, explain, nearest, read_words

DESCRIPTION = """\
Ludens learns games, by self-play or from pixels, and plays them.
"""

AGENTS = """\
Agents, in every command that takes one:
  random            a random legal move
  mcts:1000         tree search with random rollouts, 1000 simulations per move
  solver            perfect play, for games with a solver
  RUN               the newest checkpoint of a training run, with tree search
  RUN@12000         the checkpoint at that step
  RUN:sims=400      ... with 400 simulations per move; sims=0 plays without search
  RUN:epsilon=0.05  ... with a share of random actions, for runs in an environment
  uci:stockfish?nodes=100, usi:PROGRAM, gtp:gnugo?level=10, xboard:PROGRAM
                    another program (match, play, analyze, anchors of rate)
  wanderer, pusher, fighter   scripted players, for games of teams
"""


CLOSING = """
ludens COMMAND --help describes a command, with examples.
"""

COMMANDS: dict[str, Command] = {
    "train": Command(
        "train an agent; the same command resumes a stopped run",
        """\
  ludens train connect_four
  ludens train connect_four --minutes 60 --run wide --network.filters 128
  ludens train my_game.py --minutes 30
  ludens train dqn --env CartPole-v1
  ludens train dqn_nature --env Pong,Qbert --seeds 3 --minutes 60
  ludens train rainbow --env pong --rows 10000000
With several environments or seeds it is a sweep: runs PRESET-ENV-SEED train in turns, and are then
evaluated; `ludens report --sweep PRESET` compares them.
""",
        training.train_arguments,
        training.train,
    ),
    "surgery": Command(
        "make a wider run of a trained one, which answers the same and trains on",
        """\
  ludens surgery lanes_1v1 --config lanes_1v1 --network.hidden 256 --run wide
  ludens surgery lanes_1v1@12000 --config wide.toml
  ludens surgery lanes_1v1 --config lanes_5v5 --network.hidden 256 --new-budget
The new run has the optimiser and the past opponents too; the old one stays as it is. Layers grow,
and observations, actions and the state may have more of what they are made of; nothing may shrink.
`ludens train` goes on with it. For runs of PPO.
""",
        surgery.surgery_arguments,
        surgery.surgery,
    ),
    "watch": Command(
        "follow a training run from any terminal, here or on another machine",
        """\
  ludens watch connect_four
  ludens watch othello --store s3://BUCKET/ludens
  ludens watch connect_four --once --json
""",
        watching.watch_arguments,
        watching.watch,
    ),
    "report": Command(
        "write the HTML report of a run (curves, checkpoints, ratings, games) or of a sweep",
        """\
  ludens report connect_four
  ludens report othello --store s3://BUCKET/ludens --out othello.html
  ludens report --sweep dqn_nature
Of several runs in environments it is a page of their scores: interquartile mean with bootstrap
intervals, and each game beside random play, a person and the DQN of 2015.
""",
        watching.report_arguments,
        watching.report,
    ),
    "play": Command(
        "play against an agent, watch two agents, or step through a game",
        """\
  ludens play connect_four
  ludens play connect_four --agent mcts:1000
  ludens play connect_four --agent connect_four:sims=800 --second
  ludens play othello --agent mcts:2000 --agent2 random
  ludens play othello --web --port 8080
  ludens play breakout --agent breakout
  ludens play breakout --agent random --plain
  ludens play lanes_5v5 --agent fighter --agent2 pusher
  ludens play lanes_1v1 --agent pusher --turns
  ludens play match.replay
In an environment you may take the stick at any time; without a run you play alone.
""",
        playing.play_arguments,
        playing.play,
    ),
    "record": Command(
        "a film of an agent in an environment, or its learning as a strip of film",
        """\
  ludens record breakout --out breakout.mp4 --values
  ludens record breakout@12000 --out breakout.gif --games 3 --seed 7
  ludens record breakout --strip breakout.png
  ludens record random --env pong
  ludens record lanes_5v5 --agents fighter,pusher --out match.gif --seconds 60
  ludens record lanes_1v1 --agents fighter,pusher --out match.replay
The strip shows the checkpoints kept at certain minutes of training, side by side with their scores.
""",
        showing.record_arguments,
        showing.record,
    ),
    "trajectories": Command(
        "matches that a run recorded while it trained: a table, arrays, replays",
        """\
  ludens trajectories lanes_5v5
  ludens trajectories lanes_5v5 --limit 5 --json
  ludens trajectories lanes_5v5 --replay 120 --out match.replay
  ludens trajectories ppo --npz 120 --out match.npz
A version is the learner's step. A .replay file is for `ludens play` and `ludens record`; arrays of
any environment are read by numpy.load.
""",
        trajectories.trajectories_arguments,
        trajectories.trajectories,
    ),
    "analyze": Command(
        "evaluate one position or thousands with an agent",
        """\
  ludens analyze connect_four --agent connect_four --simulations 600 --moves 4435
  ludens analyze connect_four --agent solver --positions positions.txt --json
  printf '44\\n4453\\n' | ludens analyze connect_four --agent mcts:500 --positions -
A position is written as its text (FEN, SFEN), as the moves that lead to it, or both. Values are for
the side to move, -1 to 1.
""",
        playing.analyze_arguments,
        playing.analyze,
    ),
    "engine": Command(
        "play in the programs people use: an engine that speaks UCI, USI for shogi, or GTP for Go",
        """\
  ludens engine --agent mcts:2000
  ludens engine --agent chess_run --store s3://BUCKET/ludens
  ludens engine --agent mcts:2000 --game chess5
  ludens engine --agent mcts:2000 --game shogi
  ludens engine --agent mcts:2000 --game go9
  ludens engine --agent chess_run --prepare
The line is what a program for chess, shogi or Go asks for as an engine's command;
docs/engines.md shows how. The first start of an agent compiles for minutes, which --prepare does
beforehand.
""",
        serving.engine_arguments,
        serving.engine,
    ),
    "match": Command(
        "play a match between two agents, each opening with both colours",
        """\
  ludens match connect_four connect_four mcts:1000 --games 200
  ludens match connect_four connect_four@4000 connect_four:sims=64 --json
  ludens match connect_four connect_four connect_four@4000 --sprt 0 20 --balanced
  ludens match lanes_5v5 fighter pusher --games 200
Results of a run's checkpoints are stored with the run: the same command resumes a stopped match.
""",
        rating.match_arguments,
        rating.match,
    ),
    "rate": Command(
        "rate a run's checkpoints: Elo or scores with error bars, as a table and a plot",
        """\
  ludens rate connect_four
  ludens rate connect_four --follow --width 40
  ludens rate connect_four wide --anchors mcts:100=0,mcts:1000 --balanced --plot elo.png
Each game is chosen to narrow the error bars most, and stored with the run. Zero is the mean of the
checkpoints unless an anchor is fixed.
Runs in an environment are rated by their scores, as `ludens evaluate` measures them. Checkpoints of
a game of teams and its scripted players play each against each; their skill is OpenSkill's, with
the weakest script at 0, and a matrix shows who beats whom.
""",
        rating.rate_arguments,
        rating.rate,
    ),
    "evaluate": Command(
        "scores of agents in an environment, under a named protocol",
        """\
  ludens evaluate breakout --games 30 --json
  ludens evaluate breakout@12000 breakout@40000:epsilon=0
  ludens evaluate breakout --follow
  ludens evaluate random --env pong
Evaluations are recorded with the run: the same checkpoint, protocol, epsilon and seed are not
played again.
""",
        evaluating.evaluate_arguments,
        evaluating.evaluate,
    ),
    "ablate": Command(
        "train a preset without each technique, and compare by Elo, skill or score",
        """\
  ludens ablate connect_four --without playout_cap,forced_playouts,cache --minutes 20
  ludens ablate othello6 --with search.c_init=2 --with network.blocks=4
  ludens ablate lanes_3v3 --without lstm,team_spirit,pool,global_critic --minutes 20 --turn 5
  ludens ablate breakout --without layer_norm --with target.q_lambda=0.65 --minutes 20 --cores 1
The preset, the preset with another seed (the control) and each variant train for the same time, in
turns of a few minutes or with --cores at once, and then play each other, or where there are scores
each its games. The same command resumes after a stop.
""",
        ablating.ablate_arguments,
        ablating.ablate,
    ),
    "runs": Command(
        "list the runs of a store; verify, prune, export or import a run",
        """\
  ludens runs
  ludens runs verify connect_four
  ludens runs prune connect_four --keep-last 5 --keep-every 10000 --keep-rows 500000 --dry-run
  ludens runs export connect_four connect_four.tar
  ludens runs import connect_four.tar --run copy --store elsewhere
""",
        runs.runs_arguments,
        runs.runs,
    ),
    "doctor": Command(
        "check this machine: what works, how fast it trains, what limits it",
        """\
  ludens doctor
  ludens doctor othello --store s3://BUCKET/ludens --workers 8
  ludens doctor connect_four --seconds 0 --json
""",
        tools.doctor_arguments,
        tools.doctor,
    ),
    "perft": Command(
        "count the move sequences of a given length, to test a game's rules",
        """\
  ludens perft othello 6
  ludens perft connect_four 4 --position 4435 --divide
  ludens perft chess --positions positions.epd --json
A line of a file is a position with its depths, and the counts expected there: FEN ;D4 197281.
""",
        tools.perft_arguments,
        tools.perft,
    ),
    "check-game": Command(
        "check your own game against the contract of all games",
        """\
  ludens check-game my_game.py
""",
        tools.check_game_arguments,
        tools.check_game,
    ),
    "bench": Command(
        "measure the speed of search, of acting and self-play, or of learning",
        """\
  ludens bench search connect_four --json
  ludens bench selfplay connect_four --seconds 60
  ludens bench acting breakout --json                 64 environments and the network
  ludens bench learning dqn_nature --json             agent steps a second while it learns
  ludens bench environment lanes_5v5 --json           ... of a game of teams, random actions
""",
        tools.bench_arguments,
        tools.bench,
    ),
    "completion": Command(
        "print the script that completes commands, options and runs in a shell",
        """\
  eval "$(ludens completion bash)"                    in ~/.bashrc
  eval "$(ludens completion zsh)"                     in ~/.zshrc, after compinit
  ludens completion fish | source                     in ~/.config/fish/config.fish
""",
        completion.completion_arguments,
        completion.completion,
    ),
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 for a failure, 2 for a usage error."""
    if completion.is_completing():
        completion.complete(COMMANDS)
    if words is None:
        _end_by_signals()
    words = sys.argv[1:] if words is None else list(words)
    if words[:1] == ["help"] and words[1:]:
        words = [words[1], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview(), end="")
        return 0
    if words[0] == "--version":
        print(f"ludens {VERSION}")
        return 0
    try:
        command = _find_command(words[0])
        from selfplay.package_check import check_packages

        check_packages()
        return command.run(read_words(words[0], command, words[1:]))
    except SystemExit as leaving:  # argparse, after --help or an error line
        return leaving.code if isinstance(leaving.code, int) else FAILURE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader has closed the pipe, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        if os.environ.get("LUDENS_DEBUG") == "1":
            raise
        status, line = explain(error)
        print(line, file=sys.stderr)
        return status


def _end_by_signals() -> None:
    """Let SIGTERM and SIGHUP end this process as an exit does, with the programs that it started.

    Commands with something to save have handlers of their own.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda received, _: sys.exit(128 + received))


def overview() -> str:
    """Return the text of `ludens --help`."""
    width = max(map(len, COMMANDS))
    commands = "".join(f"  {name:{width}}  {c.summary}\n" for name, c in COMMANDS.items())
    return f"{DESCRIPTION}\nusage: ludens COMMAND ...\n\n{commands}\n{AGENTS}{CLOSING}"


def _find_command(name: str) -> Command:
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        raise UsageError(f"unknown command {name!r}{near} (ludens --help lists them)")
    return COMMANDS[name]


if __name__ == "__main__":
    sys.exit(main())

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from textual.pilot import Pilot
from textual.widgets import Input, Tree

from agents.players import ROLLOUT_CONFIG, SearchPlayer, rollout_player
from arena.play.leaving import run_until_left
from arena.play.screen.app import PlayApp, show
from arena.play.screen.board import fit
from arena.play.screen.help_screen import HelpScreen
from arena.play.screen.session import GameSession
from arena.play.screen.tree_screen import TreeScreen
from arena.play.screen.widgets import BoardView
from arena.play.terminal import HumanPlayer
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import Leaves, evaluate_uniformly
from tests.arena.play.screen.players import FirstMovePlayer, HeldPlayer

GAMES = {
    "connect_four": "443552",
    "othello": "d3 c5 e6 f5",
    "othello6": "c2 b2",
    "tic_tac_toe": "b2 a1",
}
SIZES = [(60, 20), (80, 24), (120, 40)]
DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).resolve().parents[4]
YOU = HumanPlayer()
Scene = Callable[[Pilot[None], PlayApp], Awaitable[None]]


def screen_text(app: PlayApp) -> str:
    """The characters on the screen, without the blanks at the ends of lines."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(s.text for s in strip).rstrip() for strip in strips)


def act(
    scene: Scene,
    *seats: Any,
    game: str = "tic_tac_toe",
    moves: str = "",
    size: tuple[int, int] = (80, 24),
    notice: str = "",
) -> PlayApp:
    """Run a scene with an app whose clock stands still."""
    found = find_game(game)
    session = GameSession(found, seats or (YOU, YOU), pace=0.0, now=lambda: 0.0)
    session.new_game(found.parse_moves(moves))
    app = PlayApp(session, notice, plain=True)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await scene(pilot, app)

    try:
        asyncio.run(run())
    finally:
        session.cancel()  # a scene that failed leaves nobody at thought for the next test
    return app


async def until(pilot: Pilot[None], done: Callable[[], object]) -> None:
    """Let the screen live until it is so."""
    for _ in range(2000):
        if done():
            await pilot.pause()
            return
        await pilot.pause(0.02)
    raise AssertionError("it never came so far:\n" + screen_text(pilot.app))


def played(app: PlayApp) -> str:
    return app.game.format_moves(app.session.history.moves)


def message(app: PlayApp) -> str:
    return app._message()


def test_a_thinking_thread_gives_way_sooner_while_the_screen_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(PlayApp, "run", lambda app: seen.append(sys.getswitchinterval()))
    monkeypatch.setattr("arena.play.screen.app.all_threads_end", lambda within_s: True)
    usual = sys.getswitchinterval()
    show(GameSession(find_game("tic_tac_toe"), (YOU, YOU)))
    assert len(seen) == 1
    assert seen[0] < usual
    assert sys.getswitchinterval() == usual


# --- what is drawn ------------------------------------------------------------------------------


@pytest.mark.parametrize("game", list(GAMES))
def test_the_smallest_screen_is_the_golden_one(game: str) -> None:
    shown = []

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.pause()
        shown.append(screen_text(app))

    act(scene, YOU, FirstMovePlayer(find_game(game)), game=game, moves=GAMES[game], size=(60, 20))
    assert shown[0] + "\n" == (DATA / f"screen_{game}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("game", list(GAMES))
def test_everything_fits_on_every_screen(game: str, size: tuple[int, int]) -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.pause()
        shown = screen_text(app)
        view = app.query_one(BoardView)
        grid, _ = app._board()
        layout = fit(grid, view.size.width, view.size.height)
        lines = layout.top + grid.height * layout.cell_height + 1 + len(grid.notes)
        assert lines <= view.size.height
        assert layout.left + grid.width * layout.cell_width <= view.size.width
        for word in ("your move", "X (", "O (", "q leave", "no thoughts", *grid.notes):
            assert word in shown, f"{word} is not on\n{shown}"
        assert size[0] < 120 or layout.cell_height == 3

    act(scene, YOU, YOU, game=game, size=size)


def test_a_resize_in_mid_game_draws_anew_and_keeps_the_mouse_right() -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        for size in ((120, 40), (60, 20), (100, 30)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            board = app.query_one(BoardView)
            grid, _ = app._board()
            layout = fit(grid, board.size.width, board.size.height)
            column = len(app.session.history.moves)
            x = layout.left + column * layout.cell_width + 1
            await pilot.click(BoardView, offset=(x, layout.top + 1))
            await pilot.pause()
        assert played(app) == "123"

    act(scene, game="connect_four", size=(60, 20))


def test_a_game_without_a_grid_is_shown_as_it_draws_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from arena.play.screen import app as module

    monkeypatch.setattr(module, "read_grid", lambda game, state: None)

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("m", *"a1", "enter", "up", "enter")
        assert played(app) == "a1"
        assert "1 X . ." in screen_text(app)

    act(scene)


# --- moves --------------------------------------------------------------------------------------


def test_digits_cursor_names_and_clicks_are_moves() -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("5")
        await pilot.press("up", "up", "left", "enter")  # the cursor begins in the middle
        await pilot.press("m", *"c3", "enter")
        board = app.query_one(BoardView)
        grid, _ = app._board()
        layout = fit(grid, board.size.width, board.size.height)
        await pilot.click(BoardView, offset=(layout.left + 1, layout.top + 2 * layout.cell_height))
        await pilot.pause()
        assert played(app) == "b2 a1 c3 a3"

    act(scene)


def test_a_column_is_chosen_by_the_cursor_too() -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("right", "right", "right", "enter", "7")
        assert played(app) == "67"

    act(scene, game="connect_four")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("5 5", "b2 is not legal here"),
        ("m z 9 enter", "move 1, 'z9', is not legal in tic_tac_toe: the legal moves are a1"),
        ("m enter", ""),
        ("m a 1 escape", ""),
    ],
)
def test_what_is_no_move_is_explained(keys: str, told: str) -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press(*keys.split())
        assert message(app).startswith(told)
        assert played(app) == ("b2" if keys.startswith("5") else "")
        await pilot.press("1")  # the keys are the board's again
        assert played(app).endswith("a1")

    act(scene)


def test_a_pass_is_played_by_enter() -> None:
    game = find_game("othello6")
    moves = passing_game()

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("enter")
        assert played(app).endswith("pass")

    act(scene, game="othello6", moves=game.format_moves(moves))


def passing_game() -> list[int]:
    """The moves of a game of Othello 6x6 to a position where the side to move must pass."""
    game = find_game("othello6")
    for seed in range(100):
        rng, moves, state = np.random.default_rng(seed), [], game.new_state()
        while not game.rules.is_terminal(state):
            legal = np.flatnonzero(game.legal_mask(state))
            if legal.tolist() == [36]:
                return moves
            moves.append(int(rng.choice(legal)))
            game.rules.step(state, moves[-1])
    raise AssertionError("no game with a pass")


# --- agents -------------------------------------------------------------------------------------


def test_every_request_has_its_key() -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        for key in ("5", "u", "r"):
            await pilot.press(key)
            await until(pilot, lambda: app.session.thought is None)
        assert len(app.session.history.moves) == 2
        await pilot.press("h")
        await until(pilot, lambda: app.session.hint is not None)
        assert "hint: " in message(app)
        assert "!" in screen_text(app)
        await pilot.press("plus")
        assert app.session.chairs[1].simulations == 400
        await pilot.press("minus", "minus")
        assert app.session.chairs[1].simulations == 100
        await pilot.press("p")
        assert app.session.paused
        await pilot.press("x")
        assert app.session.chairs[1].is_human
        await pilot.press("full_stop")
        await until(pilot, lambda: len(app.session.history.moves) == 3)
        await pilot.press("space")
        assert message(app) == "no agent is thinking"
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("5", "escape")
        assert not isinstance(app.screen, HelpScreen)
        await pilot.press("n")
        assert len(app.session.history.moves) == 0

    act(scene, YOU, rollout_player(find_game("tic_tac_toe"), ROLLOUT_CONFIG))


def test_a_search_is_seen_while_it_goes_on_and_moves_when_told() -> None:
    def slow(leaves: Leaves) -> tuple[NDArray[Any], NDArray[Any]]:
        time.sleep(0.002)
        return evaluate_uniformly(leaves)

    config = SearchConfig(simulations=50_000, solve=False, cache_size=0)
    player = SearchPlayer(find_game("connect_four"), [slow], config, name="slow")

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("4")
        await until(pilot, lambda: re.search(r"/50,000.*line \d", screen_text(app), re.DOTALL))
        assert " O " in screen_text(app)
        assert app.session.thought is not None
        await pilot.press("space")
        await until(pilot, lambda: len(app.session.history.moves) == 2)
        assert app.session.found.snapshot.simulations < 50_000

    act(scene, YOU, player, game="connect_four")


def test_a_slow_agent_does_not_hold_up_the_screen() -> None:
    held = HeldPlayer(find_game("tic_tac_toe"))

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("5")
        await until(pilot, held.began.is_set)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape", "1")
        assert message(app) == "it is held's move"
        await pilot.resize_terminal(60, 20)
        assert "held thinks" in screen_text(app)
        await pilot.press("u")
        assert played(app) == ""
        held.free.set()

    act(scene, YOU, held)


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
@pytest.mark.parametrize("before", ["", "question_mark", "m"])
def test_leaving_during_a_thought_ends_at_once(key: str, before: str) -> None:
    if (key, before) in {("q", "m"), ("q", "question_mark"), ("ctrl+q", "question_mark")}:
        pytest.skip("closes the window, or is a letter of the prompt")
    held = HeldPlayer(find_game("tic_tac_toe"))

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("5")
        await until(pilot, held.began.is_set)
        await pilot.press(*filter(None, [before]), key)
        await pilot.pause()

    app = act(scene, YOU, held)
    assert app._exit
    assert not held.free.is_set()  # nobody waited for it
    held.free.set()


def test_two_agents_are_watched() -> None:
    game = find_game("tic_tac_toe")

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await until(pilot, lambda: app.session.is_over)
        assert "X (red) wins" in screen_text(app)
        assert "first as X (red) wins" in message(app)

    act(scene, FirstMovePlayer(game), FirstMovePlayer(game))


# --- files --------------------------------------------------------------------------------------


def test_a_game_is_saved_and_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("4", "4", "s", "enter")
        assert message(app) == "saved to connect_four.txt"
        await pilot.press("3", "s", "enter")
        assert "is there already" in message(app)
        await pilot.press("o", "enter")
        assert played(app) == "44"
        await pilot.press("3", "s")
        app.query_one(Input).value += "!"
        await pilot.press("enter")
        assert Path("connect_four.txt").read_text().endswith("\n443\n")

    act(scene, game="connect_four")


@pytest.mark.parametrize(
    ("text", "told"), [("4489", "move 3, '8', is not legal"), (None, "No such file")]
)
def test_a_bad_file_changes_nothing(
    text: str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("connect_four.txt").write_text(text)

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("4", "o", "enter")
        assert told in message(app)
        assert played(app) == "4"

    act(scene, game="connect_four")


# --- analysis and the tree ----------------------------------------------------------------------


def test_a_finished_game_that_is_opened_is_analysed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tic_tac_toe.txt").write_text("a1 b1 b2 c3 b3 a3 c1 c2 a2\n")

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("o", "enter")
        await until(pilot, lambda: app.review is not None and app.review.finished.is_set())
        assert "b1??" in screen_text(app)
        await pilot.press("home")
        assert app.review_ply == 0
        await pilot.press("right", "right")
        assert message(app).startswith("b1?? gave away exactly 1.00 of value; ")
        assert "was better" in message(app)
        await pilot.press("5")
        assert message(app).startswith("b1?? gave")
        await pilot.press("left", "end", "right")
        assert app.review_ply == 9
        await pilot.press("escape")
        assert app.review is None
        await pilot.press("u")
        assert len(app.session.history.moves) == 8

    act(scene)


def test_a_game_in_progress_goes_on_after_its_analysis() -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("a")
        assert message(app) == "there is no game to analyse yet"
        await pilot.press("5", "a", "left", "a")
        assert not app.session.paused
        await until(pilot, lambda: len(app.session.history.moves) == 2)

    act(scene, YOU, FirstMovePlayer(find_game("tic_tac_toe")))


def test_the_tree_is_opened_move_by_move() -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("5")
        await until(pilot, lambda: len(app.session.history.moves) == 2)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TreeScreen))
        tree = app.screen.query_one(Tree)
        assert "after b2" in str(tree.root.label)
        assert len(tree.root.children) == 8
        visits = [int(str(node.label).split("%")[1].split()[0]) for node in tree.root.children]
        assert visits == sorted(visits, reverse=True)
        assert sum(visits) == 200
        await pilot.press("down", "right")
        await pilot.pause()
        below = tree.root.children[0].children
        assert 0 < len(below) <= 7
        await pilot.press("left", "left", "escape")
        assert not isinstance(app.screen, TreeScreen)

    act(scene, YOU, rollout_player(find_game("tic_tac_toe"), ROLLOUT_CONFIG))


def test_the_tree_of_a_position_under_analysis() -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("a", "t")
        assert "nothing to search" in app.session.message
        await pilot.press("home", "right", "t")
        await until(pilot, lambda: isinstance(app.screen, TreeScreen))
        assert "after a1" in app.screen.heading
        await pilot.press("ctrl+c")

    assert act(scene, moves="a1 b1 a2 b2 a3")._exit


def test_the_notice_is_told_and_the_prompt_is_out_of_the_way() -> None:
    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        assert "you play 'mine'" in screen_text(app)
        assert not app.query_one(Input).display

    act(scene, notice="you play 'mine', the newest run")


STUCK = """
import sys, threading
from arena.engine.threads import start_thread
from arena.play.terminal import HumanPlayer
from arena.play.screen.app import PlayApp, show
from arena.play.screen.session import GameSession
from envs.registry import find_game

start_thread(threading.Event().wait)
PlayApp.run = lambda app: None
sys.exit(show(GameSession(find_game("tic_tac_toe"), (HumanPlayer(), HumanPlayer()))) + 7)
"""


def test_a_thread_that_does_not_end_does_not_keep_the_program() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STUCK], cwd=ROOT, capture_output=True, timeout=120
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_screen_with_its_status(number: signal.Signals) -> None:
    """An exception that a handler raises in a callback could hang the loop, terminal and all."""

    async def scene(pilot: Pilot[None], app: PlayApp) -> None:
        os.kill(os.getpid(), number)
        await pilot.pause(0.2)

    before = signal.signal(number, lambda *_: pytest.fail("not by the loop"))
    try:
        assert act(scene).return_code == 128 + number
    finally:
        signal.signal(number, before)


def test_the_signals_go_back_to_those_who_had_them() -> None:
    def handler(*_: Any) -> None:
        pass

    class Left:
        return_code = 143

        def run(self) -> None:
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # as a loop that ends

    before = [signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGHUP)]
    try:
        assert run_until_left(cast(Any, Left())) == 143
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is handler
    finally:
        for number, handled in zip((signal.SIGTERM, signal.SIGHUP), before, strict=True):
            signal.signal(number, handled)

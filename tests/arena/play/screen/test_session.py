import time
from collections.abc import Callable

import pytest

from agents.players import ROLLOUT_CONFIG, RandomPlayer, SearchPlayer, rollout_player
from arena.play.screen.session import GameSession
from arena.play.terminal import HumanPlayer
from arena.solvers.players import SolverPlayer
from envs.registry import find_game
from tests.arena.play.screen.players import FailingPlayer, FirstMovePlayer, HeldPlayer

GAME = find_game("tic_tac_toe")
YOU = HumanPlayer()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def session(first: object, second: object, clock: Clock | None = None) -> GameSession:
    return GameSession(GAME, (first, second), pace=0.0, now=clock or Clock())


def tick_until(table: GameSession, done: Callable[[], bool]) -> None:
    """Tick until it is so; a thought takes the time that it takes."""
    for _ in range(6000):
        table.tick()
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it never came so far")


def test_an_agent_answers_each_move() -> None:
    table = session(YOU, FirstMovePlayer(GAME))
    table.play(4)
    tick_until(table, lambda: len(table.history.moves) == 2)
    assert table.history.moves == [4, 0]
    assert table.thought is None
    assert table.found.side == 1


def test_what_may_not_be_played_is_told() -> None:
    held = HeldPlayer(GAME)
    table = session(YOU, held)
    table.play(4)
    table.tick()
    table.play(0)
    assert table.message == "it is held's move"
    held.free.set()
    tick_until(table, lambda: len(table.history.moves) == 2)
    table.play(4)
    assert table.message == "b2 is not legal here"
    table.new_game(GAME.parse_moves("a1 b1 a2 b2 a3"))
    assert table.message.endswith("you as X (red) wins")
    table.play(8)
    assert "the game is over" in table.message
    assert len(table.history.moves) == 5


def test_each_side_has_its_own_time() -> None:
    clock = Clock()
    table = session(YOU, YOU, clock)
    for seconds, move in ((3, 0), (5, 1), (2, 2)):
        clock.time += seconds
        table.tick()
        table.play(move)
    assert [chair.seconds for chair in table.chairs] == [5.0, 5.0]
    table.pause()
    clock.time += 50
    table.tick()
    table.pause()
    assert [chair.seconds for chair in table.chairs] == [5.0, 5.0]
    table.new_game(GAME.parse_moves("a1 b1 a2 b2 a3"))
    clock.time += 50
    table.tick()
    assert [chair.seconds for chair in table.chairs] == [0.0, 0.0]


def test_undo_and_redo_go_to_ones_own_moves() -> None:
    table = session(YOU, FirstMovePlayer(GAME))
    for move in (4, 8):
        table.play(move)
        tick_until(table, lambda: not len(table.history.moves) % 2)
    assert table.history.moves == [4, 0, 8, 1]
    table.undo()
    assert table.history.moves == [4, 0]
    table.undo()
    table.undo()
    assert table.history.moves == []
    assert table.message == "there is no move to take back"
    table.redo()
    table.redo()
    assert table.history.moves == [4, 0, 8, 1]
    table.redo()
    assert table.message == "nothing was taken back"


def test_undo_stops_the_thought_of_the_answer() -> None:
    held = HeldPlayer(GAME)
    table = session(YOU, held)
    table.play(4)
    table.tick()
    assert held.began.wait(60)
    table.undo()
    held.free.set()
    for _ in range(20):
        table.tick()
        time.sleep(0.01)
    assert table.history.moves == []
    table.play(0)
    tick_until(table, lambda: len(table.history.moves) == 2)


def test_one_who_has_not_moved_yet_takes_nothing_back() -> None:
    table = session(FirstMovePlayer(GAME), YOU)
    tick_until(table, lambda: len(table.history.moves) == 1)
    table.undo()
    assert table.message == "there is no move to take back"
    assert len(table.history.moves) == 1


def test_a_hint_names_the_best_move_and_its_value() -> None:
    table = session(YOU, SolverPlayer(GAME))
    table.new_game(GAME.parse_moves("a1 b1 a2 b2"))
    table.ask_hint()
    tick_until(table, lambda: table.hint is not None)
    assert table.message == "hint: a3 (value +1.00), says solver"
    assert len(table.history.moves) == 4
    table.play(table.hint)
    assert table.hint is None
    table.ask_hint()
    assert table.message == "the game is over"


def test_two_people_are_given_hints_by_a_search() -> None:
    table = session(YOU, YOU)
    table.ask_hint()
    tick_until(table, lambda: table.hint is not None)
    assert table.message.startswith("hint: b2 (value ")
    assert table.message.endswith("says mcts:1000")


def test_sides_are_swapped_while_an_agent_thinks() -> None:
    held = HeldPlayer(GAME)
    table = session(YOU, held)
    table.play(4)
    table.tick()
    table.swap_sides()
    held.free.set()
    table.play(0)  # now as the second player
    tick_until(table, lambda: len(table.history.moves) == 3)
    assert table.history.moves == [4, 0, 1]


def test_strength_changes_the_next_search() -> None:
    table = session(YOU, rollout_player(GAME, ROLLOUT_CONFIG))
    table.change_strength(up=True)
    assert table.message == "mcts at 400 sims"
    table.play(4)
    tick_until(table, lambda: len(table.history.moves) == 2)
    assert table.found.snapshot.target == 400
    for _ in range(20):
        table.change_strength(up=False)
    assert table.chairs[1].title == "mcts at no search"
    assert isinstance(table.chairs[1].player, RandomPlayer)
    table = session(YOU, SolverPlayer(GAME))
    table.change_strength(up=True)
    assert "no agent here has a strength" in table.message


def test_agents_play_each_other_and_can_be_paused_and_stepped() -> None:
    table = session(FirstMovePlayer(GAME), FirstMovePlayer(GAME))
    table.pause()
    for count in (1, 2):
        table.step()
        tick_until(table, lambda n=count: len(table.history.moves) == n)
    for _ in range(20):
        table.tick()
        time.sleep(0.005)
    assert len(table.history.moves) == 2
    table.undo()
    assert len(table.history.moves) == 1
    table.pause()
    tick_until(table, lambda: table.is_over)
    assert table.history.moves == [0, 1, 2, 3, 4, 5, 6]
    table.step()
    assert table.message == "no agent is to move"


def test_a_move_of_two_agents_stays_for_a_moment() -> None:
    clock = Clock()
    table = GameSession(GAME, (FirstMovePlayer(GAME),) * 2, pace=1.0, now=clock)
    table.tick()
    assert table.thought is None
    clock.time += 1.0
    table.tick()
    assert table.thought is not None


def test_a_search_can_be_told_to_move_now() -> None:
    many = rollout_player(GAME, ROLLOUT_CONFIG)
    table = session(YOU, many)
    table.chairs[1].simulations = 10_000_000 // 100  # seconds of search
    table.play(4)
    table.tick()
    table.stop_thinking()
    tick_until(table, lambda: len(table.history.moves) == 2)
    assert table.found.snapshot.simulations < table.found.snapshot.target
    table.stop_thinking()
    assert table.message == "no agent is thinking"


def test_a_failing_agent_pauses_the_game_and_may_try_again() -> None:
    table = session(YOU, FailingPlayer(GAME))
    table.play(4)
    tick_until(table, lambda: table.paused)
    assert table.message == "failing failed: out of memory (p tries again)"
    table.pause()
    tick_until(table, lambda: len(table.history.moves) == 2)


def test_the_tree_asked_for_is_of_the_position_asked_for() -> None:
    table = session(YOU, rollout_player(GAME, ROLLOUT_CONFIG))
    table.new_game(GAME.parse_moves("a1 b1 a2"))
    table.pause()
    table.ask_tree([0])
    tick_until(table, lambda: table.opened is not None)
    assert (table.opened.moves, table.opened.side) == ((0,), 1)
    assert table.opened.forest.states[0, 0].tobytes() == GAME.position([0]).tobytes()
    assert len(table.history.moves) == 3


def test_the_analyst_is_who_can_search() -> None:
    search = rollout_player(GAME, ROLLOUT_CONFIG)
    assert session(YOU, search).analyst() is search
    assert isinstance(session(YOU, SolverPlayer(GAME)).analyst(), SearchPlayer)
    assert session(YOU, RandomPlayer(GAME)).adviser().name == "mcts:1000"


@pytest.mark.parametrize("text", ["", "a1 b1"])
def test_a_saved_game_tells_who_played(text: str) -> None:
    table = session(YOU, FirstMovePlayer(GAME))
    table.new_game(GAME.parse_moves(text))
    assert table.describe() == "X (red): you; O (yellow): first"

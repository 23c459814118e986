"""Othello against a slow reference that walks along lines over a dict of cells."""

import itertools

import numpy as np
import pytest

from envs.checks.trial import make_trial
from envs.game import position_key
from envs.othello import most_moves
from envs.registry import find_game

DIRECTIONS = [d for d in itertools.product((-1, 0, 1), repeat=2) if d != (0, 0)]


class SlowOthello:
    def __init__(self, size):
        self.size, self.to_play = size, 0
        low, high = size // 2 - 1, size // 2
        self.discs = {(low, low): 1, (high, high): 1, (low, high): 0, (high, low): 0}

    def flips(self, cell, side):
        if cell in self.discs:
            return []
        flipped = []
        for down, right in DIRECTIONS:
            line, (row, column) = [], (cell[0] + down, cell[1] + right)
            while self.discs.get((row, column)) == 1 - side:
                line.append((row, column))
                row, column = row + down, column + right
            if self.discs.get((row, column)) == side:
                flipped += line
        return flipped

    def moves(self, side):
        cells = itertools.product(range(self.size), repeat=2)
        return [
            row * self.size + column for row, column in cells if self.flips((row, column), side)
        ]

    def over(self):
        return not self.moves(0) and not self.moves(1)

    def legal(self):
        return self.moves(self.to_play) or [self.size**2]

    def step(self, action):
        if action < self.size**2:
            cell = divmod(action, self.size)
            for flipped in self.flips(cell, self.to_play):
                self.discs[flipped] = self.to_play
            self.discs[cell] = self.to_play
        self.to_play = 1 - self.to_play

    def value_to_play(self):
        own = sum(disc == self.to_play for disc in self.discs.values())
        return float(np.sign(2 * own - len(self.discs)))

    def planes(self):
        planes = np.zeros((2, self.size, self.size), np.float32)
        for (row, column), side in self.discs.items():
            planes[0 if side == self.to_play else 1, row, column] = 1
        return planes


def compare_with_reference(size, traces):
    """Assert that every position is as the slow rules have it; how many were compared."""
    for t in traces:
        slow = SlowOthello(size)
        for ply in range(len(t.states)):
            np.testing.assert_array_equal(t.planes[ply], slow.planes())
            assert t.sides[ply] == slow.to_play
            assert t.over[ply] == slow.over()
            if t.over[ply]:
                assert t.values[ply] == slow.value_to_play()
            else:
                assert t.legal_at(ply).tolist() == slow.legal()
                slow.step(t.actions[ply])
    return sum(len(t.states) for t in traces)


@pytest.mark.parametrize(("name", "size", "games"), [("othello6", 6, 60), ("othello", 8, 15)])
def test_random_games_equal_the_slow_reference(name, size, games):
    trial = make_trial(find_game(name), games, seed=11)
    assert all(t.over[-1] for t in trial.traces)
    assert compare_with_reference(size, trial.traces) == trial.positions > games * 20
    assert compare_with_reference(size, trial.compiled[:5]) > 5 * 20


def test_random_play_meets_passes_early_ends_and_both_results():
    """The games of the test above are no monoculture: what is rare does happen in them."""
    game = find_game("othello6")
    traces = make_trial(game, 60, seed=11).traces
    cells = game.num_actions - 1
    assert any(cells in t.actions for t in traces)
    assert {t.values[-1] for t in traces} >= {-1.0, 1.0}
    assert any(t.planes[-1].sum() < cells for t in traces)
    assert {t.states[-1]["side"] for t in traces} == {0, 1}


def test_the_shortest_wipe_out():
    game = find_game("othello")
    end = game.position(game.parse_moves("e6 f4 e3 f6 g5 d6 e7 f5 c5"))
    assert game.rules.is_terminal(end)
    assert game.rules.value_to_play(end) == -1.0
    assert "X 13  O 0" in game.render(end)


def test_a_pass_is_legal_only_for_want_of_a_move():
    game = find_game("othello")
    moves = game.parse_moves("c4 c3 c2 b2 e6 c1 a1 a3")
    for length in range(len(moves)):
        assert not game.legal_mask(game.position(moves[:length]))[64]
    assert np.flatnonzero(game.legal_mask(game.position(moves))).tolist() == [64]
    assert game.parse_moves(game.format_moves([*moves, 64]))[-1] == 64
    after = game.position([*moves, 64])
    assert game.rules.to_play(after) == 1
    assert after["own"] == game.position(moves)["opponent"]


@pytest.mark.parametrize(("name", "size"), [("othello6", 6), ("othello", 8)])
def test_boards_that_never_arise_equal_the_slow_reference(name, size):
    """Discs strewn anywhere: lines that would wrap around an edge, or cross the whole board."""
    game, rng = find_game(name), np.random.default_rng(7)
    cells = size * size
    for _ in range(150):
        slow, state = SlowOthello(size), game.new_state()
        owner = rng.choice([0, 1, 2], cells, p=[0.35, 0.4, 0.25])
        slow.discs = {divmod(c, size): int(side) for c, side in enumerate(owner) if side < 2}
        for field, side in (("own", 0), ("opponent", 1)):
            state[field] = np.uint64(sum(1 << int(c) for c in np.flatnonzero(owner == side)))
        for _ in range(2):  # a pass makes the record work out the other side's moves
            game.rules.step(state, cells)
        assert game.rules.is_terminal(state) == slow.over()
        if slow.over():
            continue
        assert np.flatnonzero(game.legal_mask(state)).tolist() == slow.legal()
        action = int(rng.choice(slow.legal()))
        game.rules.step(state, action)
        slow.step(action)
        np.testing.assert_array_equal(game.encode(state), slow.planes())


@pytest.mark.parametrize("name", ["othello", "othello6"])
def test_symmetries_keep_the_start(name):
    game = find_game(name)
    start = game.encode(game.new_state())
    assert len(game.symmetries) == 4
    for symmetry in range(4):
        np.testing.assert_array_equal(game.symmetries.planes(start, symmetry), start)


def test_the_bound_on_moves():
    assert most_moves(8) == 46
    assert most_moves(6) == 25
    assert most_moves(8) >= 33  # the largest number known


@pytest.mark.parametrize("field", ["own", "opponent"])
def test_keys_tell_the_last_rows_apart(field):
    """High bits alone: a key that only adds products of the two boards confuses these."""
    game = find_game("othello")
    other = {"own": "opponent", "opponent": "own"}[field]
    keys = set()
    for content in range(256):
        for rest in range(0, 256, 5):
            state = game.new_state()
            state[field] = np.uint64(content << 56)
            state[other] = np.uint64((rest & ~content) << 56)
            keys.add((position_key(state), int(state["own"]), int(state["opponent"])))
    assert len({key for key, _, _ in keys}) == len(keys) > 1000

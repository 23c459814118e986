"""Go rules compiled outside a Game, for boards and switches that no registered game has."""

import numpy as np
from numba import njit

from envs.game import advance
from envs.go.board import make_board
from envs.go.rules import make_step_rules, record_fields
from envs.go.scoring import make_scoring


class Driver:
    """One game at a time by the compiled rules, with its past."""

    def __init__(self, rules, compiled=True):
        wrap = njit if compiled else lambda function: function
        self.rules = rules
        made = [wrap(function) for function in make_step_rules(rules)]
        self._reset, self._legal, self._step, self._remember, self._value, _ = made
        board = make_board(rules.rows, rules.columns)
        self._area = wrap(make_scoring(board, rules.suicide).area)
        self.states = np.zeros(1, np.dtype(record_fields(rules.rows, rules.columns)))
        self._actions = np.zeros(rules.rows * rules.columns + 1, np.int32)
        self.reset()

    @property
    def state(self):
        return self.states[0]

    def reset(self):
        self._reset(self.state)
        self.keys = []

    def legal(self):
        return self._actions[: self._legal(self.state, self._actions)].tolist()

    def step(self, action):
        self.keys.append(self.state["key"])
        self._step(self.state, action)
        self.recall()

    def recall(self):
        self._remember(self.state, np.array(self.keys, np.uint64), len(self.keys))

    def over(self):
        return bool(self.state["over"])

    def value_to_play(self):
        return self._value(self.state)

    def area(self):
        """Black's points minus White's, komi aside."""
        return self._area(self.state["stones"])

    def stones(self):
        """The stones as SlowGo has them."""
        found, stride = {}, self.rules.columns + 1
        for side in (0, 1):
            bits = int.from_bytes(self.state["stones"][side].tobytes(), "little")
            for point in range(self.rules.rows * stride):
                if bits >> point & 1:
                    found[divmod(point, stride)] = side
        return found


def random_line(game, plies, seed):
    """The positions of a random game without passes, up to `plies` long or where none is left."""
    rng, states, keys = np.random.default_rng(seed), [game.new_state()], np.zeros(plies, np.uint64)
    for ply in range(plies):
        if game.rules.is_terminal(states[-1]):
            break
        legal = game.legal_actions(states[-1])
        states.append(states[-1].copy())
        advance(states[-1], keys, ply, int(rng.choice(legal[:-1] if len(legal) > 1 else legal)))
    return np.array(states)

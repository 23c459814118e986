"""The contract suite on every game, and proof that each of its checks can fail."""

from dataclasses import replace

import numpy as np
import pytest
from numba.extending import register_jitable

from envs import tic_tac_toe
from envs.checks.contract import CHECKS, check, make_trial
from envs.checks.trial import ContractError
from envs.game import GameError, Rules
from envs.registry import find_game
from envs.symmetry import Symmetries, dihedral, identity
from tests.envs.sizes import RANDOM_GAMES, SMALL

GAME = tic_tac_toe.GAME
BY_NAME = {function.__name__.removeprefix("check_"): function for function in CHECKS}


@pytest.fixture(scope="module", params=SMALL)
def trial(request):
    return make_trial(find_game(request.param), games=RANDOM_GAMES[request.param], seed=3)


@pytest.mark.parametrize("name", BY_NAME)
def test_contract(trial, name):
    assert BY_NAME[name](trial) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_contract_on_many_games(name):
    report = check(find_game(name), games=12 * RANDOM_GAMES[name], seed=4)
    assert report.ok, report


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chess", "shogi", "go9", "go9_from7", "hex11", "gomoku15"])
def test_contract_on_large_boards(name):
    report = check(find_game(name), games=1, seed=4)
    assert report.ok, report


# Planted bugs: each is tic-tac-toe with one thing broken.

empty_cells = register_jitable(tic_tac_toe.legal_actions)
lay_stone = register_jitable(tic_tac_toe.step)
clear_board = register_jitable(tic_tac_toe.reset)
hash_board = register_jitable(tic_tac_toe.position_key)


def reset_but_lost(state):
    state["own"] = 0
    state["opponent"] = 0
    state["side"] = 0


def reset_second_to_move(state):
    tic_tac_toe.reset(state)
    state["side"] = 1


def never_over_when_full(state):
    return state["lost"] != 0


def write_out_of_range(state, actions):
    actions[len(actions)] = 0
    return tic_tac_toe.legal_actions(state, actions)


def list_the_first_twice(state, actions):
    count = empty_cells(state, actions)
    actions[count] = actions[0]
    return count + 1


def list_a_cell_outside(state, actions):
    count = empty_cells(state, actions)
    actions[count] = 9
    return count + 1


def refuse_the_first_corner(state, action):
    if action == 0 and state["own"] | state["opponent"] == 0:
        raise ValueError("no corner")
    tic_tac_toe.step(state, action)


def step_on_the_neighbour(state, action):
    if state.base is not None and len(state.base) == 3:
        state.base["side"][2] ^= 1
    tic_tac_toe.step(state, action)


HISTORY = []


def step_by_hidden_state(state, action):
    HISTORY.append(action)
    tic_tac_toe.step(state, action)
    state["lost"] |= len(HISTORY) > 200


def count_plies_as_sides(state):
    return bin(state["own"] | state["opponent"]).count("1")


def value_out_of_range(state):
    return -2.0 if state["lost"] != 0 else 0.0


def value_not_a_number(state):
    return float("nan")


def value_of_something_unseen(state):
    return 1.0 if state["unseen"] > 4 else 0.0


def step_and_remember(state, action):
    lay_stone(state, action)
    state["unseen"] = action


def is_terminal_that_writes(state):
    state["side"] ^= 1
    return tic_tac_toe.is_terminal(state)


def legal_actions_that_write(state, actions):
    state["lost"] ^= 2
    return tic_tac_toe.legal_actions(state, actions)


def plane_of_two(state, planes):
    planes[0, 0, 0] = 2.0


def plane_of_nan(state, planes):
    planes[1, 2, 1] = np.nan


def planes_out_of_range(state, planes):
    planes[0, 0, 3] = 1.0


def planes_not_symmetric(state, planes):
    planes[0, 0, 0] = state["side"]


def no_rising_diagonal(state):
    for line in (0o421, 0o007, 0o070, 0o700, 0o111, 0o222, 0o444):
        if state["opponent"] & line == line:
            return True
    return state["own"] | state["opponent"] == 0o777


def not_in_the_first_corner(state, actions):
    count = empty_cells(state, actions)
    if state["own"] | state["opponent"] == 0:
        count -= 1
        actions[0] = actions[count]
    return count


def unsigned_and_signed(state):  # compiled, uint64 times int64 is a float64
    return np.uint64(state["own"]) * 0x1E3779B97F4A7C15 + state["opponent"]


BIG = 1 << 62


def wide_integers(state):  # plain Python does not wrap at 64 bits
    return 1 if BIG * BIG > 0 else 0


def python_only(state):
    return HISTORY.count(state["side"]) & 0


def constant_key(state):
    return np.uint64(7)


def key_of_the_last_move(state):
    return np.uint64(hash_board(state) + np.uint64(state["unseen"]))


def key_with_history(state):
    return np.uint64(state["key"])


def step_with_history(state, action):
    lay_stone(state, action)
    state["key"] = (state["key"] * 31 + action + 1) % 1000003


BIG_TABLE = np.zeros(126_000)


def terminal_by_a_table(state):
    return tic_tac_toe.is_terminal(state) or look_up(state["own"]) > 0.0


@register_jitable
def look_up(index):
    return BIG_TABLE[index]


def count_down(number):
    return 0 if number <= 0 else count_further(number - 1)


def count_further(number):
    return count_down(number - 1)


def side_by_recursion(state):
    return state["side"] + count_down(int(state["side"]))


WITH_UNSEEN = [*GAME.fields, ("unseen", "i4")]
WITH_KEY = [*GAME.fields, ("key", "i8")]


def reset_unseen(state):
    clear_board(state)
    state["unseen"] = 0


def reset_key(state):
    clear_board(state)
    state["key"] = 0


CROSSED = np.array([[0, 1]] + 7 * [[1, 0]], np.int32)

PLANTED = [
    # name, check that must fail, words of its message, what is broken
    ("unreset", "start", "'': reset does not write the field 'lost'", {"reset": reset_but_lost}),
    ("second", "start", "to_play is 1 at the start", {"reset": reset_second_to_move}),
    ("stuck", "always_a_move", "no action is legal", {"is_terminal": never_over_when_full}),
    ("long", "ends_in_time", "goes on after max_plies=4", {"max_plies": 4}),
    ("wide", "legal_count", "9 actions are legal, more than max_legal=8", {"max_legal": 8}),
    ("twice", "legal_list", "action 0 is listed more", {"legal_actions": list_the_first_twice}),
    ("outside", "legal_list", "action 9 is listed, exp", {"legal_actions": list_a_cell_outside}),
    ("sides", "sides", "to_play is 2, expected 0 or 1", {"to_play": count_plies_as_sides}),
    ("two", "values", r"value_to_play is -2\.0, expected", {"value_to_play": value_out_of_range}),
    ("nan", "values", "value_to_play is nan", {"value_to_play": value_not_a_number}),
    (
        "unseen",
        "values",
        r"value_to_play is (0|1)\.0, but (0|1)\.0 after '[abc123 ]+', which encodes the same",
        {
            "value_to_play": value_of_something_unseen,
            "step": step_and_remember,
            "reset": reset_unseen,
            "fields": WITH_UNSEEN,
        },
    ),
    ("neighbour", "legal_steps", "step changed another record", {"step": step_on_the_neighbour}),
    (
        "end_writes",
        "reading",
        "is_terminal changed the rec",
        {"is_terminal": is_terminal_that_writes},
    ),
    (
        "list_writes",
        "reading",
        "'': legal_actions changed the record",
        {"legal_actions": legal_actions_that_write},
    ),
    ("float_key", "compiled", "keys differ: interpreted", {"position_key": unsigned_and_signed}),
    ("wide_ints", "compiled", "sides differ: interpreted .*, compiled", {"to_play": wide_integers}),
    ("python", "compiled", "do not compile: TypingError: [^$]*HISTORY", {"to_play": python_only}),
    ("hidden", "replay", "played again the record is", {"step": step_by_hidden_state}),
    ("plane2", "encode", r"planes\[0, 0, 0\] is 2\.0, expected", {"encode": plane_of_two}),
    ("planenan", "encode", r"planes\[1, 2, 1\] is nan, expected", {"encode": plane_of_nan}),
    (
        "repeated",
        "symmetries",
        "symmetries.actions are not permutations of 9",
        {"symmetries": Symmetries(dihedral(3), np.zeros((8, 9), np.int32))},
    ),
    (
        "short",
        "symmetries",
        "symmetries.cells are not permutations of 9",
        {"symmetries": identity(8, 9)},
    ),
    (
        "no_identity",
        "symmetries",
        r"symmetries.cells\[0\] is not the identity",
        {"symmetries": Symmetries(dihedral(3)[::-1], dihedral(3)[::-1])},
    ),
    (
        "unturned",
        "symmetries",
        "symmetry 1 does not commute with encode",
        {"symmetries": Symmetries(dihedral(3), np.tile(np.arange(9, dtype=np.int32), (8, 1)))},
    ),
    (
        "diagonal",
        "symmetries",
        "does not commute with is_term",
        {"is_terminal": no_rising_diagonal},
    ),
    (
        "corner",
        "symmetries",
        "'': symmetry [1-7] does not commute with legal_actions",
        {"legal_actions": not_in_the_first_corner},
    ),
    ("tinted", "symmetries", "does not commute with encode", {"encode": planes_not_symmetric}),
    ("same_name", "notation", "actions 0 and 1 are both 'a1'", {"format_action": lambda a: "a1"}),
    (
        "spaced",
        "notation",
        "action 0, 'cell 0', is split by the separator ' '",
        {"format_action": lambda a: f"cell {a}"},
    ),
    (
        "off_by_one",
        "notation",
        "action 0 is 'a1', read back as 1",
        {"parse_action": lambda text: tic_tac_toe.parse_action(text) + 1},
    ),
    (
        "anything",
        "notation",
        "the move '\\?!' is accepted",
        {"parse_action": lambda text: 4 if text == "?!" else tic_tac_toe.parse_action(text)},
    ),
    ("constant", "position_key", "is also that of ''", {"position_key": constant_key}),
    (
        "history",
        "position_key",
        "position_key differs after '[abc123 ]+', the same position",
        {
            "position_key": key_with_history,
            "step": step_with_history,
            "reset": reset_key,
            "fields": WITH_KEY,
        },
    ),
    (
        "table",
        "caching",
        "is_terminal reads the table 'BIG_TABLE' of 1,008,000 bytes, expected at most 1,000,000",
        {"is_terminal": terminal_by_a_table},
    ),
    (
        "recursion",
        "caching",
        r"to_play calls itself \(count_down -> count_further -> count_down\), expected a loop",
        {"to_play": side_by_recursion},
    ),
    (
        "swapped",
        "symmetries",
        "symmetries.channels are not permutations of 2",
        {"symmetries": Symmetries(dihedral(3), dihedral(3), np.zeros((8, 2), np.int32))},
    ),
    (
        "crossed",
        "symmetries",
        "symmetry 1 does not commute with encode",
        {"symmetries": Symmetries(dihedral(3), dihedral(3), CROSSED)},
    ),
    ("blank", "rendering", "render gives ' ', expected a drawing", {"render": lambda state: " "}),
    ("still", "rendering", "draws the position as before", {"render": lambda state: "board"}),
]


def plant(name, changes):
    rules = {key: rule for key, rule in changes.items() if key in Rules.__dataclass_fields__}
    rest = {key: value for key, value in changes.items() if key not in rules}
    return replace(GAME, name=f"planted_{name}", rules=replace(GAME.rules, **rules), **rest)


@pytest.mark.parametrize(("name", "broken", "message", "changes"), PLANTED)
def test_a_planted_bug_is_found(name, broken, message, changes):
    game = plant(name, changes)
    HISTORY.clear()
    trial = make_trial(game, games=25, seed=3)
    with pytest.raises(ContractError, match=message) as caught:
        BY_NAME[broken](trial)
    assert str(caught.value).startswith(f"planted_{name}")


def test_a_legal_action_that_cannot_be_played_is_found():
    game = plant("unplayable", {"step": refuse_the_first_corner})
    message = r"'a1': .* raised ValueError: no corner \(in refuse_the_first_corner, line"
    with pytest.raises(ContractError, match=message):
        BY_NAME["legal_steps"](make_trial(game, games=1))


def test_every_check_has_a_planted_bug():
    assert {broken for _, broken, _, _ in PLANTED} == set(BY_NAME)


@pytest.mark.parametrize(
    ("name", "message", "changes"),
    [
        (
            "list_range",
            r"after '': the interpreted rules raised IndexError: .* \(in write_out_of_range, line",
            {"legal_actions": write_out_of_range},
        ),
        (
            "plane_range",
            r"raised IndexError: .* \(in planes_out_of_range, line",
            {"encode": planes_out_of_range},
        ),
    ],
)
def test_a_rule_that_raises_ends_the_suite_before_anything_is_compiled(name, message, changes):
    report = check(plant(name, changes), games=3)
    assert [outcome.name for outcome in report.outcomes] == ["play"]
    with pytest.raises(ContractError, match=message):
        make_trial(plant(name, changes), games=3)
    assert "FAILED  play" in str(report)
    assert not report.ok


def test_a_key_that_tells_the_same_positions_apart_now_and_then_is_allowed():
    """Rules may remember what the planes do not show; only a key that never agrees is a bug."""
    changes = {
        "position_key": key_of_the_last_move,
        "step": step_and_remember,
        "reset": reset_unseen,
        "fields": WITH_UNSEEN,
    }
    assert BY_NAME["position_key"](make_trial(plant("last", changes), games=25)) > 0


def test_the_report_lists_every_check_and_goes_on_after_a_failure():
    report = check(plant("report", {"max_plies": 4, "render": lambda state: 1 // 0}), games=5)
    failed = {o.name: o.failure for o in report.outcomes if o.failure is not None}
    assert set(failed) == {"ends_in_time", "rendering"}
    assert (
        failed["rendering"]
        == "planted_report: ZeroDivisionError: integer division or modulo by zero"
    )
    assert [o.name for o in report.outcomes] == list(BY_NAME)
    assert str(report).count("FAILED") == 2
    assert "ok      legal_count" in str(report)


def test_reports_are_deterministic():
    assert check(GAME, games=5, seed=1) == check(GAME, games=5, seed=1)


def test_rules_with_other_parameters_are_refused_at_once():
    def step(position, move):
        pass

    with pytest.raises(GameError, match=r"rule step\('position', 'move'\) must take exactly"):
        plant("parameters", {"step": step})

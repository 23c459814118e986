"""What holds in every match of Lanes, whatever is done: bounds, sums, sides, ends, replays."""

from itertools import pairwise

import numpy as np
import pytest

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes import stepping
from envs.lanes.batch import LanesVector, find_mode
from envs.lanes.scripts import SCRIPTS
from tests.envs.lanes.playing import MixedPlay, legal_actions, masks_of, play, scripted_actions
from tests.envs.lanes.twin_records import orders_of

MODES = list(r.MODES)
LONGEST = r.LIMIT // r.TICKS
STATE = ("matches", "units", "heroes", "seen")


def state_of(vector, m):
    """Return copies of the records of a match."""
    return [getattr(vector, name)[m].copy() for name in STATE]


# --- bounds and sums, each tick -----------------------------------------------------------------


def check_bounds(units, heroes, layout):
    living = units["alive"] == 1
    assert np.isin(units["alive"], (0, 1)).all()
    assert ((units["hp"] > 0) == living).all()
    assert (units["hp"] <= units["max_hp"]).all()
    for name in ("x", "y"):
        assert (np.abs(units[name]) <= r.EDGE).all(), name
    for name in ("cooldown", "stun", "slow", "wait"):
        assert (units[name] >= 0).all(), name
    for name in ("stun", "slow"):
        assert (units[name][~living] == 0).all(), name
    waits = (units["kind"] == r.HERO) | (units["kind"] == r.NEUTRAL)
    assert ((units["wait"] > 0) == (waits & ~living)).all()
    for name in ("cooldown_a", "cooldown_b", "recall", "aggro", "gold", "mana", "xp"):
        assert (heroes[name] >= 0).all(), name
    assert (heroes["mana"] <= heroes["max_mana"]).all()
    levels = units["level"][: layout.structures]
    assert (heroes["xp"] >= r.XP_OF_LEVEL[levels]).all()
    below = levels < r.MOST_LEVEL
    assert (heroes["xp"][below] < r.XP_OF_LEVEL[levels[below] + 1]).all()


def cost_of(items):
    return sum(int(r.ITEM_COST[i]) for i in range(len(r.ITEMS)) if items >> i & 1)


def check_gold(before, after, layout):
    """See that a tick's gold is that of purchases and of the deaths of this tick."""
    (_, units, heroes, _), (_, new_units, new_heroes, _) = before, after
    won = new_heroes["won_gold"] - heroes["won_gold"]
    for old, new, gain in zip(heroes, new_heroes, won, strict=True):
        spent = cost_of(int(new["items"])) - cost_of(int(old["items"]))
        assert new["gold"] == old["gold"] + gain - spent
    died = (units["alive"] == 1) & (new_units["alive"] == 0)
    for team in (0, 1):
        mine = slice(team * layout.agents, (team + 1) * layout.agents)
        theirs = died & (units["team"] == 1 - team)
        fallen = (theirs & np.isin(units["kind"], (r.TOWER, r.CORE))).sum()
        creeps = int((theirs & (units["kind"] == r.CREEP)).sum())
        neutrals = int((died & (units["kind"] == r.NEUTRAL)).sum())
        hits = int((new_heroes["last_hits"] - heroes["last_hits"])[mine].sum())
        kills = int((new_heroes["kills"] - heroes["kills"])[mine].sum())
        assert kills <= (theirs & (units["kind"] == r.HERO)).sum()
        rest = won[mine].sum() - kills * r.HERO_GOLD - fallen * r.TOWER_GOLD * layout.agents
        assert any(
            0 <= rest - (hits - b) * r.CREEP_GOLD - b * r.NEUTRAL_GOLD <= kills * r.ASSIST_GOLD
            for b in range(min(hits, neutrals) + 1)
            if hits - b <= creeps
        ), f"{won[mine]} for {hits} last hits, {kills} kills, {fallen} structures"


@pytest.mark.parametrize("name", MODES)
def test_bounds_and_gold_hold_each_tick(name):
    vector = LanesVector(name, 6, seed=1)
    mixed = MixedPlay(np.random.default_rng(2))
    deaths = 0
    for step in range(420):
        actions = mixed.actions(vector)
        m = step % vector.count
        orders = orders_of(vector, m, actions[m])
        state = state_of(vector, m)
        for hero, order in zip(state[2], orders, strict=True):
            hero["primary"], hero["direction"], hero["order_target"] = order
            hero["spent"] = hero["won_gold"] = 0
        for _ in range(r.TICKS):
            before = [part.copy() for part in state]
            matches = state[0].reshape(1)
            stepping.tick(matches[0], *state[1:], vector.layout)
            check_bounds(*state[1:3], vector.layout)
            check_gold(before, state, vector.layout)
            kills = state[0]["kills"]
            deaths_of = [part["deaths"].sum() for part in np.split(state[2], 2)]
            assert kills.tolist() == deaths_of[::-1]
            deaths += int((before[1]["alive"] > state[1]["alive"]).sum())
        vector.step(actions)
    assert deaths > 50


# --- the two sides ------------------------------------------------------------------------------


def swapped(array, axis=1):
    """Return an array with the halves of an axis changed for each other."""
    return np.concatenate(np.split(array, 2, axis)[::-1], axis)


def mirrored_units(vector):
    """Return the units as the mirror image of a match has them, [m, units]."""
    layout = vector.layout
    bounds = [0, layout.structures, layout.creeps, layout.neutrals, layout.units]
    parts = [np.arange(a, b) for a, b in pairwise(bounds)]
    other = np.concatenate([swapped(part, 0) for part in parts])
    units = vector.units[:, other].copy()
    for name in ("x", "to_x", "push_x"):
        units[name] = -units[name]
    units["team"] = np.array([1, 0, 2])[units["team"]]
    units["target"] = np.where(units["target"] < 0, -1, other[units["target"]])
    camps = units["lane"][:, layout.neutrals :]
    units["lane"][:, layout.neutrals :] = (camps + r.CAMPS // 2) % r.CAMPS
    return units


@pytest.mark.parametrize("name", MODES)
def test_swapped_sides_play_the_mirrored_match(name):
    one, other = (LanesVector(name, 8, seed=5) for _ in range(2))
    mixed = MixedPlay(np.random.default_rng(6), legal=0.3)
    ended = 0
    for step in range(LONGEST):
        actions = mixed.actions(one)
        steps, mirror = one.step(actions), other.step(swapped(actions))
        assert np.array_equal(swapped(one.rows), other.rows)
        assert np.array_equal(swapped(steps.rewards), mirror.rewards)
        assert np.array_equal(swapped(steps.scores), mirror.scores)
        assert np.array_equal(steps.terminated, mirror.terminated)
        ended += int(steps.terminated.sum())
        if step % 10:
            continue
        ours, theirs = mirrored_units(one), other.units
        for field in ours.dtype.names:
            assert np.array_equal(ours[field], theirs[field]), field
    assert ended >= 8


def test_several_heroes_push_a_neutral_alike_from_both_sides():
    # Sums of float32 depend on their order; the game's are exact.
    rng = np.random.default_rng(0)
    vector = LanesVector("lanes_5v5", 1)
    layout, neutral = vector.layout, vector.layout.neutrals
    pushers = [(team * 5 + role, skill) for team in (0, 1) for role, skill in ((3, 1), (4, 0))]
    for _ in range(200):
        places = rng.uniform(-2, 2, (4, 2))
        ends = []
        for side in (1.0, -1.0):
            vector.start(np.array([1], np.uint64))
            units, heroes = vector.units[0], vector.heroes[0]
            goal = units[neutral if side > 0 else neutral + 2]
            for (index, skill), (x, y) in zip(pushers, places, strict=True):
                hero = index if side > 0 else (index + 5) % 10
                units["x"][hero] = goal["x"] + side * x
                units["y"][hero] = goal["y"] + y
                heroes["primary"][hero] = r.SKILL_A + skill
                heroes["order_target"][hero] = neutral if side > 0 else neutral + 2
            stepping.tick(vector.matches[0], units, heroes, vector.seen[0], layout)
            ends.append((side * goal["x"], goal["y"]))
        assert ends[0] == ends[1]


# --- the end ------------------------------------------------------------------------------------


def test_two_teams_that_hold_draw_at_the_time_limit():
    vector = LanesVector("lanes_3v3", 2)
    holding = np.zeros((2, 6, 3), np.int8)
    for _ in range(LONGEST - 1):
        assert not vector.step(holding).terminated.any()
    steps = vector.step(holding)
    assert steps.terminated.all()
    assert not steps.truncated.any()
    assert (steps.scores == 0.5).all()
    assert (steps.lengths == LONGEST).all()
    assert (vector.matches["tick"] == 0).all()


def test_a_match_ends_at_the_time_limit():
    vector = LanesVector("lanes_1v1", 16, seed=1)
    mixed = MixedPlay(np.random.default_rng(1))
    lengths = []
    for _ in range(2 * LONGEST):
        steps = vector.step(mixed.actions(vector))
        lengths.extend(steps.lengths[steps.terminated])
    assert len(lengths) >= 32
    assert min(lengths) < max(lengths) == LONGEST


@pytest.mark.parametrize(
    ("fallen", "kills", "winner"),
    [
        ([], (0, 0), r.DRAW),
        ([], (3, 2), 0),
        ([], (2, 3), 1),
        ([(0, 0)], (9, 0), 1),  # towers count before kills
        ([(1, 2)], (0, 9), 0),
        ([(0, 0), (1, 2)], (1, 1), r.DRAW),
        ([(0, 0), (1, 2)], (1, 2), 1),
        ([(0, 0), (0, 2), (1, 0)], (5, 1), 1),
    ],
)
def test_the_tie_break_at_the_time_limit(fallen, kills, winner):
    vector = LanesVector("lanes_3v3", 1)
    vector.matches["tick"] = r.LIMIT - r.TICKS
    vector.matches["kills"] = kills
    fell(vector, fallen)
    vector.step(np.zeros((1, 6, 3), np.int8))
    assert vector.winners[0] == winner


def fell(vector, structures):
    for team, number in structures:
        index = vector.layout.structures + team * vector.layout.towers + number
        vector.units["alive"][0, index] = vector.units["hp"][0, index] = 0


@pytest.mark.parametrize(
    ("cores", "winner"), [([0], 1), ([1], 0), ([0, 1], r.DRAW), ([], r.RUNNING)]
)
def test_a_fallen_core_ends_the_match(cores, winner):
    vector = LanesVector("lanes_3v3", 1)
    vector.matches["kills"] = (7, 0)  # does not count
    fell(vector, [(team, vector.layout.towers - 1) for team in cores])
    vector.step(np.zeros((1, 6, 3), np.int8))
    assert vector.winners[0] == winner


# --- replays, threads ---------------------------------------------------------------------------


def final_state(vector, seed, actions):
    """Play the actions of a match, [n, 1, players, 3]; return its last state as bytes."""
    vector.start(np.array([seed], np.uint64))
    for action in actions[:-1]:
        assert not vector.step(action).terminated[0]
    parts = (*(getattr(vector, name)[0] for name in STATE), vector.targets[0], vector.rows[0])
    stepping.decide(*parts, actions[-1][0], vector.layout)
    assert vector.matches["winner"][0] != r.RUNNING
    return b"".join(getattr(vector, name)[0].tobytes() for name in STATE)


@pytest.mark.parametrize("name", MODES)
def test_a_replay_of_a_seed_and_actions_ends_in_the_same_state(name):
    vector = LanesVector(name, 1, seed=9)
    mixed = MixedPlay(np.random.default_rng(9))
    seed, actions = vector.matches["seed"][0], []
    while not actions or vector.winners[0] == r.RUNNING:
        actions.append(mixed.actions(vector))
        vector.step(actions[-1])
    used = final_state(vector, seed, actions)  # in the place of other matches
    assert used == final_state(LanesVector(name, 1), seed, actions)
    hit = next(i for i, action in enumerate(actions) if (action[0, :, 0] == r.ATTACK).any())
    changed = [np.zeros_like(action) if i == hit else action for i, action in enumerate(actions)]
    vector.start(np.array([seed], np.uint64))
    for action in changed[: len(actions) - 1]:
        vector.step(action)
    assert vector.units[0].tobytes() not in used


def test_threads_change_nothing():
    one, three = (LanesVector("lanes_3v3", 7, seed=3, threads=n) for n in (1, 3))
    mixed = MixedPlay(np.random.default_rng(3))
    for _ in range(200):
        actions = mixed.actions(one)
        for vector in (one, three):
            vector.step(actions)
    assert np.array_equal(one.rows, three.rows)
    assert np.array_equal(one.rewards, three.rewards)
    three.close()


# --- actions, rewards, scripts ------------------------------------------------------------------


@pytest.mark.parametrize("name", MODES)
def test_what_the_masks_allow_is_done_and_nothing_else(name):
    vector = LanesVector(name, 16, seed=1)
    rng = np.random.default_rng(1)
    mixed = MixedPlay(rng)
    for _ in range(30):
        play(vector, 20, mixed)
        masks = masks_of(vector).copy()
        actions, targets = legal_actions(vector, rng), vector.targets.copy()
        wrong = rng.random(actions.shape[:2]) < 0.3
        actions[wrong, 0] = (rng.random((wrong.sum(), 10)) * (masks[wrong][:, :10] == 0)).argmax(1)
        base = vector.heroes["items"].copy()
        vector.step(actions)
        runs = vector.winners == r.RUNNING
        heroes = vector.heroes[runs]
        for hero, action, mask, target, items in zip(
            heroes.ravel(),
            actions[runs].reshape(-1, 3),
            masks[runs].reshape(-1, s.MASK),
            targets[runs].reshape(-1, s.TARGETS),
            base[runs].ravel(),
            strict=True,
        ):
            primary = action[0]
            assert hero["primary"] == (primary if mask[primary] else r.HOLD)
            if mask[primary] and primary >= r.BUY:
                assert hero["items"] == items | 1 << (primary - r.BUY)
            else:
                assert hero["items"] == items
            if hero["primary"] == r.ATTACK:
                assert hero["order_target"] == target[action[2]] >= 0


def test_rewards_sum_to_zero_and_differ_in_a_team():
    vector = LanesVector("lanes_5v5", 16, seed=2)
    mixed = MixedPlay(np.random.default_rng(2))
    most = 0.0
    for _ in range(200):
        rewards = vector.step(mixed.actions(vector)).rewards
        np.testing.assert_allclose(rewards.sum(1), 0, atol=1e-5)
        teams = rewards.reshape(16, 2, 5)
        most = max(most, float(np.ptp(teams, axis=-1).max()))
    assert most > 0.1


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize(("better", "worse"), [("pusher", "wanderer"), ("fighter", "pusher")])
def test_the_better_script_wins(name, better, worse):
    count = 24
    vector = LanesVector(name, count, seed=4)
    ours, theirs = SCRIPTS.index(better), SCRIPTS.index(worse)
    scripts = np.array([(ours, theirs), (theirs, ours)] * (count // 2), np.int8)
    score, games = 0.0, 0
    first = np.ones(count, bool)  # a place's later matches favour the short ones
    for _ in range(LONGEST):
        steps = vector.step(scripted_actions(vector, scripts))
        ends = steps.terminated & first
        score += steps.scores[ends, np.flatnonzero(ends) % 2].sum()
        games += int(ends.sum())
        first &= ~steps.terminated
    assert games == count
    assert score / games > 0.6, f"{better} scores {score} of {games} against {worse}"


# --- what a user gets wrong ---------------------------------------------------------------------


def test_wrong_names_counts_and_shapes_are_refused():
    with pytest.raises(ValueError, match="did you mean 'lanes_5v5'"):
        find_mode("lanes_5v")
    with pytest.raises(ValueError, match="count = 0"):
        LanesVector("lanes_1v1", 0)
    with pytest.raises(ValueError, match="shape"):
        LanesVector("lanes_1v1", 2).step(np.zeros((2, 3, 3), np.int8))

"""Advance many matches of Lanes by a decision, in one compiled call."""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.compiling import compiled
from envs.lanes.engine.minions import act_core, act_lane, act_neutral
from envs.lanes.engine.orders import act_hero
from envs.lanes.engine.resolution import begin_tick, resolve
from envs.lanes.engine.rewards import begin_rewards, write_rewards
from envs.lanes.engine.start import send_wave, start_match
from envs.lanes.engine.vision import look
from envs.lanes.observations.masks import write_masks
from envs.lanes.observations.observing import observe, put_match
from envs.lanes.observations.shared import gather, new_shared
from envs.lanes.observations.true_state import write_states

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@compiled
def tick(match, units, heroes, seen, layout):
    """Advance a match by a tick: all units act on how things stood at its start."""
    begin_tick(match, units, heroes, layout)
    if match.tick >= r.FIRST_WAVE and (match.tick - r.FIRST_WAVE) % r.WAVE_PERIOD == 0:
        send_wave(match, units, layout)
    for index in range(layout.structures):
        act_hero(match, units, heroes, seen, index, layout)
    for lane in range(layout.lanes):
        act_lane(units, heroes, lane, layout)
    for team in range(2):
        act_core(units, heroes, team, layout)
    for number in range(r.CAMPS):
        neutral = units[layout.neutrals + number]
        if neutral.alive:
            act_neutral(units, neutral, number, layout)
    resolve(match, units, heroes, layout)
    match.tick += 1


@compiled
def _give_order(hero, targets, mask, action):
    """Take an action int8 [3] as an order: a hero that may not choose it holds."""
    primary, direction, target = action[0], action[1], action[2]
    hero.primary, hero.direction, hero.order_target, hero.spent = r.HOLD, 0, -1, 0
    if primary < 0 or primary >= len(r.PRIMARIES) or not mask[primary]:
        return
    is_skill = primary == r.SKILL_A or primary == r.SKILL_B
    dashes = is_skill and r.SKILL_KIND[hero.role, primary - r.SKILL_A] == r.DASH
    if primary == r.MOVE or dashes:
        if direction < 0 or direction >= r.DIRECTIONS:
            return
        hero.direction = direction
    elif primary == r.ATTACK or is_skill:
        row = s.TARGET_MASK + (primary - r.ATTACK) * s.TARGETS
        if target < 0 or target >= s.TARGETS or not mask[row + target]:
            return
        hero.order_target = targets[target]
    hero.primary = primary


@compiled
def begin_decision(match, units, heroes, targets, rows, actions, layout):
    """Take the actions of all heroes, before the ticks that carry them out.

    Args:
        rows: int8 [players, ROW], as `show` wrote them: their masks say what is legal.
        actions: int8 [players, 3]; an illegal one holds.
    """
    begin_rewards(match, units, heroes, layout)
    for index in range(layout.structures):
        mask = rows[index, s.OBSERVATION : s.OBSERVATION + s.MASK]
        _give_order(heroes[index], targets[index], mask, actions[index])


@compiled
def decide(match, units, heroes, seen, targets, rows, actions, layout):
    """Advance a match by a decision of all heroes: TICKS ticks, or until it ends.

    The arguments are those of `begin_decision`.
    """
    begin_decision(match, units, heroes, targets, rows, actions, layout)
    for _ in range(r.TICKS):
        tick(match, units, heroes, seen, layout)
        if match.winner != r.RUNNING:
            break
    match.steps += 1


@compiled
def show(match, units, heroes, seen, visible, targets, rows, shared, layout):
    """Write what all heroes observe, may do, and the true state.

    Args:
        rows: int8 [players, ROW]: observation, masks and state of each hero.
        shared: working memory, from `new_shared`.
    """
    look(match, units, seen, visible, shared.lookers, layout)
    gather(units, heroes, visible, shared, layout)
    features, found, counts = shared.features.view(np.int32), shared.found, shared.counts
    near, near_d2 = shared.near, shared.near_d2
    words = rows.view(np.int32)  # four entries each
    for index in range(words.shape[0]):
        for word in range(words.shape[1]):
            words[index, word] = 0  # `rows[:] = 0` writes bytes
    for index in range(layout.structures):
        row, team = rows[index], units[index].team
        observe(
            match,
            units,
            heroes,
            seen,
            visible,
            index,
            row,
            words[index],
            targets[index],
            features,
            found,
            counts,
            near,
            near_d2,
            layout,
        )
        if index == team * layout.agents:
            put_match(row, match, units, seen, team, shared.lanes, layout)
        else:
            for entry in range(s.OWN_HERO, s.OWN):
                row[entry] = rows[team * layout.agents, entry]
        mask = row[s.OBSERVATION : s.OBSERVATION + s.MASK]
        write_masks(units, heroes, index, targets[index], mask)
    states = rows[:, s.OBSERVATION + s.MASK :]
    write_states(match, units, heroes, states, shared.hero_states, shared.lanes, layout)


@compiled
def next_seed(seed):
    """Return the seed of the match that follows one in its place (SplitMix64)."""
    z = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def step_one(
    match,
    units,
    heroes,
    seen,
    visible,
    targets,
    rows,
    actions,
    rewards,
    weights,
    layout,
):
    """Advance one match by a decision, and show it also if it ended; see `step_all`."""
    shared = new_shared(layout)
    decide(match, units, heroes, seen, targets, rows, actions, layout)
    write_rewards(match, units, heroes, weights, rewards, layout)
    show(match, units, heroes, seen, visible, targets, rows, shared, layout)


@njit(cache=True, nogil=True)
def start_all(matches, units, heroes, seen, visible, targets, rows, seeds, layout):
    """Start a match by each seed, and show it."""
    shared = new_shared(layout)
    for m in range(len(matches)):
        start_match(matches[m], units[m], heroes[m], seen[m], layout, seeds[m])
        show(
            matches[m],
            units[m],
            heroes[m],
            seen[m],
            visible[m],
            targets[m],
            rows[m],
            shared,
            layout,
        )


@njit(cache=True, nogil=True)
def step_all(
    matches,
    units,
    heroes,
    seen,
    visible,
    targets,
    rows,
    actions,
    rewards,
    winners,
    lengths,
    weights,
    layout,
):
    """Advance each match by a decision; one that ended is followed by a new one.

    Args:
        matches, units, heroes, seen: the state, [m], [m, units], [m, players],
            [m, 2, remembered].
        visible: uint8 [m, 2, units], what each team sees.
        targets: int16 [m, players, TARGETS], units in the target slots.
        rows: int8 [m, players, ROW], those of the last step, written: see `show`.
        actions: int8 [m, players, 3], primary action, direction and target slot.
        rewards: float32 [m, players], written.
        winners: int8 [m], written: the outcome of a match that ended, else RUNNING.
        lengths: int64 [m], written: the decisions of a match that ended, else 0.
        weights: float64 [12], of the rewards.
    """
    shared = new_shared(layout)
    for m in range(len(matches)):
        match = matches[m]
        decide(match, units[m], heroes[m], seen[m], targets[m], rows[m], actions[m], layout)
        write_rewards(match, units[m], heroes[m], weights, rewards[m], layout)
        winners[m], lengths[m] = match.winner, 0
        if match.winner != r.RUNNING:
            lengths[m] = match.steps
            seed = next_seed(match.seed)
            start_match(match, units[m], heroes[m], seen[m], layout, seed)
        show(match, units[m], heroes[m], seen[m], visible[m], targets[m], rows[m], shared, layout)

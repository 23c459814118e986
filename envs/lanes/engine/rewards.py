"""Rewards of a decision of Lanes (OpenAI Five, Berner et al. 2019, appendix G)."""

from __future__ import annotations

import numpy as np

from envs.lanes import rules as r
from envs.lanes.compiling import compiled

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@compiled
def health_worth(share):
    """Return what a share of full health is worth, 0 to 1: more where little is left."""
    gone = 1.0 - share
    return (share + 1.0 - gone * gone * gone * gone) / 2.0


@compiled
def _shares(unit, hero):
    """Return the shares of full health and of full mana; 0 for a dead hero."""
    if not unit.alive:
        return 0.0, 0.0
    return unit.hp / unit.max_hp, hero.mana / hero.max_mana


@compiled
def _structures(units, team, layout):
    """Return the health of a team's towers, how many stand, and the health of its core."""
    first = layout.structures + team * layout.towers
    hp, standing = 0, 0
    for index in range(first, first + layout.towers - 1):
        hp += units[index].hp
        standing += units[index].alive
    return hp, standing, units[first + layout.towers - 1].hp


@compiled
def begin_rewards(match, units, heroes, layout):
    """Note what the rewards of the next decision are compared with."""
    for index in range(layout.structures):
        hero = heroes[index]
        health, mana = _shares(units[index], hero)
        hero.old_hp, hero.old_mana = np.float32(health_worth(health)), np.float32(mana)
        hero.won_xp, hero.won_gold, hero.hurt = 0, 0, 0
        hero.won_hits, hero.won_kills, hero.won_deaths = 0, 0, 0
    for team in range(2):
        hp, standing, core = _structures(units, team, layout)
        match.tower_hp[team], match.towers[team], match.core_hp[team] = hp, standing, core


@compiled
def _of_team(match, units, team, weights, layout):
    """Return what each hero of a team gets for the other team's structures."""
    enemy = 1 - team
    hp, standing, core = _structures(units, enemy, layout)
    damage = (match.tower_hp[enemy] - hp) / r.TOWER_HP * weights[r.W_TOWER_DAMAGE]
    fallen = (match.towers[enemy] - standing) * weights[r.W_TOWER_KILL]
    return damage + fallen + (match.core_hp[enemy] - core) / r.CORE_HP * weights[r.W_CORE_DAMAGE]


@compiled
def _of_hero(unit, hero, weights):
    """Return a hero's own reward of a decision."""
    health, mana = _shares(unit, hero)
    return (
        weights[r.W_XP] * hero.won_xp
        + weights[r.W_GOLD] * hero.won_gold
        + weights[r.W_HEALTH] * (health_worth(health) - hero.old_hp)
        + weights[r.W_MANA] * (mana - hero.old_mana)
        + weights[r.W_LAST_HIT] * hero.won_hits
        + weights[r.W_KILL] * hero.won_kills
        + weights[r.W_DEATH] * hero.won_deaths
    )


@compiled
def write_rewards(match, units, heroes, weights, rewards, layout):
    """Write the rewards of a decision, float32 [players]: each less the mean of the other team."""
    k = layout.agents
    decay = weights[r.W_DECAY] ** (match.tick / r.LIMIT)
    mean_0, mean_1 = 0.0, 0.0
    for team in range(2):
        shared = _of_team(match, units, team, weights, layout)
        total = 0.0
        for index in range(team * k, (team + 1) * k):
            value = (_of_hero(units[index], heroes[index], weights) + shared) * decay
            if match.winner == team:
                value += weights[r.W_WIN]
            rewards[index] = np.float32(value)
            total += value
        mean_0, mean_1 = (total / k, mean_1) if team == 0 else (mean_0, total / k)
    for index in range(2 * k):
        other = mean_1 if index < k else mean_0
        rewards[index] = np.float32(np.float64(rewards[index]) - other)

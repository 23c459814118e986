"""Run our search benchmark with mctx and pgx, in a separate process and environment.

A script that imports none of our packages, so that JAX can be in another virtual environment. It
reads JSON lines. The first is {"game", "positions": lists of actions, "plies": numbers of random
moves, if there are no positions, "simulations"}; then each {"root": "puct" | "gumbel", "threads",
"seconds"} is answered with one line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import mctx
import numpy as np
import pgx

NEVER = float(np.finfo(np.float32).min)  # the logit of an illegal action


def random_games(env: Any, lengths: list[int], seed: int = 0) -> list[list[int]]:
    """Return the actions of random games that are not over after as many moves."""
    step, begin = jax.jit(env.step), jax.jit(env.init)
    rng, games = np.random.default_rng(seed), list[list[int]]()
    while len(games) < len(lengths):
        state, actions = begin(jax.random.PRNGKey(0)), list[int]()
        while len(actions) < lengths[len(games)] and not bool(state.terminated):
            legal = np.flatnonzero(np.asarray(state.legal_action_mask))
            actions.append(int(rng.choice(legal)))
            state = step(state, actions[-1])
        if not bool(state.terminated):
            games.append(actions)
    return games


def positions_after(env: Any, games: list[list[int]]) -> Any:
    """Return the states after each list of actions, stacked along the first axis."""
    step = jax.jit(env.step)
    states = []
    for actions in games:
        state = env.init(jax.random.PRNGKey(0))
        for action in actions:
            state = step(state, action)
            if bool(state.terminated):
                raise ValueError(f"{actions} ends the game in {env.id}")
        states.append(state)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def without_observation(state: Any) -> Any:
    """Drop a state's planes, so that they are not computed: a uniform evaluator needs none."""
    return state.replace(observation=jnp.zeros((len(state.terminated),), jnp.bool_))


def uniform_logits(state: Any) -> Any:
    """Return equal logits for the legal actions."""
    return jnp.where(state.legal_action_mask, 0.0, NEVER)


def make_recurrent(env: Any) -> Callable[..., Any]:
    """Build mctx's model: the rules, a uniform prior and value 0."""

    def recurrent(params: Any, key: Any, action: Any, state: Any) -> Any:
        mover = state.current_player
        after = without_observation(jax.vmap(env.step)(state, action))
        rows = jnp.arange(len(action))
        output = mctx.RecurrentFnOutput(
            reward=after.rewards[rows, mover],
            discount=jnp.where(after.terminated, 0.0, -1.0),
            prior_logits=uniform_logits(after),
            value=jnp.zeros(len(action)),
        )
        return output, after

    return recurrent


def make_search(env: Any, root_policy: str, simulations: int) -> Callable[[Any, Any], Any]:
    """Compile a function (key, states) -> action weights of a search from every state."""
    recurrent = make_recurrent(env)

    def search(key: Any, states: Any) -> Any:
        root = mctx.RootFnOutput(
            prior_logits=uniform_logits(states),
            value=jnp.zeros(len(states.terminated)),
            embedding=states,
        )
        policy, extra = mctx.gumbel_muzero_policy, {"gumbel_scale": 0.0}
        if root_policy == "puct":
            policy, extra = mctx.muzero_policy, {"dirichlet_fraction": 0.0, "temperature": 0.0}
        return policy(
            (),
            key,
            root,
            recurrent,
            num_simulations=simulations,
            invalid_actions=~states.legal_action_mask,
            **extra,
        ).action_weights

    return jax.jit(search)


def rate(search: Callable[[Any, Any], Any], states: Any, seconds: float) -> float:
    """Measure searches/s for about `seconds`."""
    key = jax.random.PRNGKey(0)
    done, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        search(key, states).block_until_ready()
        done += 1
    return done / elapsed


def shared(states: Any, threads: int) -> list[Any]:
    """Split the states into equal parts."""
    count = len(states.terminated) // threads
    return [
        jax.tree.map(lambda leaf, i=i: leaf[i * count : (i + 1) * count], states)
        for i in range(threads)
    ]


def main() -> None:
    """Answer the requests of standard input."""
    setup = json.loads(sys.stdin.readline())
    env = pgx.make(setup["game"])
    games = setup["positions"] or random_games(env, setup["plies"])
    states = without_observation(positions_after(env, games))
    trees, simulations = len(games), setup["simulations"]
    searches = {root: make_search(env, root, simulations) for root in ("puct", "gumbel")}
    shares = {threads: shared(states, threads) for threads in (1, 2)}
    for search in searches.values():
        for parts in shares.values():
            rate(search, parts[0], 0.01)
    versions = {name: version(name) for name in ("jax", "mctx", "pgx")}
    print(json.dumps({"versions": versions, "devices": str(jax.devices())}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        threads, search = request["threads"], searches[request["root"]]
        used, begun = time.process_time(), time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            seconds = [request["seconds"]] * threads
            rates = list(pool.map(rate, [search] * threads, shares[threads], seconds))
        elapsed, used = time.perf_counter() - begun, time.process_time() - used
        per_second = sum(rates) * trees / threads * simulations
        answer = {
            "simulations_per_s": per_second,
            "simulations_per_core_s": per_second * elapsed / used,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

"""mctx searching trees that were searched before, as a script in a process of its own.

    python tests/mctx_searches.py CASES.npz ANSWERS.npz

JAX stays out of the process of the tests, whose warnings are errors. A case is a set of B trees of
N nodes over A actions: where each move leads, and the evaluator's logits and value of each node. So
mctx searches the same trees, and follows its own selection: a move that the other search never made
leads to the last node, of which nothing is known. Everything is computed in double precision.
"""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import mctx  # noqa: E402
import numpy as np  # noqa: E402

NEVER = -1e30  # the logit of an illegal action


def lookup(case: dict[str, Any]) -> Any:
    """mctx's model: the moves and evaluations in the tables; an ended game stays where it is."""

    def recurrent(params: Any, key: Any, action: Any, place: Any) -> Any:
        rows, node = place[:, 0], place[:, 1]
        after = case["child"][rows, node, action]
        ended, over = case["ended"][rows, node], case["ended"][rows, after]
        same = case["to_play"][rows, node] == case["to_play"][rows, after]
        value = case["value"][rows, after]
        output = mctx.RecurrentFnOutput(
            reward=jnp.where(over & ~ended, jnp.where(same, value, -value), 0.0),
            discount=jnp.where(over | ended, 0.0, jnp.where(same, 1.0, -1.0)),
            prior_logits=case["logits"][rows, after],
            value=jnp.where(over, 0.0, value),
        )
        return output, jnp.stack([rows, jnp.where(ended, node, after)], axis=1)

    return recurrent


def over_legal_actions(tree: Any, node: Any) -> Any:
    """mctx's completed Q rescaled over the legal actions alone.

    mctx gives illegal actions the mixed value, which stretches the range where it lies outside.
    """
    scaled = mctx.qtransform_completed_by_mix_value(tree, node, rescale_values=False)
    scale = (50.0 + jnp.max(tree.children_visits[node])) * 0.1
    legal = tree.children_prior_logits[node] > NEVER / 2
    low = jnp.min(jnp.where(legal, scaled, jnp.inf)) / scale
    high = jnp.max(jnp.where(legal, scaled, -jnp.inf)) / scale
    q = jnp.where(legal, scaled / scale, low)
    return scale * (q - low) / jnp.maximum(high - low, 1e-8)


def by_min_max(unvisited: Any) -> Any:
    """Q as it is, but for a constant: unvisited actions have the value `unvisited`."""

    def transform(tree: Any, node: Any) -> Any:
        ends = {"min_value": unvisited, "max_value": unvisited + 1.0}
        return mctx.qtransform_by_min_max(tree, node, **ends)

    return transform


def search(case: dict[str, Any], policy: str, simulations: int, considered: int) -> Any:
    """The policy's output for every tree of a case."""
    trees = len(case["to_play"])
    root = mctx.RootFnOutput(
        prior_logits=case["root_logits"],
        value=case["value"][:, 0],
        embedding=jnp.stack([jnp.arange(trees), jnp.zeros(trees, int)], axis=1),
    )
    shared = (), jax.random.PRNGKey(0), root, lookup(case), simulations
    invalid = case["root_logits"] <= NEVER / 2
    if policy == "puct":
        return mctx.muzero_policy(
            *shared,
            invalid,
            qtransform=by_min_max(case["unvisited"]),
            dirichlet_fraction=0.0,
            pb_c_init=case["c_init"],
            pb_c_base=case["c_base"],
        )
    own = mctx.qtransform_completed_by_mix_value
    transform = own if policy == "gumbel" else over_legal_actions
    with mock.patch("jax.random.gumbel", return_value=case["root_gumbel"]):
        return mctx.gumbel_muzero_policy(
            *shared, invalid, qtransform=transform, max_num_considered_actions=considered
        )


def main(cases: str, answers: str) -> None:
    """Answer every case of a file: arrays named CASE/ARRAY, with a `call` of three words each."""
    tables = np.load(cases)
    compiled = jax.jit(search, static_argnames=("policy", "simulations", "considered"))
    found: dict[str, Any] = {}
    for name in sorted({key.split("/")[0] for key in tables}):
        case = {key.split("/")[1]: tables[key] for key in tables if key.startswith(name + "/")}
        policy, simulations, considered = case.pop("call").tolist()
        output = compiled(case, policy, int(simulations), int(considered))
        summary = output.search_tree.summary()
        found |= {
            f"{name}/action": output.action,
            f"{name}/policy": output.action_weights,
            f"{name}/visits": summary.visit_counts,
            f"{name}/q": summary.qvalues,
            f"{name}/value": summary.value,
        }
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])

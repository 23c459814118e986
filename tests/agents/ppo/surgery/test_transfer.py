"""Surgery leaves outputs as they were; what it refuses; that new weights learn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from agents.ppo.config import NetworkConfig
from agents.ppo.network.memory import Memory
from agents.ppo.surgery.blueprint import Blueprint
from agents.ppo.surgery.comparison import greatest_difference, padded, random_inputs
from agents.ppo.surgery.labels import logits_axis, observation_axis, places
from agents.ppo.surgery.transfer import Transfer
from envs.lanes.batch import find_mode
from envs.lanes.state import spec_of
from envs.teams import ActionHead, TeamSpec
from store.errors import CheckpointError
from tests.agents.ppo.surgery.networks import (
    LSTM,
    MATRIX,
    MLP,
    PICTURE,
    REAL,
    UNITS,
    VECTOR,
    WIDER,
    heads,
    moved,
    old_and_new,
    trained,
    units,
)

TWO = (("mates", 1, 3, None), ("enemies", 2, 3, 0))
CASES: dict[str, tuple[tuple[TeamSpec, NetworkConfig], tuple[TeamSpec, NetworkConfig]]] = {
    "wider layers": ((UNITS, MLP), (UNITS, replace(MLP, **WIDER))),
    "wider layers and memory": ((UNITS, LSTM), (UNITS, replace(LSTM, **WIDER, lstm=20))),
    "a wider memory": ((UNITS, LSTM), (UNITS, replace(LSTM, lstm=13))),
    "wider units": ((UNITS, LSTM), (UNITS, replace(LSTM, units=9))),
    "more of the agent": ((UNITS, LSTM), (units(5, *TWO), LSTM)),
    "entries after the groups": ((UNITS, LSTM), (units(2, *TWO, last=3), LSTM)),
    "more features in groups": (
        (UNITS, LSTM),
        (units(2, ("mates", 1, 7, None), ("enemies", 2, 4, 0)), LSTM),
    ),
    "more slots, which are targets": (
        (UNITS, LSTM),
        (units(2, ("mates", 3, 3, None), ("enemies", 4, 3, 0), heads=heads(3, 4, 4)), LSTM),
    ),
    "slots before those of another group of targets": (
        (units(2, ("mates", 1, 3, 0), ("enemies", 2, 3, 1), heads=heads(3, 4, 3)), LSTM),
        (units(2, ("mates", 2, 3, 0), ("enemies", 2, 3, 2), heads=heads(3, 4, 5)), LSTM),
    ),
    "new groups between and after": (
        (UNITS, MLP),
        (
            units(
                2,
                TWO[0],
                ("towers", 2, 5, 2),
                TWO[1],
                ("trees", 1, 2, None),
                heads=heads(3, 4, 4),
            ),
            MLP,
        ),
    ),
    "groups in another order": ((UNITS, LSTM), (units(2, *reversed(TWO)), LSTM)),
    "targets where there were none": (
        (units(2, TWO[0], ("enemies", 2, 3, None)), LSTM),
        (units(2, TWO[0], ("enemies", 2, 3, None), ("trees", 1, 2, 2), heads=heads(3, 4, 3)), LSTM),
    ),
    "more actions and a new head": (
        (UNITS, LSTM),
        (replace(UNITS, heads=heads(5, 6, 3, ActionHead("gift", 3))), LSTM),
    ),
    "a larger state": ((UNITS, LSTM), (replace(UNITS, state_size=9), LSTM)),
    "everything": (
        (UNITS, LSTM),
        (
            units(
                4,
                ("trees", 2, 2, None),
                ("enemies", 3, 5, 2),
                ("mates", 2, 4, 0),
                last=2,
                state_size=11,
                heads=heads(4, 5, 6, ActionHead("gift", 2)),
            ),
            replace(LSTM, units=20, hidden=40, lstm=30),
        ),
    ),
    "a vector, and its own critic": ((VECTOR, MLP), (VECTOR, replace(MLP, **WIDER))),
    "a longer vector": (
        (VECTOR, MLP),
        (replace(VECTOR, observation_shape=(8,), heads=(ActionHead("action", 4),)), MLP),
    ),
    "a vector with memory": ((VECTOR, LSTM), (VECTOR, replace(LSTM, hidden=17, lstm=13))),
    "a larger matrix": ((MATRIX, MLP), (replace(MATRIX, observation_shape=(3, 5)), MLP)),
    "a larger picture": (
        (PICTURE, MLP),
        (replace(PICTURE, observation_shape=(17, 21, 3)), replace(MLP, hidden=20)),
    ),
    "real numbers": (
        (REAL, MLP),
        (replace(REAL, heads=(ActionHead("force", 3, "real", (-1,) * 3, (1,) * 3),)), MLP),
    ),
    "the same": ((UNITS, LSTM), (UNITS, LSTM)),
}


@pytest.mark.parametrize("case", list(CASES))
def test_outputs_are_unchanged_over_steps_with_memory(case: str) -> None:
    old, new = old_and_new(*CASES[case])
    before, after = moved(old, new)
    assert greatest_difference(before, after, old, new) < 1e-5
    seen = random_inputs(old, np.random.default_rng(5), 3 * 16)
    begins = torch.zeros(3, 16, dtype=torch.uint8)
    begins[0, 5] = begins[0, 9] = begins[2, 0] = 1
    found = []
    for network, inputs in ((before, seen), (after, padded(seen, old, new))):
        shaped = [part.view(3, 16, *part.shape[1:]) for part in inputs]
        with torch.no_grad():
            found.append(network(*shaped, network.empty_memory(3), begins))
    columns = torch.from_numpy(places(logits_axis(old.spec), logits_axis(new.spec)))
    torch.testing.assert_close(found[1].logits[:, columns], found[0].logits, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[1].values, found[0].values, rtol=1e-5, atol=1e-5)
    assert found[0].logits.abs().max() > 0.5  # there is something to compare
    assert torch.equal(after.returns(found[0].values), before.returns(found[0].values))


@pytest.mark.parametrize("case", list(CASES))
def test_every_weight_is_described(case: str) -> None:
    for spec, config in CASES[case]:
        blueprint = Blueprint(spec, config, "it")
        state = blueprint.build(0).state_dict()
        assert {n: w.shape for n, w in blueprint.weights.items()} == {
            n: tuple(t.shape) for n, t in state.items()
        }
        assert len(set(observation_axis(spec))) == len(observation_axis(spec))


def test_what_is_new_in_a_unit_says_nothing_yet_whatever_it_is() -> None:
    new_spec = units(4, ("mates", 1, 6, None), ("enemies", 2, 5, 0), ("trees", 2, 2, None))
    old, new = old_and_new((UNITS, LSTM), (new_spec, LSTM))
    before, after = moved(old, new)
    seen = random_inputs(old, np.random.default_rng(1), 8)
    other = padded(seen, old, new)
    known = set(places(observation_axis(old.spec), observation_axis(new.spec)).tolist())
    for entry in set(range(new_spec.observation_shape[0])) - known:
        other[0][:, entry] = 101
    with torch.no_grad():
        ours = before.step(*seen, before.empty_memory(8))
        theirs = after.step(*other, after.empty_memory(8))
    torch.testing.assert_close(theirs.logits, ours.logits, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(theirs.values, ours.values, rtol=1e-5, atol=1e-5)


def test_the_comparison_sees_a_weight_out_of_place() -> None:
    old, new = old_and_new((UNITS, LSTM), (UNITS, replace(LSTM, lstm=20)))
    before, after = moved(old, new)
    with torch.no_grad():  # as if gates had not grown each by itself
        weight = after.memory.lstm.weight_ih_l0  # type: ignore[union-attr]
        weight.copy_(weight.roll(1, 0))
    assert greatest_difference(before, after, old, new) > 1e-3


def test_all_new_weights_learn_those_out_of_new_units_first() -> None:
    old, new = old_and_new(*CASES["everything"])
    _, network = moved(old, new)
    names = {weight.key: name for name, weight in old.weights.items()}
    moving: set[str] = set()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for step in range(3):
        inputs = random_inputs(new, np.random.default_rng(step), 64)
        shaped = [part.view(16, 4, *part.shape[1:]) for part in inputs]
        out = network(*shaped, network.empty_memory(16), torch.zeros(16, 4))
        optimiser.zero_grad()
        (torch.log_softmax(out.logits, 1)[:, ::2].sum() + out.values.square().sum()).backward()
        for name, weight in network.named_parameters():
            label = new.weights[name]
            fresh = torch.ones(weight.shape, dtype=torch.bool)
            if label.key in names:
                ours = old.weights[names[label.key]]
                where = [places(a, b) for a, b in zip(ours.axes, label.axes, strict=True)]
                fresh[np.ix_(*where)] = False
            assert weight.grad is not None
            if fresh.any() and weight.grad[fresh].abs().max() > 0:
                moving.add(name)
            elif step == 2:
                assert not fresh.any(), name
        optimiser.step()
    assert "heads.weight" in moving
    assert "encoder.units.0.weight" in moving  # of a new group


def check_moments(state: Any, theirs: Any, where: Any, factor: float) -> None:
    """Adam's moments of a new weight are the old one's at its places, and zero elsewhere."""
    for moment, power in (("exp_avg", -1), ("exp_avg_sq", -2)):
        torch.testing.assert_close(state[moment][where], theirs[moment] * factor**power)
        rest = state[moment].clone()
        rest[where] = 0
        assert not rest.any()


def test_moments_are_where_their_weights_went() -> None:
    """Adam after surgery takes the step for old weights that it would have taken without it."""
    old, new = old_and_new(*CASES["everything"])
    before, after = moved(old, new)
    transfer = Transfer(old, new, 1)
    optimiser = torch.optim.Adam(before.parameters(), 1e-3, eps=1e-12)
    seen = random_inputs(old, np.random.default_rng(0), 32)

    def loss(network: Any, inputs: Any, columns: Any) -> torch.Tensor:
        out = network.step(*inputs, network.empty_memory(32))
        return out.logits[:, columns].square().sum() + (out.values - 3).square().sum()

    columns = torch.arange(sum(head.size for head in old.spec.heads))
    for _ in range(3):
        optimiser.zero_grad()
        loss(before, seen, columns).backward()
        optimiser.step()
    arrays = {name: tensor.numpy() for name, tensor in before.state_dict().items()}
    made = transfer.weights(arrays)
    after.load_state_dict({name: torch.from_numpy(array) for name, array in made.items()})
    resumed = torch.optim.Adam(after.parameters(), 1e-3, eps=1e-12)
    resumed.load_state_dict(transfer.optimiser(optimiser.state_dict()))
    places_of = torch.from_numpy(places(logits_axis(old.spec), logits_axis(new.spec)))
    for network, adam, inputs, chosen in (
        (before, optimiser, seen, columns),
        (after, resumed, padded(seen, old, new), places_of),
    ):
        adam.zero_grad()
        loss(network, inputs, chosen).backward()
    of_old = {old.weights[n].key: (n, p) for n, p in before.named_parameters()}
    for name, weight in after.named_parameters():
        label = new.weights[name]
        state = resumed.state[weight]
        if label.key not in of_old:
            assert state["step"] == 0
            assert not state["exp_avg"].any()
            continue
        ours_name, ours = of_old[label.key]
        where = np.ix_(*map(places, old.weights[ours_name].axes, label.axes))
        factor = (label.divisor / old.weights[ours_name].divisor) or 1.0
        theirs = optimiser.state[ours]
        assert state["step"] == theirs["step"] == 3
        check_moments(state, theirs, where, factor)
        assert weight.grad is not None
        assert ours.grad is not None
        torch.testing.assert_close(weight.grad[where] * factor, ours.grad, rtol=1e-3, atol=1e-4)


def test_an_optimiser_of_before_the_first_step_has_no_moments() -> None:
    old, new = old_and_new(*CASES["everything"])
    state = torch.optim.Adam(trained(old).parameters()).state_dict()
    found = Transfer(old, new, 0).optimiser(state)
    assert found["state"] == {}
    assert len(found["param_groups"][0]["params"]) == len(list(new.build(0).parameters()))


def test_another_optimiser_is_refused() -> None:
    old, new = old_and_new(*CASES["the same"])
    network = trained(old)
    optimiser = torch.optim.Adam(network.parameters(), amsgrad=True)
    sum(weight.sum() for weight in network.parameters()).backward()  # type: ignore[union-attr]
    optimiser.step()
    with pytest.raises(CheckpointError, match="'max_exp_avg_sq' of 'encoder"):
        Transfer(old, new, 0).optimiser(optimiser.state_dict())


LESS: dict[str, tuple[tuple[TeamSpec, NetworkConfig], str]] = {
    "hidden": (
        (UNITS, replace(LSTM, hidden=9)),
        r"layer 1 of encoder \(network\.hidden\): 16 in run 'old', 9 in the new settings",
    ),
    "units": ((UNITS, replace(LSTM, units=7)), r"'mates' \(network\.units\): 8 in run 'old', 7 in"),
    "lstm": ((UNITS, replace(LSTM, lstm=11)), r"memory \(network\.lstm\): 12 in run 'old', 11 in"),
    "no memory": ((UNITS, MLP), r"network\.activation is 'relu' in run 'old', and 'tanh'"),
    "without memory": (
        (UNITS, replace(LSTM, lstm=0)),
        r"the memory \(network\.lstm\) is 'an LSTM' in run 'old', and 'none'",
    ),
    "layers": ((UNITS, replace(LSTM, layers=3)), r"network\.layers is 2 in run 'old', and 3 in"),
    "critic": (
        (UNITS, replace(LSTM, critic="shared")),
        r"the critic \(network\.critic\) is 'state' in run 'old', and 'shared'",
    ),
    "own": ((units(1, *TWO), LSTM), "own entries: 2 in run 'old', 1 in the new settings"),
    "features": (
        (units(2, TWO[0], ("enemies", 2, 2, 0)), LSTM),
        "features of the group 'enemies': 3 in run 'old', 2 in",
    ),
    "slots": ((units(2, TWO[0], ("enemies", 1, 3, 0)), LSTM), "slots of the group 'enemies': 2 in"),
    "a group": (
        (units(2, TWO[0], ("enemy", 2, 3, 0)), LSTM),
        r"slots of the group 'enemies': 2 in run 'old', 0 in the new settings "
        r"\(is it 'enemy' there\?",
    ),
    "actions": (
        (replace(UNITS, heads=heads(2, 4, 2)), LSTM),
        "choices of the head 'primary': 3 in run 'old', 2 in",
    ),
    "a head": (
        (replace(UNITS, heads=heads(3, 4, 2)[:2]), LSTM),
        "the weight 'query.weight'|target",
    ),
    "targets": (
        (units(2, TWO[0], ("enemies", 2, 3, None)), LSTM),
        "targets of the group 'enemies': 2 in run 'old', 0 in|the weight 'query",
    ),
    "state": ((replace(UNITS, state_size=4), LSTM), "true state: 5 in run 'old', 4 in"),
    "kind": ((VECTOR, LSTM), "critic|the kind of observation"),
    "type": (
        (replace(UNITS, observation_dtype=np.dtype(np.float32)), LSTM),
        "the type of observations is 'int8' in run 'old', and 'float32'",
    ),
    "kind of a head": (
        (replace(UNITS, heads=(ActionHead("primary", 3, "real"), *heads(3, 4, 2)[1:])), LSTM),
        "the head 'primary' is of the kind 'choice' in run 'old', and 'real'",
    ),
    "two of a name": (
        (units(2, *TWO, ("mates", 1, 3, None)), LSTM),
        "2 groups of 'duel' are called 'mates'",
    ),
}


@pytest.mark.parametrize("case", list(LESS))
def test_what_would_shrink_or_change_is_refused_by_name_and_size(case: str) -> None:
    new, told = LESS[case]
    with pytest.raises(ValueError, match=told):
        Transfer(*old_and_new((UNITS, LSTM), new), 0)


def test_an_observation_with_another_number_of_axes_is_refused() -> None:
    with pytest.raises(ValueError, match="number of an observation's axes is 1 in run 'old'"):
        Transfer(*old_and_new((VECTOR, MLP), (MATRIX, MLP)), 0)


def test_a_picture_that_asks_for_other_convolutions_is_refused() -> None:
    large = replace(PICTURE, observation_shape=(84, 84, 2))
    with pytest.raises(ValueError, match=r"convolutions \(filters, size, stride\) is"):
        Transfer(*old_and_new((PICTURE, MLP), (large, MLP)), 0)


def test_weights_of_another_environment_are_refused() -> None:
    old, new = old_and_new((UNITS, LSTM), (UNITS, LSTM))
    other = trained(Blueprint(units(3, *TWO), LSTM, "")).state_dict()
    arrays = {name: tensor.numpy() for name, tensor in other.items()}
    with pytest.raises(CheckpointError, match="environment 'duel' is not what it was"):
        Transfer(old, new, 0).weights(arrays)


def test_one_network_of_lanes_fits_all_its_sizes() -> None:
    config = NetworkConfig(units=8, hidden=16, layers=1, lstm=8)
    one, five = (spec_of(find_mode(name)) for name in ("lanes_1v1", "lanes_5v5"))
    old, new = old_and_new((one, config), (five, replace(config, hidden=24)))
    assert greatest_difference(*moved(old, new), old, new) < 1e-5


def test_a_memory_of_zeros_and_one_of_before_are_told_apart() -> None:
    """The comparison over steps sees the memory: otherwise it would show nothing of it."""
    old, _ = old_and_new((UNITS, LSTM), (UNITS, LSTM))
    network = trained(old)
    seen = random_inputs(old, np.random.default_rng(0), 4)
    with torch.no_grad():
        empty = network.step(*seen, network.empty_memory(4)).logits
        full = network.step(*seen, Memory(torch.ones(4, 12), torch.ones(4, 12))).logits
    assert (empty - full).abs().max() > 1e-2

"""Sequences of multi-agent trajectories against a plain Python twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.errors import SchemaError
from store.memory.frames import GOES_ON, TERMINATED, TRUNCATED
from store.memory.trajectories import TrajectoryRing, trajectory_schema
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.run import create_run

AGENTS = 3
STEPS = {"observation": (np.float32, (2,)), "action": (np.int16, ())}
STATES = {"lstm": (np.float32, (4,)), "memory": (np.float32, ())}
SCHEMA = trajectory_schema(AGENTS, STEPS, STATES)


def episode(rng, number, steps, sequence, version, ending=TERMINATED):
    """An episode whose agents come and go; no item is alike and the absent ones hold garbage."""
    sequences = -(-steps // sequence)
    arrays = {
        "present": rng.random((steps, AGENTS)) < 0.7,
        "policy_version": version + np.sort(rng.integers(3, size=steps)),
        "ending": np.array([ending], np.uint8),
        "observation": rng.normal(size=(steps, AGENTS, 2)).astype(np.float32),
        "action": rng.integers(1, 99, size=(steps, AGENTS)).astype(np.int16),
        "state.lstm": rng.normal(size=(sequences, AGENTS, 4)).astype(np.float32),
        "state.memory": rng.normal(size=(sequences, AGENTS)).astype(np.float32),
    }
    arrays["observation"][~arrays["present"]] = np.nan
    return Episode(number.to_bytes(16, "big"), arrays)


def cut(found, length):
    """The sequences of an episode as lists over steps and agents."""
    a, total = found.arrays, len(found.arrays["present"])
    for number, begin in enumerate(range(0, total, length)):
        steps = range(begin, begin + length)

        def item(name, t, agent, total=total):
            there = t < total and a["present"][t, agent]
            return np.asarray(a[name][t, agent] if there else np.zeros(SCHEMA.fields[name][1][1:]))

        def who(t, agent, total=total):
            return bool(t < total and a["present"][t, agent])

        everybody = range(AGENTS)
        yield {
            "steps": {n: [[item(n, t, g) for g in everybody] for t in steps] for n in STEPS},
            "states": {
                n: [a["state." + n][number, g] * who(begin, g) for g in everybody] for n in STATES
            },
            "mask": [[who(t, g) for g in everybody] for t in steps],
            "arrives": [
                [t > begin and who(t, g) and not who(t - 1, g) for g in everybody] for t in steps
            ],
            "ending": [int(a["ending"][0]) if t == total - 1 else 0 for t in steps],
            "policy_version": min(a["policy_version"][t] for t in steps if t < total),
        }


def mismatch(ring, expected):
    """What differs between the ring's newest sequences and the twin's; None if nothing does."""
    held = expected[-ring.ring.capacity :]
    if len(ring) != len(held):
        return f"{len(ring)} sequences, expected {len(held)}"
    if not held:
        return None
    ours = ring.sequences(np.arange(ring.ring.oldest, ring.ring.total_added))
    for i, twin in enumerate(held):
        pairs = {n: (getattr(ours, n)[i], twin[n]) for n in ("mask", "arrives", "ending")}
        pairs |= {n: (ours.steps[n][i], twin["steps"][n]) for n in STEPS}
        pairs |= {n: (ours.states[n][i], twin["states"][n]) for n in STATES}
        pairs["policy_version"] = (ours.policy_version[i], twin["policy_version"])
        for name, (given_array, wanted) in pairs.items():
            if not np.array_equal(given_array, np.array(wanted)):
                return f"{name!r} of sequence {i}: {given_array}, expected {wanted}"
    return None


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 6),
    capacity=st.integers(1, 30),
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), max_size=4), max_size=5
    ),
)
def test_equals_the_plain_twin(seed, length, capacity, batches):
    rng = np.random.default_rng(seed)
    ring, expected = TrajectoryRing(capacity, SCHEMA, length=length), []
    for contents in batches:
        episodes = [
            episode(rng, i, steps, length, len(expected), ending)
            for i, (steps, ending) in enumerate(contents)
        ]
        new = [sequence for found in episodes for sequence in cut(found, length)]
        assert ring.extend(EpisodeBatch.of(SCHEMA, episodes)) == len(new)
        expected += new
        assert ring.check_valid() == (True, "")
        assert mismatch(ring, expected) is None


def filled(length=5, count=12, capacity=50, **settings):
    rng = np.random.default_rng(2)
    ring = TrajectoryRing(capacity, SCHEMA, length=length, **settings)
    episodes = [episode(rng, i, 3 + i, length, 10 * i) for i in range(count)]
    ring.extend(EpisodeBatch.of(SCHEMA, episodes))
    return ring, [sequence for found in episodes for sequence in cut(found, length)]


def test_the_twin_sees_a_wrong_cut():
    ring, expected = filled()
    assert mismatch(ring, expected) is None
    ring.ring._arrays["mask"][3] ^= True
    assert mismatch(ring, expected) is not None


def test_batches_have_the_shapes_they_say():
    drawn = filled()[0].sample(np.random.default_rng(0), 7)
    assert drawn.steps["observation"].shape == (7, 5, AGENTS, 2)
    assert drawn.steps["action"].shape == drawn.mask.shape == drawn.arrives.shape == (7, 5, AGENTS)
    assert drawn.states["lstm"].shape == (7, AGENTS, 4)
    assert drawn.ending.shape == (7, 5)
    assert not np.isnan(drawn.steps["observation"]).any()


def test_only_fresh_sequences_of_the_window_are_sampled():
    ring, expected = filled(staleness=30)
    versions = [sequence["policy_version"] for sequence in expected]
    assert len(expected) <= 50
    for learner in (0, 60, 100, 140):
        fresh = {row for row, version in enumerate(versions) if version >= learner - 30}
        assert ring.fresh(learner) == len(fresh)
        drawn = ring.sample(np.random.default_rng(1), 2000, learner)
        assert set(drawn.rows.tolist()) == fresh
    ring.ring.window = 4
    drawn = ring.sample(np.random.default_rng(1), 200, 60)
    assert set(drawn.rows.tolist()) == set(range(len(expected) - 4, len(expected)))
    with pytest.raises(ValueError, match="none of the 4 rows"):
        ring.sample(np.random.default_rng(1), 1, 1000)
    with pytest.raises(ValueError, match="policy version"):
        ring.sample(np.random.default_rng(1), 1)


def test_sampling_is_uniform_over_the_few_that_are_fresh():
    ring, expected = filled(count=30, capacity=500, staleness=0)
    newest = sum(sequence["policy_version"] >= 290 for sequence in expected)
    assert newest < len(expected) / 10  # most draws are refused, and the rows are listed
    rows = ring.sample(np.random.default_rng(1), 1000 * newest, 290).rows
    drawn, counts = np.unique(rows, return_counts=True)
    assert len(drawn) == newest == ring.fresh(290)
    assert np.all(np.abs(counts - 1000) < 190)  # 6 standard deviations


def test_pieces_go_through_the_log(tmp_path):
    run = create_run(tmp_path, "r", game="g", config={}, seed=0, versions={})
    rng = np.random.default_rng(4)
    writer, direct = SegmentWriter(run, SCHEMA), TrajectoryRing(99, SCHEMA, length=4)
    for i in range(10):
        piece = episode(rng, i, 4 + 3 * i, 4, i, (GOES_ON, TERMINATED, TRUNCATED)[i % 3])
        direct.extend(EpisodeBatch.of(SCHEMA, [piece]))
        writer.append(piece)
        if i % 4 == 3:
            writer.commit()
    writer.commit()
    read = TrajectoryRing(99, SCHEMA, length=4)
    for found in ReplayLog(run, SCHEMA).poll():
        read.extend(found)
    ours, theirs = (ring.ring.newest() for ring in (direct, read))
    assert len(read) == sum(-(-(4 + 3 * i) // 4) for i in range(10))
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.parametrize("name", ["observation", "policy_version", "state.lstm", "ending"])
def test_episodes_that_do_not_fit_change_nothing(name):
    ring = TrajectoryRing(9, SCHEMA, length=4)
    good = episode(np.random.default_rng(0), 0, 9, 4, 0)
    bad = Episode(good.uuid, {**good.arrays, name: good.arrays[name][:-1]})
    with pytest.raises(SchemaError, match=name):
        ring.extend(EpisodeBatch.of(SCHEMA, [good, bad]))
    assert len(ring) == 0


def test_names_and_settings_are_checked():
    for taken in ("present", "state.x", "fact.x", "mask"):
        with pytest.raises(SchemaError, match=taken):
            trajectory_schema(2, {taken: (np.float32, ())}, {})
    with pytest.raises(SchemaError, match="0 agents"):
        trajectory_schema(0, STEPS, {})
    for wrong in ({"length": 0}, {"staleness": -1}):
        with pytest.raises(ValueError, match="expected length"):
            TrajectoryRing(9, SCHEMA, **wrong)
    with pytest.raises(SchemaError, match="this ring takes"):
        TrajectoryRing(9, SCHEMA).extend(EpisodeBatch.of(trajectory_schema(AGENTS, STEPS, {}), []))


def test_check_valid_tells_what_is_wrong():
    ring, _ = filled()
    ring.ring._arrays["action"][1] = 5
    assert ring.check_valid() == (False, "'action' is not zero where no agent was")

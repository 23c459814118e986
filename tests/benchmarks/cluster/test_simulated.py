"""The benchmark of a simulated cluster, with two nodes: its report is consistent."""

import pytest

from benchmarks.cluster.simulated import recorded_games, simulate


@pytest.mark.slow
@pytest.mark.parametrize("games_per_s", [300.0, 0.0], ids=["steady", "full-speed"])
def test_one_learner_reads_all_that_stubs_on_two_nodes_commit(games_per_s):
    result = simulate(nodes=2, stubs=4, seconds=5, games=60, games_per_s=games_per_s)
    stored, learner = result["store"], result["learner"]
    assert result["notices"] == []
    assert stored["writers"] == 4
    assert stored["segments"] >= 8
    assert stored["games_twice"] == 0
    assert stored["games"] > result["committed_per_s"]["games"] > 0
    assert learner["rows_trained_per_s"] > 0
    assert learner["rows_read_per_s"] > 0
    # On a busy machine a new version may take longer than these seconds.
    assert learner["versions"] >= 1
    assert stored["checkpoints"] > 1
    assert result["poll_ms"]["polls"] > 2


def test_recorded_games_are_whole_games():
    games = recorded_games(20)
    assert len(games) >= 20
    assert games.rows("row_ply") > len(games)
    assert set(games.values["outcome"].tolist()) <= {-1.0, 0.0, 1.0}
    assert (games.lengths("move") >= 7).all()

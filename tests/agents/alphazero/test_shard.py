"""What a shard plays and remembers."""

import numpy as np
import pytest

from agents.alphazero.config import SelfPlayConfig
from agents.alphazero.shard import Shard
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import evaluate_uniformly
from store.errors import CheckpointError
from store.upgrades import ACTOR


def _opinionated(game):
    """Uniform priors, and a value that swings with the stones' places."""

    def evaluate(leaves):
        planes = leaves.planes
        weights = np.linspace(-1.0, 1.0, planes[0].size, dtype=np.float32)
        values = np.tanh(planes.reshape(len(planes), -1) @ weights)
        return np.zeros(leaves.actions.shape, np.float32), values

    return evaluate


def _shard(name="connect_four", seed=0, simulations=24, **changes):
    settings = {"games": 8, "shards": 1, "fast_simulations": 8, "opening_plies": 10} | changes
    search = SearchConfig(simulations=simulations, cache_size=1024)
    return Shard(find_game(name), search, SelfPlayConfig(**settings), 8, seed=seed, number=0)


def _play(shard, rows=400):
    return shard.play(evaluate_uniformly, rows)


def test_a_shard_is_deterministic_wherever_it_pauses():
    whole = _play(_shard())
    pausing, shard = [], _shard()
    while shard.rows_made < 400:
        rounds = iter([False, False, True])
        pausing += shard.play(evaluate_uniformly, 400, lambda rounds=rounds: next(rounds))
    assert [e.uuid for e in whole] == [e.uuid for e in pausing]
    for one, other in zip(whole, pausing, strict=True):
        for name, array in one.arrays.items():
            np.testing.assert_array_equal(array, other.arrays[name])


@pytest.mark.parametrize("name", ["connect_four", "tic_tac_toe", "othello6"])
def test_games_are_legal_and_end_as_they_say(name):
    shard = _shard(name, proof_playout_share=1.0)
    game = shard.game
    for episode in _play(shard, 200):
        moves, outcome = episode.arrays["move"].tolist(), episode.arrays["outcome"][0]
        state = game.position(game.parse_moves(game.format_moves(moves)))
        assert game.rules.is_terminal(state)
        value = game.rules.value_to_play(state)
        assert outcome == (value if game.rules.to_play(state) == 0 else -value)


def test_a_proven_game_ends_at_once_with_the_proven_result():
    proven = 0
    for episode in _play(_shard(proof_playout_share=0.0, full_share=1.0)):
        exact = episode.arrays["row_exact"]
        assert np.isnan(exact[:-1]).all()
        if not np.isnan(exact[-1]):
            mover = len(episode.arrays["move"]) % 2
            expected = exact[-1] if mover == 0 else -exact[-1]
            assert episode.arrays["outcome"][0] == expected
            proven += 1
    assert proven > 0


def test_openings_are_random_and_as_long_as_configured():
    lengths = [int(e.arrays["opening_plies"][0]) for e in _play(_shard(opening_share=1.0), 1500)]
    assert min(lengths) >= 1
    assert max(lengths) <= 10
    assert len(set(lengths)) > 5
    assert not any(e.arrays["opening_plies"][0] for e in _play(_shard(opening_share=0.0)))


def test_the_playout_cap_records_full_searches_alone():
    capped = _play(_shard(full_share=0.2, opening_share=0.0), 300)
    rows = sum(len(e.arrays["row_ply"]) for e in capped)
    moves = sum(len(e.arrays["move"]) for e in capped)
    assert 0.1 < rows / moves < 0.3
    every = _play(_shard(full_share=1.0, opening_share=0.0), 300)
    assert all(len(e.arrays["row_ply"]) >= len(e.arrays["move"]) for e in every)


def _proven_share(**changes):
    """Of the rows, how many are proven; every game is played on to its end."""
    episodes = _play(_shard(full_share=0.2, proof_playout_share=1.0, **changes), 2000)
    exact = np.concatenate([e.arrays["row_exact"] for e in episodes])
    return 1.0 - np.isnan(exact).mean()


def test_proven_positions_are_learned_from_at_the_rate_of_the_others():
    """What share of the positions is proven tells a shard that learns from every position."""
    among_all = _play(_shard(full_share=1.0, fast_simulations=24, proof_playout_share=1.0), 2000)
    exact = np.concatenate([e.arrays["row_exact"] for e in among_all])
    assert _proven_share() == pytest.approx(1.0 - np.isnan(exact).mean(), abs=0.06)
    assert _proven_share(proven_row_share=1.0) > 1.5 * _proven_share()


def _simulations_a_move(simulations=24, **changes):
    """New simulations of each move played, of moves that are never proven."""
    settings = {"games": 8, "shards": 1, "full_share": 1.0} | changes
    search = SearchConfig(simulations=simulations, cache_size=1024, solve=False)
    shard = Shard(find_game("othello6"), search, SelfPlayConfig(**settings), 8, seed=0, number=0)
    while shard.plies_played < 80:
        shard.advance(evaluate_uniformly)
    moves_begun = shard.plies_played + 8  # the next ones have begun
    made = shard.search.counters()["simulations"]
    return made / shard.plies_played, made / moves_begun


def test_a_fresh_full_search_makes_all_of_its_simulations_itself():
    most, least = _simulations_a_move(fresh_full_searches=True)
    assert least <= 24 <= most
    most, _ = _simulations_a_move()
    assert most < 23  # some were the last search's, made without this one's noise


def test_a_fast_search_may_reuse_the_tree():
    most, _ = _simulations_a_move(full_share=1e-9, fast_simulations=24, fresh_full_searches=True)
    assert most < 23


def test_resignation_stops_lost_games_and_measures_its_errors():
    shard = _shard(resign_value=-0.2, resign_playout_share=0.5)
    shard.play(_opinionated(shard.game), 600)
    assert shard.resign.resigned > 0
    assert shard.resign.played_on > 0
    assert 0 <= shard.resign.false_positives <= shard.resign.played_on
    assert shard.resign.false_positives > 0  # at so timid a threshold some of them were not lost


def test_a_restored_shard_goes_on_as_one_that_forgot_its_trees():
    shard, other = _shard(), _shard(seed=9)
    _play(shard, 100)
    arrays = {name: array.copy() for name, array in shard.state_arrays().items()}
    rng = shard.state_dict()
    shard.forget_trees()
    other.load_state(arrays, rng)
    other.seed = shard.seed
    goal = shard.rows_made + 200
    one, two = (s.play(evaluate_uniformly, goal) for s in (shard, other))
    assert [e.arrays["move"].tolist() for e in one] == [e.arrays["move"].tolist() for e in two]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"games": 7, "shards": 2}, "selfplay.games = 7"),
        ({"full_share": 0.0}, "full_share"),
        ({"opening_share": 2.0}, "opening_share = 2.0"),
    ],
)
def test_bad_settings_are_quoted(changes, message):
    with pytest.raises(ValueError, match=message):
        SelfPlayConfig(**changes)


def test_fast_searches_of_gumbel_roots_have_the_noise_of_their_temperature():
    settings = SelfPlayConfig(games=64, shards=1, full_share=0.5, temperature=0.8)
    search = SearchConfig(simulations=8, root="gumbel")
    shard = Shard(find_game("connect_four"), search, settings, 64, seed=0, number=0)
    noise = shard.search.forest.info["noise"][:64]
    np.testing.assert_array_equal(noise, np.where(shard.full, 1.0, 0.8))
    assert 0 < shard.full.sum() < 64


@pytest.mark.parametrize(
    "moves",
    [
        [3] * 7,  # a seventh stone in a column
        [65535],  # far beyond the board: compiled rules check no index
        [3, 0, 3, 0, 3, 0, 3],  # over
        [3, 0, 3, 0, 3, 0, 3, 0],  # on after the end
    ],
    ids=str,
)
def test_running_games_that_the_rules_do_not_allow_are_refused(moves):
    shard = _shard()
    arrays = {name: array.copy() for name, array in shard.state_arrays().items()}
    arrays["moves"][2, : len(moves)], arrays["ply"][2] = moves, len(moves)
    with pytest.raises(CheckpointError, match=r"1 of .* games that were stored are none of"):
        shard.load_state(arrays, shard.state_dict())
    arrays["ply"][2] = 10**6
    with pytest.raises(CheckpointError, match="1 of"):
        shard.load_state(arrays, shard.state_dict())


def test_rows_that_are_waiting_are_stored_as_entries_and_read_from_either_version():
    shard = _shard("othello6")
    while shard.row_count.sum() < 30:
        shard.advance(evaluate_uniformly)
    arrays = shard.state_arrays()
    assert arrays["policy_count"].sum() == len(arrays["policy_action"]) > 30
    dense = np.zeros((*shard.row_ply.shape, shard.game.num_actions), np.float32)
    for game, rows in enumerate(shard.row_count):
        ends = np.cumsum(shard.row_entries[game, :rows])
        for row, end in enumerate(ends):
            entries = slice(end - shard.row_entries[game, row], end)
            dense[game, row, shard.entry_action[game, entries]] = shard.entry_weight[game, entries]
    newer = ("policy_", "row_surprise", "start")
    older = {f"0.{n}": array for n, array in arrays.items() if not n.startswith(newer)}
    document = {"format": "ludens-actor/2", "arrays": {**older, "0.row_policy": dense}}
    upgraded = ACTOR.read(document)["arrays"]
    for saved in (arrays, {name.removeprefix("0."): a for name, a in upgraded.items()}):
        other = _shard("othello6", seed=5)
        other.load_state(saved, shard.state_dict())
        for name, array in other.state_arrays().items():
            unknown = name == "row_surprise" and saved is not arrays
            wanted = np.full_like(array, np.nan) if unknown else arrays[name]
            np.testing.assert_array_equal(array, wanted, name)


def test_policies_that_do_not_fit_their_rows_are_refused():
    shard = _shard("othello6")
    while shard.row_count.sum() < 5:
        shard.advance(evaluate_uniformly)
    arrays = shard.state_arrays()
    for name, wrong in (
        ("policy_count", arrays["policy_count"][1:]),
        ("policy_action", arrays["policy_action"] + 500),
        ("policy_weight", arrays["policy_weight"][:-1]),
    ):
        with pytest.raises(CheckpointError, match="policies that were stored for"):
            _shard("othello6").load_state({**arrays, name: wrong}, shard.state_dict())


def test_plies_are_those_of_the_games_that_have_ended():
    for opening_share in (0.0, 1.0):
        shard = _shard(opening_share=opening_share)
        episodes = _play(shard, 300)
        played = sum(len(episode.arrays["move"]) for episode in episodes)
        counted = shard.counters()
        assert (counted["games"], counted["plies"]) == (len(episodes), played)

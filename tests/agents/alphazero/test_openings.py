"""Where games of self-play begin: openings by the network's policy, and given positions."""

from dataclasses import replace

import numpy as np
import pytest

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA, to_rows
from agents.alphazero.game import game_of, read_starts
from agents.alphazero.shard import Shard
from envs.game import GameError
from envs.go.game import make_go
from envs.positions import MOST_START_BYTES, past_of
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import evaluate_uniformly
from store.errors import CheckpointError
from store.replay.episodes import EpisodeBatch
from tests.search_setup import HashedNetwork

GO = make_go(5)  # its rules look back, and its planes show earlier boards
BARE = "1X3/1XO2/XXO2/1O3/5 b 0 7 7.5"
STARTS = f"\n  {BARE}\nc3 b2 d4\n"


def shard_of(game, games=8, seed=0, **changes):
    settings = {"games": games, "shards": 1, "fast_simulations": 4, "opening_plies": 6}
    search = SearchConfig(simulations=8, cache_size=256)
    play = SelfPlayConfig(**settings | changes)
    return Shard(game, search, play, games, seed=seed, number=0)


def by_policy(game, **changes):
    return shard_of(game, **{"opening_share": 1.0, "opening_moves": "policy"} | changes)


def preferring(game):
    """An evaluator with the same logits of each action in every position."""
    logits = np.linspace(-1.5, 1.5, game.num_actions).astype(np.float32)

    def evaluate(leaves):
        return logits[leaves.actions], np.zeros(len(leaves.counts), np.float32)

    return logits, evaluate


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_an_opening_is_drawn_from_the_policy_at_its_temperature(temperature):
    game = find_game("connect_four")
    logits, evaluate = preferring(game)
    shard = by_policy(game, games=3000, opening_plies=1, opening_temperature=temperature)
    while (shard.ply == 0).any():
        shard.advance(evaluate)
    share = np.bincount(shard.moves[:, 0], minlength=7) / 3000
    expected = np.exp(logits / temperature)
    np.testing.assert_allclose(share, expected / expected.sum(), atol=0.03)


def test_openings_by_the_policy_are_as_long_as_configured_and_make_no_rows():
    game = find_game("connect_four")
    shard = by_policy(game, opening_share=0.6, full_share=1.0)
    episodes = shard.play(preferring(game)[1], 400)
    lengths = [int(e.arrays["opening_plies"][0]) for e in episodes]
    assert set(lengths) <= set(range(7))
    assert len(set(lengths)) > 3
    for episode, length in zip(episodes, lengths, strict=True):
        assert episode.arrays["row_ply"].min() == length
        assert len(episode.arrays["move"]) >= length
    ended = sum(len(e.arrays["move"]) for e in episodes) - sum(lengths)
    running = np.maximum(shard.ply - shard.opening, 0).sum()
    assert shard.plies_played == ended + running


def test_a_game_that_ends_within_its_opening_is_begun_again():
    game = find_game("tic_tac_toe")
    shard = by_policy(game, opening_plies=8, proof_playout_share=1.0)
    for episode in shard.play(evaluate_uniformly, 150):
        moves = episode.arrays["move"].tolist()
        opening = game.position(moves[: int(episode.arrays["opening_plies"][0])])
        assert not game.rules.is_terminal(opening)
        assert len(episode.arrays["row_ply"]) or len(moves) > episode.arrays["opening_plies"][0]


@pytest.mark.parametrize("changes", [{}, {"starts": STARTS, "starts_share": 0.5}], ids=str)
def test_a_shard_restored_within_openings_goes_on_as_one_that_forgot_its_trees(changes):
    network = HashedNetwork(GO)
    shard, other = by_policy(GO, **changes), by_policy(GO, seed=9, **changes)
    while shard.games_finished < 5 or not (shard.ply < shard.opening).any():
        shard.advance(network)
    arrays = {name: array.copy() for name, array in shard.state_arrays().items()}
    rng = shard.state_dict()
    shard.forget_trees()
    other.load_state(arrays, rng)
    other.seed = shard.seed
    goal = shard.rows_made + 100
    one, two = (s.play(network, goal) for s in (shard, other))
    assert len(one) == len(two) > 3
    for left, right in zip(one, two, strict=True):
        assert left.uuid == right.uuid
        for name, array in left.arrays.items():
            np.testing.assert_array_equal(array, right.arrays[name], name)


def test_games_begin_from_the_given_positions_in_their_share():
    shard = shard_of(GO, games=600, starts=STARTS, starts_share=0.5, opening_share=0.0)
    bare = np.array([text == BARE for text in shard.start_texts])
    moves = GO.parse_moves("c3 b2 d4")
    assert set(shard.start_texts) == {"", BARE}
    listed = shard.ply == 3
    assert 100 < bare.sum() < 200
    assert 100 < listed.sum() < 200
    assert (shard.moves[listed, :3] == moves).all()
    assert (shard.opening[listed] == 3).all()
    roots = shard.search.roots(np.arange(600))
    assert {r.tobytes() for r in roots[bare]} == {GO.parse_position(BARE).tobytes()}
    assert {r.tobytes() for r in roots[listed]} == {GO.position(moves).tobytes()}


def played_from_starts(rows=150):
    shard = shard_of(GO, starts=STARTS, opening_share=0.0)
    return shard.play(HashedNetwork(GO), rows)


def test_rows_of_a_game_from_a_position_know_what_was_played_since():
    episodes = played_from_starts()
    batch = EpisodeBatch.of(SCHEMA, episodes)
    rows, row = to_rows(GO, [batch], LearnerConfig(score_weight=0.1)), 0
    seen = set()
    for episode in episodes:
        text = episode.arrays["start"].tobytes().decode()
        seen.add(text)
        start = GO.parse_position(text) if text else None
        line = GO.line(episode.arrays["move"].tolist(), start)
        owners = np.zeros(25, np.int8)
        over = GO.rules.is_terminal(line[-1])
        lead = GO.rules.final_ownership(line[-1], owners) if over else np.nan
        for ply in episode.arrays["row_ply"]:
            assert rows.states[row].tobytes() == line[ply].tobytes()
            assert rows.past[row].tobytes() == past_of(GO, [line[: ply + 1]]).boards[0].tobytes()
            side = 1 if GO.rules.to_play(line[ply]) == 0 else -1
            np.testing.assert_equal(rows.extras["lead"][row], np.float32(side * lead))
            row += 1
    assert seen == {"", BARE}
    assert row == len(rows.states) >= 150


@pytest.mark.parametrize(
    "start",
    [
        b"nonsense",
        b"\xff\xfe",
        b" ",
        b"c3 b2",  # moves, no position
        BARE.encode() + b" " * MOST_START_BYTES,
        b"5/5/5/5/5 b 2 7 7.5",  # over: no move is legal there
    ],
    ids=repr,
)
def test_a_stored_game_that_began_nowhere_is_left_out(start, caplog):
    good = next(e for e in played_from_starts() if len(e.arrays["start"]))
    forged = {**good.arrays, "start": np.frombuffer(start, np.uint8)}
    batch = EpisodeBatch.of(SCHEMA, [good, replace(good, uuid=b"f" * 16, arrays=forged)])
    rows = to_rows(GO, [batch], LearnerConfig())
    assert len(rows.states) == len(good.arrays["row_ply"])
    assert "1 stored games are none of this game and left out" in caplog.text


def test_a_stored_game_is_never_longer_than_the_rules_allow(caplog):
    """A position may set the ply back, so that the rules would allow more moves than there is
    memory for; here they are stopped by their number."""
    good = played_from_starts()[0]
    many = np.zeros(GO.max_plies + 1, np.uint16)
    batch = EpisodeBatch.of(SCHEMA, [replace(good, arrays={**good.arrays, "move": many})])
    assert len(to_rows(GO, [batch], LearnerConfig()).states) == 0
    assert "1 stored games are none of this game" in caplog.text


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("start", np.frombuffer(b"x", np.uint8)), ("start_bytes", np.array([1] * 8))],
)
def test_running_games_that_began_nowhere_are_refused(name, wrong):
    shard = shard_of(GO)
    arrays = {**shard.state_arrays(), name: wrong}
    with pytest.raises(CheckpointError, match="the starts of 8 running games do not fit"):
        shard.load_state(arrays, shard.state_dict())
    arrays = {**shard.state_arrays(), "start": np.frombuffer(b"x" * 8, np.uint8)}
    with pytest.raises(CheckpointError, match="running game 0 began nowhere"):
        shard.load_state({**arrays, "start_bytes": np.array([1] * 8)}, shard.state_dict())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("c3\nnonsense", r"selfplay.starts, line 2: .*nonsense"),
        ("c3 c3", "selfplay.starts, line 1: move 2, 'c3', is not legal"),
        ("5/5/5/5/5 b 2 7 7.5", "line 1: the game is over in"),
        ("pass pass", "line 1: the game is over in"),
    ],
)
def test_starts_that_are_none_are_quoted_with_their_line(text, told):
    with pytest.raises(GameError, match=told):
        read_starts(GO, text)


def test_wrong_starts_are_refused_with_the_settings():
    config = AlphaZeroConfig(game="tic_tac_toe", selfplay=SelfPlayConfig(starts="z9"))
    with pytest.raises(GameError, match=r"selfplay\.starts, line 1: move 1, 'z9'"):
        game_of(config)

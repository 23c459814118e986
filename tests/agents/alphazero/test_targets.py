"""What rows teach beside policy and outcome: surprise weights, replies, ownership and lead."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA, surprise_weights, to_rows
from agents.alphazero.game import game_of
from agents.alphazero.learner import (
    AlphaZeroLearner,
    SparsePolicy,
    alphazero_loss,
    lead_loss,
    ownership_loss,
)
from agents.alphazero.network import AuxiliaryHeads, build_network
from agents.alphazero.shard import Shard, surprise_of
from agents.torch_state import dump_trainer, load_state, load_trainer
from envs.game import GameError
from envs.go.game import make_go
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import evaluate_uniformly
from store.replay.episodes import EpisodeBatch
from tests.envs.go.slow_go import SlowGo
from tests.history_games import SHUTTLE
from tests.search_setup import HashedNetwork
from tests.wide_game import GAME as LEAP

GO = make_go(5)
NETWORK = NetworkConfig(blocks=1, filters=6, head_filters=2, value_hidden=4)
ALL = LearnerConfig(
    batch_size=16,
    window_rows=4000,
    window_start_rows=4000,
    surprise_share=0.5,
    reply_weight=0.15,
    ownership_weight=1.5,
    score_weight=0.02,
)
OF_ANY_GAME = replace(ALL, ownership_weight=0.0, score_weight=0.0)


def played(game, rows=60, evaluator=evaluate_uniformly, **changes):
    settings = {"games": 4, "shards": 1, "fast_simulations": 4, "opening_plies": 3} | changes
    search = SearchConfig(simulations=10, cache_size=256, solve=False)
    shard = Shard(game, search, SelfPlayConfig(**settings), 4, seed=3, number=0)
    return EpisodeBatch.of(SCHEMA, shard.play(evaluator, rows))


@pytest.fixture(scope="module")
def go_games():
    return played(GO, 200, HashedNetwork(GO))


def learner_of(game, config, seed=0):
    return AlphaZeroLearner(game, NETWORK, config, seed=seed, device="cpu")


def test_weights_are_half_equal_and_half_by_surprise():
    """By hand: 2 nats of 4 in three rows are 0.5 + 0.5 * 3 * 2 / 4; a row of no known surprise is
    left as it is, and so is a game in which nothing surprised."""
    surprise = np.array([1.0, np.nan, 2.0, 1.0, 0.0, 0.0, np.nan], np.float32)
    weights = surprise_weights(surprise, np.array([4, 2, 0, 1]), 0.5)
    np.testing.assert_allclose(weights, [0.875, 1.0, 1.25, 0.875, 1.0, 1.0, 1.0])
    assert surprise_weights(surprise, np.array([7]), 0.0).tolist() == [1.0] * 7
    by_surprise = surprise_weights(surprise, np.array([4, 2, 1]), 1.0)
    np.testing.assert_allclose(by_surprise, [0.75, 1.0, 1.5, 0.75, 1.0, 1.0, 1.0])


def test_surprise_is_the_divergence_of_the_policy_from_the_prior():
    policy = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]], np.float32)
    prior = np.array([[0.25, 0.25, 0.5], [1.0, 0.0, 0.0], [np.nan] * 3], np.float32)
    np.testing.assert_allclose(surprise_of(policy, prior), [np.log(2.0), 0.0, np.nan], atol=1e-6)


@pytest.mark.parametrize("game", [SHUTTLE, GO, LEAP], ids=lambda game: game.name)
def test_self_play_notes_the_surprise_of_each_row(game):
    """Against the priors of the fake network, computed anew from the row's position."""
    network = HashedNetwork(game, sharpness=1.0)
    batch = played(game, 30, network)
    rows = to_rows(game, [batch], OF_ANY_GAME)
    ends = np.cumsum(rows.policy_count.astype(np.int64))
    for i, end in enumerate(ends[:60]):
        entries = slice(end - rows.policy_count[i], end)
        logits = network.of_state(rows.states[i], rows.past[i] if game.past_boards else None)[0]
        legal = game.legal_actions(rows.states[i])
        log_prior = logits - np.log(np.exp(logits[legal].astype(np.float64)).sum())
        weight = rows.policy_weight[entries].astype(np.float64)
        nats = (weight * (np.log(weight) - log_prior[rows.policy_action[entries]])).sum()
        assert batch.values["row_surprise"][i] == pytest.approx(nats, abs=1e-4)
    weights, counts = rows.extras["weight"], batch.lengths("row_ply")
    games = np.repeat(np.arange(len(counts)), counts)
    means = np.bincount(games, weights=weights, minlength=len(counts))[counts > 0]
    np.testing.assert_allclose(means, counts[counts > 0], rtol=1e-5)


def test_the_loss_is_a_mean_by_weight():
    """Two rows, the second with a weight of three: each loss is (first + 3 * second) / 4."""
    logits = torch.tensor([[1.0, 0.0], [0.5, -0.5]])
    outcome = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    values = torch.tensor([[0.2, 0.0, -0.1], [1.0, 0.0, 0.0]])
    policy = SparsePolicy(
        torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), torch.tensor([1.0, 0.25, 0.75])
    )
    found = alphazero_loss(logits, values, policy, outcome, torch.tensor([1.0, 3.0]))
    first = alphazero_loss(
        logits[:1], values[:1], SparsePolicy(*(p[:1] for p in policy)), outcome[:1]
    )
    alone = SparsePolicy(torch.tensor([0, 0]), policy.action[1:], policy.weight[1:])
    second = alphazero_loss(logits[1:], values[1:], alone, outcome[1:])
    for whole, one, other in zip(found, first, second, strict=True):
        assert whole.item() == pytest.approx((one.item() + 3.0 * other.item()) / 4.0)


def test_a_reply_is_the_policy_of_the_next_ply_where_that_is_a_row():
    batch = played(LEAP, 60)
    rows = to_rows(LEAP, [batch], OF_ANY_GAME)
    replies = rows.extras["reply_count"]
    first, seen = np.cumsum(rows.policy_count.astype(np.int64)), 0
    for g in range(len(batch)):
        start, end = batch.offsets["row_ply"][g : g + 2]
        plies = batch.values["row_ply"][start:end].astype(int).tolist()
        for i, ply in enumerate(plies):
            follows = i + 1 < len(plies) and plies[i + 1] == ply + 1
            wanted = rows.policy_count[start + i + 1] if follows else 0
            assert replies[start + i] == wanted
            seen += follows
            if follows:  # its actions are legal in the position after the game's move
                after = rows.states[start + i : start + i + 1].copy()[0]
                LEAP.rules.step(after, int(batch.values["move"][batch.offsets["move"][g] + ply]))
                entries = rows.policy_action[first[start + i] :][:wanted]
                assert set(entries.tolist()) <= set(LEAP.legal_actions(after).tolist())
    assert 5 < seen < len(replies)


def test_ownership_and_lead_are_those_of_the_finished_board(go_games):
    """Counted by a flood over a dict of stones, and seen by the side to move in each row."""
    rows = to_rows(GO, [go_games], ALL)
    row = 0
    for g in range(len(go_games)):
        moves = go_games.episode(g).arrays["move"].tolist()
        end = GO.position(moves)
        assert GO.rules.is_terminal(end)
        slow, cells = SlowGo(5, 5), GO.cells(end)
        slow.stones = {divmod(i, 5): int(c) - 1 for i, c in enumerate(cells) if c}
        owners = np.array([slow.owner(point) for point in sorted(slow.points())])
        for ply in go_games.episode(g).arrays["row_ply"]:
            side = 1 if ply % 2 == 0 else -1
            assert rows.extras["ownership"][row].tolist() == (side * owners).tolist()
            assert rows.extras["lead"][row] == side * (slow.area() - 7.5)
            row += 1
    assert row == len(rows.states) >= 200
    assert len(set(rows.extras["lead"].tolist())) > 2


def test_a_game_that_was_not_played_to_its_end_owns_nothing(go_games):
    whole = go_games.episode(0)
    plies = whole.arrays["row_ply"]
    last = int(plies.max(initial=0)) + 1
    cut = replace(whole, arrays={**whole.arrays, "move": whole.arrays["move"][:last]})
    assert last < len(whole.arrays["move"])
    rows = to_rows(GO, [EpisodeBatch.of(SCHEMA, [cut])], ALL)
    assert np.isnan(rows.extras["lead"]).all()
    assert not rows.extras["ownership"].any()


def test_losses_of_the_finished_board_by_hand():
    logits = torch.tensor([[0.0, 2.0], [9.0, 9.0]])
    owners = torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    found = ownership_loss(logits, owners, torch.tensor([1.0, 0.0]))
    assert found.item() == pytest.approx((np.log(2.0) + np.log1p(np.exp(2.0))) / 2.0, rel=1e-6)
    neither = ownership_loss(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1))
    assert neither.item() == pytest.approx(np.log(2.0))
    # four equal bins, the second is right: sums 1/4, 2/4, 3/4, 1 where 0, 1, 1, 1 would be
    spread = lead_loss(torch.zeros(1, 4), torch.tensor([1]), torch.ones(1))
    assert spread.item() == pytest.approx(np.log(4.0) + (1 + 4 + 1) / 16)
    sure = torch.tensor([[0.0, 0.0, 40.0, 0.0]])
    near, far = (lead_loss(sure, torch.tensor([b]), torch.ones(1)).item() for b in (1, 0))
    assert far - near == pytest.approx(1.0)
    unknown = lead_loss(sure, torch.tensor([0]), torch.zeros(1))
    assert unknown.item() == 0.0


def test_points_outside_a_smaller_board_teach_nothing():
    """KataGo masks them; a half would be the target of each, and its loss never below 0.69 nats."""
    logits = torch.tensor([[0.0, 2.0, 5.0, -7.0]])
    owners = torch.tensor([[1.0, -1.0, 0.0, 0.0]])
    board = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    found = ownership_loss(logits, owners, torch.ones(1), board)
    alone = ownership_loss(logits[:, :2], owners[:, :2], torch.ones(1))
    assert found.item() == pytest.approx(alone.item(), rel=1e-6)


@pytest.mark.parametrize("name", ["chess", "chess5", "shogi", "minishogi"])
def test_a_reply_is_read_where_its_player_sees_it(name):
    """Light one cell of the trunk: the logits change where the other player sees that cell."""
    game = find_game(name)
    channels, height, width = game.planes_shape
    config = replace(OF_ANY_GAME, reply_weight=0.15)
    heads = AuxiliaryHeads(game, NETWORK, config).eval()
    planes = torch.zeros(1, channels, height, width)
    lit = torch.zeros(1, NETWORK.filters, height, width)
    lit[0, :, 1, 2] = 1.0
    with torch.no_grad():
        dark, *found = (heads(share * lit, planes).reply for share in (0.0, 1.0, -1.0))
    differs = torch.stack([reply != dark for reply in found])  # one of the two passes the rectifier
    cells = differs.reshape(-1, height, width).any(0)
    expected = (height - 2, width - 3) if game.turned_axes == (1, 2) else (height - 2, 2)
    assert [tuple(cell) for cell in cells.nonzero().tolist()] == [expected]


def test_leads_have_bins_of_one_point_around_an_even_game():
    heads = AuxiliaryHeads(GO, NETWORK, ALL)
    half = 25 + 30
    leads = torch.tensor([0.5, -0.5, 0.0, 17.5, -54.5, -99.0, 99.0])
    expected = [half, half - 1, half, half + 17, 0, 0, 2 * half - 1]
    assert heads.lead_bins(leads).tolist() == expected


def test_targets_turn_with_the_board(go_games):
    """One asymmetric row: planes, ownership, policy and reply are images by the same symmetry."""
    rows = to_rows(GO, [go_games], ALL)
    row = next(
        i
        for i in np.flatnonzero(rows.extras["reply_count"])
        if len({p.tobytes() for p in _images(GO.encode(rows.states[i], rows.past[i]))}) == 8
        and len({p.tobytes() for p in _images(_as_planes(rows.extras["ownership"][i]))}) == 8
    )
    first = int(rows.policy_count[:row].astype(int).sum())
    entries = slice(
        first, first + int(rows.policy_count[row]) + int(rows.extras["reply_count"][row])
    )
    learner = learner_of(GO, ALL)
    learner.add_rows(
        rows._replace(
            states=rows.states[row : row + 1],
            past=rows.past[row : row + 1],
            outcome=rows.outcome[row : row + 1],
            policy_count=rows.policy_count[row : row + 1],
            policy_action=rows.policy_action[entries],
            policy_weight=rows.policy_weight[entries],
            extras={name: array[row : row + 1] for name, array in rows.extras.items()},
        )
    )
    batch = learner.sample(64)
    planes = _images(GO.encode(rows.states[row], rows.past[row]))
    owners = _images(_as_planes(rows.extras["ownership"][row]))
    actions = [GO.symmetries.action_image(s) for s in range(8)]
    own, reply = np.split(rows.policy_action[entries], [int(rows.policy_count[row])])
    used = set()
    for i in range(64):
        (s,) = [s for s in range(8) if np.array_equal(batch.planes[i], planes[s])]
        used.add(s)
        np.testing.assert_array_equal(batch.ownership[i], owners[s].ravel())
        for found, wanted in ((batch.policy, own), (batch.reply, reply)):
            of_row = found.action[found.row == i].tolist()
            assert of_row == actions[s][wanted].tolist()
    assert used == set(range(8))


def _as_planes(owners):
    return owners.astype(np.float32).reshape(1, 5, 5)


def _images(planes):
    return [GO.symmetries.transform(planes[None], np.array([s], np.int64))[0] for s in range(8)]


@pytest.mark.parametrize(
    ("game", "config"),
    [(GO, ALL), (SHUTTLE, OF_ANY_GAME), (LEAP, OF_ANY_GAME)],
    ids=lambda of: getattr(of, "name", ""),
)
def test_every_loss_falls_and_a_restored_learner_goes_on_exactly(game, config):
    batch = played(game, 60)
    learner = learner_of(game, config)
    learner.add([batch])
    first = learner.train(5, 0.0)
    learner.train(150, 0.0)
    saved = load_trainer(dump_trainer(learner.state()))
    last = learner.train(5, 0.0)
    names = {"policy_loss", "value_loss", "reply_loss"}
    if config is ALL:
        names |= {"ownership_loss", "score_loss"}
    assert first.keys() == last.keys() == names | {"learning_rate"}
    assert all(last[name] < first[name] for name in names)
    other = learner_of(game, config, seed=4)
    other.load_state(saved, [batch])
    assert other.train(5, 0.0) == last


def test_the_network_that_plays_has_no_auxiliary_heads():
    """So its weights fit a network of the same settings, and cost what they cost."""
    plain, taught = learner_of(GO, LearnerConfig()), learner_of(GO, ALL)
    state = load_state(taught.weights())
    assert state.keys() == load_state(plain.weights()).keys()
    build_network(GO, NETWORK, 0).load_state_dict(state)
    assert "heads" not in plain.state()
    for name, tensor in plain.network.state_dict().items():  # and they begin as one
        assert torch.equal(tensor, taught.network.state_dict()[name])


@pytest.mark.parametrize("name", ["ownership", "score"])
def test_points_are_refused_where_none_are_counted(name):
    config = AlphaZeroConfig(game="connect_four", learner=LearnerConfig(**{f"{name}_weight": 0.5}))
    with pytest.raises(GameError, match=f"learner.{name}_weight = 0.5: expected 0 in connect_four"):
        game_of(config)

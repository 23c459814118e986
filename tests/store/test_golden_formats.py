"""Golden files of what is no layout of the store's own: records, archives, holds, states, kinds.

As in `test_golden`: what was ever written is read for ever, and a writer that makes something else
needs a new version. `PYTHONPATH=. python tests/store/test_golden_formats.py` writes the missing
files. The last tests hold the list of formats complete.
"""

import ast
import io
import json
import logging
import re
import shutil
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA
from agents.alphazero.learner import AlphaZeroLearner
from agents.running.trajectories import match_schema
from agents.torch_state import dump_trainer, load_trainer
from arena.evaluation import records as evaluation_records
from arena.evaluation.records import Evaluation, EvaluationKey, read_evaluations
from arena.match import records as match_records
from arena.match.records import Batch, MatchKey, read_matches
from arena.play.lanes.replay import SCHEMA as LANES
from arena.play.lanes.replay import Replay
from envs.registry import find_game
from envs.teams import ActionHead, TeamSpec
from mcts.config import SearchConfig
from selfplay.committing import CommittingActor
from store import upgrades
from store.checkpoints import tensors_from_bytes
from store.errors import CheckpointError
from store.files.local import LocalFiles
from store.memory.frames import GOES_ON, TERMINATED, check_pieces, frames_schema
from store.memory.trajectories import TrajectoryRing, trajectory_schema
from store.progress import log as progress_log
from store.progress.log import FileName, ProgressReader
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.window import WINDOW_FILE, SavedWindow, TakenSegment
from store.run import Run, create_run
from store.seals import seal_of
from store.upgrades import FORMATS, Documents, VersionChain, VersionError, upgrade_episodes
from store.upkeep import archive as store_archive
from store.upkeep import holds, keeps
from store.upkeep.archive import export_run, import_run
from store.upkeep.archive_files import ArchiveError
from store.upkeep.holds import read_holds
from store.upkeep.keeps import NotedBest, NotedScore, kept_names, read_best, read_best_score
from store.upkeep.verify import verify_files
from tests.store.test_golden import (
    DATA,
    INFO,
    STEP,
    assert_equal_batches,
    decode_only,
    games,
    segment,
)

ROOT = Path(__file__).parents[2]
KEY = MatchKey(
    "tic_tac_toe", ("r@12:sims=64", "mcts:100"), 3, "random:1", ("2026-01-02T03:04:05+00:00", "")
)
OPENINGS = ("0123456789abcdef", "fedcba9876543210")
BATCH = Batch(2, np.array([[2, 0], [1, 2]]), np.array([[5, 9], [9, 7]]), OPENINGS)
MATCH_NAME = f"{KEY.id}-0000002-2.jsonl"
EVALUATION = Evaluation(
    EvaluationKey("pong", 12, "nature", 0.05, 3),
    np.array([-21.0, 9.5]),
    np.array([764, 3000]),
    15056,
    1.5,
    640,
)
EVALUATION_NAME = f"{EVALUATION.key.id}-000000012-2.json"
MEASURED = replace(
    EVALUATION,
    key=replace(EVALUATION.key, environment="breakout", step=13),
    counts={"tunnelling": np.array([0, 1200])},
)
SESSION = "20260102T030405-01234567"
ABOUT = {"machine": "two cores", "seed": 7}
RECORDS = [(0, {"time": 1.5, "games": 3}), (1, {"time": 2.5, "games": 8, "notices": ["late"]})]
HELD = ("process 1 on here", {"a" * 32: 3}, [12])
WINDOW = SavedWindow(
    (
        TakenSegment(f"replay/{'b' * 32}/000000001-2-0123abcd.arrow", 5),
        TakenSegment(f"replay/{'a' * 32}/000000000-3-89abcdef.arrow", 4, (0, 2)),
    ),
    (f"replay/{'b' * 32}/000000004-1-00000000.arrow",),
)
FRAMES = frames_schema((2, 2), action_dtype=np.uint8)
TRAJECTORIES = trajectory_schema(2, {"action": ("u1", ())}, {"memory": ("<f4", (2,))})
TEAM = match_schema(
    TeamSpec("t", "lanes", 2, 1, (2,), np.dtype(np.int8), (ActionHead("choice", 3),))
)
CONFIG = AlphaZeroConfig(
    game="tic_tac_toe",
    device="cpu",
    search=SearchConfig(simulations=4, lookahead=0, cache_size=0),
    network=NetworkConfig(0, 1, 1, 1, precision="float32"),
    learner=LearnerConfig(batch_size=2, window_rows=8, window_start_rows=8),
    selfplay=SelfPlayConfig(games=2, shards=1, fast_simulations=2, opening_plies=2),
)


# --- what is written ------------------------------------------------------------------------------


def match():
    return {MATCH_NAME: match_records._encode(KEY, BATCH)}


def evaluation():
    return {
        f"{found.key.id}-{found.key.step:09d}-2.json": evaluation_records.encode(found)
        for found in (EVALUATION, MEASURED)
    }


def progress():
    about = progress_log._encode({"format": upgrades.PROGRESS.name, **ABOUT})
    name = str(FileName(0, 0, 1))
    return {"about.json": about, name: progress_log._encode_records(RECORDS)}


def archive():
    """Of a run made of golden files, so that it is the same when one of them has a new version."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "r")
        shutil.copytree(DATA / "run-2", made)
        shutil.copytree(DATA / "checkpoint-1", made / f"checkpoints/{STEP:09d}")
        shutil.copytree(DATA / "segment-1", made / "replay" / ("a" * 32))
        shutil.copytree(DATA / "match-1", made / "matches")
        shutil.copytree(DATA / "progress-1", made / "progress" / SESSION)
        export_run(Run("r", LocalFiles(made), INFO), Path(folder, "run.tar"))
        return {"run.tar": Path(folder, "run.tar").read_bytes()}


def hold():
    return {f"{'b' * 32}-000000004.json": holds._encode(*HELD)}


def kept():
    best = {"step": 40, "games": 200, "elo": 55.5, "error": 12.25, "matches": 3}
    score = {"step": 50, "games": 30, "score": 400.5, "error": 12.25}
    score |= {"protocol": "nature", "epsilon": 0.05, "evaluations": 7}
    return {
        "best-score-000000007-000000050.json": keeps.encode_note(score),
        "000000012-a-name.json": keeps.encode_note({"step": 12, "name": "a-name"}),
        "best-000000003-000000040.json": keeps.encode_note(best),
    }


def window():
    return {WINDOW_FILE: WINDOW.to_bytes()}


def learner():
    game = find_game(CONFIG.game)
    return AlphaZeroLearner(game, CONFIG.network, CONFIG.learner, seed=5, device="cpu")


def trainer():
    """After one step, so that the optimiser has a state."""
    made = learner()
    made.add([EpisodeBatch.of(SCHEMA, games())])
    made.train(1, 0.0)
    return {"trainer.pt": dump_trainer({**made.state(), "rows_credit": 6.0})}


def actor():
    with tempfile.TemporaryDirectory() as folder:
        made = small_actor(folder)
        data, rest = made.state()
        made.actor.close()
    return as_files(data, rest)


def as_files(data, rest):
    return {"actor.safetensors": data, "rest.json": json.dumps(rest, sort_keys=True).encode()}


def small_actor(store, seed=0):
    config = {"game": CONFIG.game}
    run = create_run(store, "r", game=CONFIG.game, config=config, seed=0, versions={})
    return CommittingActor(run, replace(CONFIG, seed=seed), next_seq=0)


def pieces():
    """An episode of a stream in two pieces: two steps, then one that ends it."""
    return [piece(0, 2, GOES_ON), piece(2, 1, TERMINATED)]


def piece(first, steps, ending):
    count = steps + (ending != GOES_ON)
    number = np.arange(first, first + count)
    arrays = {
        "frame": np.repeat(number, 4).astype("u1").reshape(count, 2, 2),
        "action": number[: max(steps, 1)].astype("u1"),
        "reward": np.full(steps, 0.5, "<f4"),
        "stream": np.array([6]),
        "episode": np.array([1]),
        "first_step": np.array([first]),
        "ending": np.array([ending], "u1"),
    }
    return Episode(bytes([first]) * 16, arrays)


def trajectories():
    """Three steps of two agents, of whom the second is late: in sequences of two steps."""
    arrays = {
        "present": np.array([[True, False], [True, True], [True, True]]),
        "policy_version": np.array([4, 4, 5]),
        "ending": np.array([TERMINATED], "u1"),
        "action": np.array([[1, 0], [2, 3], [4, 5]], "u1"),
        "state.memory": np.arange(8, dtype="<f4").reshape(2, 2, 2),
    }
    return [Episode(b"t" * 16, arrays)]


def recorded_matches():
    """A match of two teams of one and two steps, which a past opponent lost; and a piece of one."""
    newest = np.array([[False, True]])
    known = np.array([[np.nan, -0.5], [np.nan, -0.25]], "<f4")
    facts = {"worker": 1, "place": 0, "opponent": 3, "side": 1}
    arrays = {
        "present": np.ones((2, 2), np.bool_),
        "policy_version": np.array([4, 5]),
        "ending": np.array([TERMINATED], "u1"),
        "observation": np.arange(8, dtype="i1").reshape(2, 2, 2),
        "action": np.arange(4, dtype="<i4").reshape(2, 2, 1),
        "action_mask": np.ones((2, 2, 3), "u1"),
        "reward": np.array([[0, 0], [-1, 1]], "<f4"),
        "log_probability": known,
        "value": known,
        "fact.number": np.array([7]),
        **{f"fact.{name}": np.array([fact]) for name, fact in facts.items()},
        "fact.first_step": np.array([0]),
        "fact.newest": newest,
        "fact.scores": np.array([[0, 1]], "<f4"),
        "fact.end_value": np.zeros((1, 2), "<f4"),
        "fact.seed": np.array([2**64 - 1], "<u8"),
    }
    piece = {"ending": np.array([GOES_ON], "u1"), "fact.number": np.array([8])}
    piece |= {"fact.first_step": np.array([64]), "fact.seed": np.zeros(0, "<u8")}
    piece["fact.scores"] = np.full((1, 2), np.nan, "<f4")
    return [Episode(b"m" * 16, arrays), Episode(b"p" * 16, {**arrays, **piece})]


def replays():
    """Two decisions of a match that no rules need to reach: its hash is made up."""
    actions = np.array([[[1, 0, 0], [1, 2, 0]], [[2, 0, 13], [-1, 9, 20]]], np.int8)
    return [Replay("lanes_1v1", 2**64 - 1, ("run@12", "größer"), actions, b"d" * 32).to_episode()]


WRITERS = {
    "match": match,
    "evaluation": evaluation,
    "progress": progress,
    "hold": hold,
    "kept": kept,
    "archive": archive,
    "window": window,
    "trainer": trainer,
    "actor": actor,
}
KINDS = {
    "frames": (FRAMES, pieces),
    "trajectory": (TRAJECTORIES, trajectories),
    "lanes": (LANES, replays),
    "team": (TEAM, recorded_matches),
}


def newest(name):
    folder = DATA / f"{name}-{FORMATS[name].current}"
    assert folder.is_dir(), f"{name} has version {FORMATS[name].current} now: see {__file__}"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "name", ["match", "evaluation", "progress", "archive", "hold", "kept", "window"]
)
def test_todays_writer_makes_the_newest_golden_files_byte_for_byte(name):
    assert WRITERS[name]() == newest(name), f"the writer of {name} has changed: raise the version"


@pytest.mark.parametrize("name", ["trainer", "actor"])
def test_todays_states_have_the_names_and_shapes_of_the_newest_golden_ones(name):
    """Their figures depend on the machine."""
    decode = {"trainer": trainer_of, "actor": actor_of}[name]
    made, golden = (shape_of(decode(files)) for files in (WRITERS[name](), newest(name)))
    assert made == golden, f"the state of the {name} has changed: raise the version"


def trainer_of(files):
    """Without the settings, which go by a rule of their own."""
    state = load_trainer(files["trainer.pt"])
    return {name: value for name, value in state.items() if name != "config"}


def actor_of(files):
    arrays = tensors_from_bytes(files["actor.safetensors"])
    return {**json.loads(files["rest.json"]), "arrays": arrays}


def shape_of(value):
    """Names, types and shapes, without the figures."""
    if isinstance(value, dict):
        return {name: shape_of(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [shape_of(inner) for inner in value]
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"{value.dtype} {tuple(value.shape)}"
    return value if isinstance(value, str) and "/" in value else type(value).__name__


# --- what is read ---------------------------------------------------------------------------------


def versions(name):
    folders = sorted(DATA.glob(f"{name}-*"))
    return pytest.mark.parametrize("folder", folders, ids=lambda path: path.name)


@versions("match")
def test_every_record_of_a_match_is_read(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "matches")
    ((key, batch),) = read_matches(LocalFiles(tmp_path))
    is_dated = folder.name not in ("match-1", "match-2")
    assert key == (KEY if is_dated else KEY.not_dated())
    assert batch.first_pair == BATCH.first_pair
    assert (batch.points.tolist(), batch.plies.tolist()) == (
        BATCH.points.tolist(),
        BATCH.plies.tolist(),
    )
    assert batch.opening_ids == (None if folder.name == "match-1" else OPENINGS)


@versions("evaluation")
def test_every_evaluation_is_read(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "evaluations")
    found = read_evaluations(LocalFiles(tmp_path))
    stored = [EVALUATION] if folder.name == "evaluation-1" else [EVALUATION, MEASURED]
    assert [one.key for one in found] == [one.key for one in stored]
    assert [one.to_json() for one in found] == [one.to_json() for one in stored]


@versions("progress")
def test_every_journal_is_read(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "progress" / SESSION)
    reader = ProgressReader(LocalFiles(tmp_path))
    assert reader.poll() == 2
    (session,) = reader.sessions
    assert session.about == ABOUT
    assert [record["games"] for record in session.records] == [3, 8]
    assert session.records[1]["notices"] == ["late"]


@versions("archive")
def test_every_archive_is_imported(folder, tmp_path):
    done = import_run(tmp_path, folder / "run.tar")
    assert (done.run, done.files) == ("r", 7)
    found = verify_files(LocalFiles(tmp_path / "r"), "r")
    assert (found.ok, found.segments, found.checkpoints) == (True, 1, [STEP])
    assert len(list(read_matches(LocalFiles(tmp_path / "r")))) == 1


@versions("hold")
def test_every_hold_holds(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "holds")
    (found,) = read_holds(LocalFiles(tmp_path))
    assert (found.owner, found.segments, sorted(found.checkpoints)) == HELD
    assert (found.renewal, found.holds_all) == (4, False)


@versions("kept")
def test_every_name_and_note_of_the_best_is_read(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "kept")
    found = kept_names(LocalFiles(tmp_path))
    assert (found.named, found.best) == ({"a-name": 12}, [(3, 40)])
    assert read_best(LocalFiles(tmp_path), found, 3) == NotedBest(40, 200, 55.5, 12.25, 3)
    scored = NotedScore(50, 30, 400.5, 12.25, "nature", 0.05, 7)
    assert read_best_score(LocalFiles(tmp_path), found, 7) == scored
    assert read_best_score(LocalFiles(tmp_path), found, 8) is None


@versions("window")
def test_every_order_of_a_window_is_read(folder):
    assert SavedWindow.from_bytes((folder / WINDOW_FILE).read_bytes()) == WINDOW


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b'{"segments": 3}', b'{"segments": [["k", -1]]}', b'{"segments": [[1, 1]]}'],
)
def test_what_is_no_order_of_a_window_is_refused(data):
    if data.startswith(b'{"'):
        data = data.replace(b"{", b'{"format": "ludens-window/1", "ahead": [], ')
    with pytest.raises(CheckpointError, match="is not the order of a window"):
        SavedWindow.from_bytes(data)


@versions("trainer")
def test_every_trainers_state_is_continued(folder):
    state = load_trainer((folder / "trainer.pt").read_bytes())
    other = learner()
    other.load_state(state, [])
    assert (other.steps, state["rows_credit"], other.rows_added) == (1, 6.0, 2)
    for name, tensor in other.network.state_dict().items():
        assert torch.equal(tensor, state["network"][name])
    drawn = np.random.default_rng([5, 1])
    assert other.rng.bit_generator.state != drawn.bit_generator.state


@versions("actor")
def test_every_actors_state_is_continued(folder, tmp_path):
    """All of it: an actor of another seed is the same after it, random streams included."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    states = []
    for seed in (0, 9):
        made = small_actor(tmp_path / str(seed), seed)
        before = made.state()
        made.load_state(files["actor.safetensors"], json.loads(files["rest.json"]))
        states.append(made.state())
        made.actor.close()
        assert states[-1] != before
    assert states[0] == states[1]
    golden, found = (actor_of(f)["arrays"] for f in (files, as_files(*states[0])))
    for name in ("0.ply", "0.moves", "0.totals"):
        np.testing.assert_array_equal(found[name], golden[name])


@pytest.mark.parametrize("family", KINDS)
def test_every_kind_of_episodes_is_read(family):
    schema, make = KINDS[family]
    expected = EpisodeBatch.of(schema, make())
    folders = sorted(DATA.glob(f"{family}-*"))
    assert f"{schema.kind.replace('/', '-')}" in {folder.name for folder in folders}
    for folder in folders:
        batch = upgrade_episodes(decode_only(folder), schema.kind)
        assert_equal_batches(batch, expected)


def test_golden_kinds_are_what_their_rings_take():
    check_pieces(EpisodeBatch.of(FRAMES, pieces()))
    ring = TrajectoryRing(8, TRAJECTORIES, length=2)
    assert ring.extend(EpisodeBatch.of(TRAJECTORIES, trajectories())) == 2
    ring = TrajectoryRing(8, TEAM, length=2)
    assert ring.extend(EpisodeBatch.of(TEAM, recorded_matches())) == 2


# --- what is newer is refused by name -------------------------------------------------------------


def newer(name):
    """The newest golden document as the next version of the program would write it."""
    chain = FORMATS[name]
    return {"format": f"{chain.family}/{chain.current + 1}"}


@pytest.mark.parametrize("name", [n for n, f in FORMATS.items() if isinstance(f, Documents)])
def test_a_newer_document_is_refused_by_name(name):
    chain = FORMATS[name]
    told = rf"^format {chain.family}/{chain.current + 1}, this version of .* reads .*; a newer"
    with pytest.raises(VersionError, match=told) as caught:
        chain.read({"a": 1} | newer(name))
    assert caught.value.is_newer
    with pytest.raises(VersionError, match=f"format 'else/1', expected '{chain.name}'"):
        chain.read({"format": "else/1"})
    with pytest.raises(TypeError):
        chain.read([1])


def test_a_newer_record_of_a_match_is_passed_over_by_name(tmp_path, caplog):
    document = json.loads(newest("match")[MATCH_NAME]) | newer("match")
    files = LocalFiles(tmp_path)
    files.create(f"matches/{MATCH_NAME}", json.dumps(document).encode())
    with caplog.at_level(logging.WARNING):
        assert list(read_matches(files)) == []
    assert f"{MATCH_NAME}' of a match is skipped: format ludens-match/" in caplog.text
    assert "a newer version of the program wrote it" in caplog.text


def test_a_newer_evaluation_is_passed_over_by_name(tmp_path, caplog):
    document = json.loads(newest("evaluation")[EVALUATION_NAME]) | newer("evaluation")
    files = LocalFiles(tmp_path)
    files.create(f"evaluations/{EVALUATION_NAME}", json.dumps(document).encode())
    with caplog.at_level(logging.WARNING):
        assert read_evaluations(files) == []
    assert f"{EVALUATION_NAME}' is skipped: format ludens-evaluation/" in caplog.text
    assert "a newer version of the program wrote it" in caplog.text


def test_a_newer_journal_is_passed_over_by_name(tmp_path, caplog):
    documents = {name: json.loads(data) for name, data in newest("progress").items()}
    files = LocalFiles(tmp_path)
    for name, document in documents.items():
        data = json.dumps(document | newer("progress")).encode()
        files.create(f"progress/{SESSION}/{name}", data)
    reader = ProgressReader(files)
    with caplog.at_level(logging.WARNING):
        assert reader.poll() == reader.poll() == 0
    assert caplog.text.count("skipped: format ludens-progress/") == len(documents)  # told once


def test_a_newer_archive_is_refused_by_name(tmp_path):
    document = {"run": "r", "entries": []} | newer("archive")
    data = json.dumps({**document, "seal": seal_of(document)}).encode()
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        store_archive._add(tar, "INDEX.json", data)
    with pytest.raises(ArchiveError, match=r"INDEX.json': format ludens-run/\d+, .* a newer"):
        import_run(tmp_path / "store", path)


def test_a_newer_hold_holds_everything_and_says_why(tmp_path):
    files = LocalFiles(tmp_path)
    files.create(f"holds/{'b' * 32}-000000001.json", json.dumps(newer("hold")).encode())
    (found,) = read_holds(files)
    assert found.holds_all
    assert re.match(r"a hold of format ludens-hold/\d+, this version", found.owner)


def test_a_newer_note_of_the_best_is_passed_over_by_name(tmp_path, caplog):
    files = LocalFiles(tmp_path)
    files.create("kept/best-000000003-000000040.json", json.dumps(newer("kept")).encode())
    with caplog.at_level(logging.WARNING):
        assert read_best(files, kept_names(files), 3) is None
    assert "skipped: format ludens-kept/" in caplog.text
    assert kept_names(files).steps == {40}


def test_a_newer_state_in_a_checkpoint_is_refused_by_name(tmp_path):
    buffer = io.BytesIO()
    torch.save(newer("trainer"), buffer)
    with pytest.raises(VersionError, match="format ludens-trainer/"):
        load_trainer(buffer.getvalue())
    made = small_actor(tmp_path)
    data, rest = made.state()
    with pytest.raises(VersionError, match="format ludens-actor/"):
        made.load_state(data, rest | newer("actor"))
    made.actor.close()


# --- the list is complete -------------------------------------------------------------------------

SOURCES = [
    path
    for room in ("envs", "store", "mcts", "agents", "selfplay", "arena", "configs", "commands")
    for path in sorted((ROOT / room).rglob("*.py"))
]
_NAMED = re.compile(r"[a-z][a-z_-]*/[0-9]+")


def families_named_in(path):
    """What a source names like a format: texts such as "ludens-match/1", outside of docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    return {t.partition("/")[0] for t in texts if isinstance(t, str) and _NAMED.fullmatch(t)}


def test_every_format_that_a_source_names_has_a_chain():
    documents = {f.family for f in FORMATS.values() if isinstance(f, Documents)}
    kinds = {folder.name.rpartition("-")[0] for folder in DATA.iterdir()} - FORMATS.keys()
    named = {family for path in SOURCES for family in families_named_in(path)}
    assert named - documents <= kinds, "a format without a chain, or a kind without golden files"
    assert kinds == {"alphazero", *KINDS}


def test_every_chain_is_listed():
    chains = {
        name: value for name, value in vars(upgrades).items() if isinstance(value, VersionChain)
    }
    assert {id(chain) for chain in chains.values()} == {id(f) for f in FORMATS.values()}


@pytest.mark.parametrize("name", FORMATS)
def test_every_version_of_every_format_has_golden_files(name):
    chain = FORMATS[name]
    reached = [v for v in range(1, chain.current + 1) if chain._reaches(v, chain.current)]
    assert reached == list(range(1, chain.current + 1))
    for version in reached:
        assert (DATA / f"{name}-{version}").is_dir(), f"no golden files of {name} {version}"
    assert not (DATA / f"{name}-{chain.current + 1}").exists()


def write_missing():
    for name, write in WRITERS.items():
        put(f"{name}-{FORMATS[name].current}", write)
    for schema, make in KINDS.values():
        put(schema.kind.replace("/", "-"), lambda s=schema, m=make: segment(s, m()))


def put(name, make):
    if not (DATA / name).exists():
        files = make()
        (DATA / name).mkdir()
        for file, data in files.items():
            (DATA / name / file).write_bytes(data)
        print(f"wrote {DATA / name}")


if __name__ == "__main__":
    write_missing()

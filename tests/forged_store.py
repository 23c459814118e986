"""A store, and an archive, as somebody would forge them to have their code run.

Wherever a stored file can hold a text, it holds the path of a Python file that lies in the store.
All seals, digests and checksums are right.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import tests.tabular  # noqa: F401  (registers an algorithm of environments)
from agents.alphazero.network import build_network
from agents.torch_state import dump_state
from arena.evaluation.records import Evaluation, EvaluationKey, store_evaluation
from arena.match.records import MatchKey
from configs.loader import load_config
from envs.registry import find_game
from selfplay.loop import ACTOR_FILE
from selfplay.trainer import TRAINER_FILE
from store import checkpoints
from store.files.local import LocalFiles
from store.run import RUN_FILE, Run, RunInfo
from store.seals import seal_of
from store.upgrades import MATCH
from store.upkeep import archive_files
from tests.arena.journals import stage, write_session

GAME = "tic_tac_toe"
STEP = 7
OLD_RUNS = ("path_v1", "path_v2", "module_v2")  # name a file as runs of older versions did
NEW_RUNS = ("path_v3", "path_in_config", "own", "own_environment")
VARIANTS = ("walk-full", "walk-control", "walk-without-cache")  # as `ablate` calls its runs
EVIL = "tensorboard/events.py"


class EvilPickle:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def forge_store(store: Path, marker: Path) -> None:
    """A store of forged runs; code that leaves `marker` lies in each, and next to them."""
    for name in (*OLD_RUNS, *NEW_RUNS, *VARIANTS):
        root = store / name
        put_code(root / EVIL, marker)
        text = str(root / EVIL)
        (root / RUN_FILE).write_bytes(run_file(name, text))
        run = Run(name, LocalFiles(root), RunInfo(GAME, {}, 0))
        forge_checkpoint(run, text, marker)
        forge_matches(run, text)
        forge_evaluation(run, text)
        write_session(run, [stage(float(n)) for n in range(1, 4)], game=text, host=text)
        for folder in ("", "matches/", "progress/", f"checkpoints/{STEP:09d}/"):
            put_code(root / f"{folder}__init__.py", marker)
        (root / "holds").mkdir()
        (root / "holds" / f"{'a' * 32}-000000000.json").write_text(
            json.dumps({"owner": text, "segments": {text: 1}, "checkpoints": []})
        )


def put_code(path: Path, marker: Path) -> None:
    """A Python file that leaves the marker when it is run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"import os\nos.makedirs({str(marker)!r}, exist_ok=True)\n")


def run_file(name: str, text: str) -> bytes:
    """A `run.json` that names a file, in the way that the run's own name says."""
    if name == "own_environment":
        return own_environment(text)
    settings = {**asdict(load_config(GAME)), "game": text}
    game = {"path_in_config": GAME, "own": "events", "module_v2": "runs.path_v2.tensorboard.events"}
    document: dict[str, Any] = {
        "game": game.get(name, text),
        "config": settings,
        "seed": 0,
        "versions": {"ludens": text, "python": text},
        "created": f"2026-01-01T00:00:00+00:00 {text}",
        "schema_version": 2,
    }
    if name == "path_v1":
        return json.dumps({**document, "schema_version": 1}).encode()
    if name in NEW_RUNS:
        source = hashlib.sha256(Path(text).read_bytes()).hexdigest() if name == "own" else ""
        document |= {"schema_version": 3, "game_source": source}
    return json.dumps({**document, "seal": seal_of(document)}).encode()


def own_environment(text: str) -> bytes:
    """A `run.json` of an environment that would be imported from the store."""
    document: dict[str, Any] = {
        "game": "runs.own_environment.tensorboard.events:Environment",
        "config": {"game": text, "environment": {"protocol": text}},
        "seed": 0,
        "versions": {"ludens": text},
        "created": f"2026-01-01T00:00:00+00:00 {text}",
        "algorithm": "q_learning",
        "game_source": "",
        "schema_version": 4,
    }
    return json.dumps({**document, "seal": seal_of(document)}).encode()


def forge_checkpoint(run: Run, text: str, marker: Path) -> None:
    """One that plays, and whose trainer's state is a pickle that runs code."""
    import torch

    config, game = load_config(GAME), find_game(GAME)
    pickled = io.BytesIO()
    torch.save({"steps": STEP, "evil": EvilPickle(marker)}, pickled)
    stored = {
        checkpoints.MODEL_FILE: dump_state(build_network(game, config.network, 0).state_dict()),
        TRAINER_FILE: pickled.getvalue(),
        ACTOR_FILE: b"cos\nmkdir\n(S'" + str(marker).encode() + b"'\ntR.",
    }
    metadata = {"cursor": {}, "elapsed_s": 1.0, "counters": {"games": 1}, "actor": {"game": text}}
    checkpoints.save(run, STEP, stored, metadata)


def forge_matches(run: Run, text: str) -> None:
    """A record whose game, agents and openings are the file."""
    agents = (f"{run.name}@{STEP}", text)
    document = {
        "format": MATCH.name,
        "game": text,
        "agents": agents,
        "seed": 0,
        "openings": text,
        "first_pair": 0,
        "points": [[2, 0]],
        "plies": [[5, 5]],
    }
    key = f"matches/{MatchKey(text, agents, 0, text).id}-0000000-1.jsonl"
    run.files.create(key, (json.dumps(document) + "\n").encode())


def forge_evaluation(run: Run, text: str) -> None:
    """A record whose environment and protocol are the file."""
    key = EvaluationKey(text, STEP, text, 0.0, 0)
    one = np.ones(1)
    store_evaluation(run.files, Evaluation(key, one, one.astype(np.int64), 1))


def forge_archive(path: Path, run: str, content: Mapping[str, bytes]) -> Path:
    """An archive of these files, its index right."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        listed = []
        for name, data in content.items():
            _add(tar, name, data)
            digest = hashlib.sha256(data).hexdigest()
            listed.append({"name": name, "size": len(data), "sha256": digest})
        _add(tar, archive_files.INDEX_FILE, archive_files.encode_index(run, listed))
    return path


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))

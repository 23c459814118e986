from pathlib import Path

from arena.play.screen.opponent import WITHOUT_RUNS, default_agent
from envs.registry import find_game
from store import checkpoints
from store.run import create_run

GAME = find_game("tic_tac_toe")


def make_run(store: Path, name: str, game: str, *steps: int) -> None:
    run = create_run(store, name, game=game, config={}, seed=0, versions={})
    for step in steps:
        checkpoints.save(run, step, {"model.safetensors": b"weights"}, {})


def test_the_newest_run_of_the_game_that_can_play(tmp_path: Path) -> None:
    make_run(tmp_path, "b-first", "tic_tac_toe", 10)
    make_run(tmp_path, "a-second", "tic_tac_toe", 5)
    make_run(tmp_path, "other", "connect_four", 20)
    make_run(tmp_path, "untrained", "tic_tac_toe")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    name, told = default_agent(GAME, str(tmp_path))
    # Of runs made within one second the later name counts.
    created = {n: (tmp_path / n / "run.json").read_text() for n in ("b-first", "a-second")}
    assert name in created
    assert repr(name) in told
    assert "--agent" in told


def test_the_time_of_creation_decides(tmp_path: Path, monkeypatch: object) -> None:
    made = iter(["2026-03-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"])
    from arena.play.screen import opponent

    for name in ("early-name", "late-name"):
        make_run(tmp_path, name, "tic_tac_toe", 1)
    times = {name: next(made) for name in ("early-name", "late-name")}
    found = opponent.find_run

    def dated(name: str, game: object, store_url: str) -> object:
        run = found(name, game, store_url)
        object.__setattr__(run.info, "created", times[name])
        return run

    monkeypatch.setattr(opponent, "find_run", dated)
    assert default_agent(GAME, str(tmp_path))[0] == "early-name"


def test_without_a_run_it_is_tree_search_and_says_so(tmp_path: Path) -> None:
    make_run(tmp_path, "other", "connect_four", 20)
    name, told = default_agent(GAME, str(tmp_path))
    assert name == WITHOUT_RUNS
    assert told.startswith(f"no run of Tic-tac-toe in {str(tmp_path)!r}: you play mcts:1000")
    assert default_agent(GAME, str(tmp_path / "nowhere"))[0] == WITHOUT_RUNS

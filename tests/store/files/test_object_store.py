"""One seam, three kinds of store: whatever is above it works the same on each of them."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from mcts.config import SearchConfig
from selfplay.loop import train
from store import checkpoints
from store.errors import (
    AlreadyStoredError,
    CheckpointError,
    FileTooLargeError,
    RunExistsError,
    RunLostError,
    RunNotFoundError,
    StoreAccessError,
    StoreUnreachableError,
    StoreWriteError,
)
from store.files.opening import open_files
from store.replay.episodes import Episode, EpisodeSchema
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.run import create_run, list_runs, open_run, resume_or_create_run
from tests.store.s3_server import BUCKET, Failure, forget_clients, running_s3

SCHEMA = EpisodeSchema("test/1", {"number": ("<i8", ()), "moves": ("<u2", ())})
SETTINGS = {"game": "g", "config": {"a": 1}, "seed": 7, "versions": {}}
TRAINING = AlphaZeroConfig(
    game="tic_tac_toe",
    minutes=0,
    games=60,
    publish_rows=32,
    checkpoint_rows=64,
    device="cpu",
    search=SearchConfig(simulations=8, lookahead=1, cache_size=256),
    network=NetworkConfig(1, 8, 4, 8, precision="float32"),
    learner=LearnerConfig(batch_size=32, window_rows=150, window_start_rows=100),
    selfplay=SelfPlayConfig(
        games=8, shards=1, fast_simulations=4, opening_plies=3, resign_value=-0.9
    ),
)


@pytest.fixture(scope="module")
def s3():
    with running_s3() as server:
        yield server


def _fresh_address(kind, request):
    name = uuid.uuid4().hex
    if kind == "local":
        return str(request.getfixturevalue("tmp_path") / name)
    if kind == "memory":
        return f"memory://{name}"
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/{name}"


@pytest.fixture(params=["local", "memory", "s3"])
def address(request):
    return _fresh_address(request.param, request)


@pytest.fixture(params=["memory", "s3"])
def object_address(request):
    return _fresh_address(request.param, request)


@pytest.fixture
def s3_files(s3):
    server_fails(s3)
    files = open_files(f"s3://{BUCKET}/{uuid.uuid4().hex}")
    files._sleep = lambda seconds: None
    yield files
    server_fails(s3)


def server_fails(server, *failures, method="PUT"):
    server.failing_method, server.failures = method, list(failures)


# --- the seam ---------------------------------------------------------------------------------


def test_files_are_created_listed_and_read(address):
    files = open_files(address)
    assert files.names("") == files.folders("") == files.names("a/b") == []
    files.create("a/x.bin", b"one")
    files.create("a/b/y.bin", memoryview(np.arange(3, dtype="<i4")).cast("B"))
    files.within("a").create("empty", b"")
    assert (files.names("a"), files.folders("a")) == (["empty", "x.bin"], ["b"])
    assert (files.names(""), files.folders("")) == ([], ["a"])
    assert files.names("a/x.bin") == []
    assert files.exists("a/x.bin")
    assert not files.exists("a")
    assert not files.exists("a/x")
    assert files.read("a/b/y.bin") == np.arange(3, dtype="<i4").tobytes()
    assert files.within("a").within("b").read("y.bin") == files.read("a/b/y.bin")
    assert [files.size(f"a/{name}") for name in ("x.bin", "empty")] == [3, 0]
    assert 0 <= files.modified_ns("a/b/y.bin") - files.modified_ns("a/x.bin") < 60e9
    assert open_files(files.url).read("a/x.bin") == b"one"


def test_a_tree_has_sizes_and_dates(address):
    files = open_files(address)
    assert files.tree("") == files.tree("a") == []
    for key in ("a/x", "a/b/y", "a/b.z", "ab/w", "top"):
        files.create(key, key.encode())
    assert [(entry.key, entry.size) for entry in files.tree("")] == [
        ("a/b.z", 5), ("a/b/y", 5), ("a/x", 3), ("ab/w", 4), ("top", 3),
    ]  # fmt: skip
    assert [entry.key for entry in files.tree("a")] == ["a/b.z", "a/b/y", "a/x"]
    assert [entry.key for entry in files.within("a").tree("b")] == ["b/y"]
    assert files.tree("top") == files.tree("none") == files.tree("a/x") == []
    for entry in files.tree(""):
        assert abs(entry.modified_ns - files.modified_ns(entry.key)) < 1e9


def test_many_are_removed_and_what_is_gone_is_passed_over(address):
    files = open_files(address)
    for key in ("a/x", "a/y z", "b/*", "b/[x]", "c"):
        files.create(key, b"1")
    files.remove_many([])
    files.remove_many(["a/x", "a/none", "none/none", "b/*"])
    assert [entry.key for entry in files.tree("")] == ["a/y z", "b/[x]", "c"]
    files.within("b").remove_many(["[x]"])
    files.remove_many(["a/y z", "c"])
    assert files.tree("") == []


def test_no_more_is_read_than_a_document_may_have(address, s3):
    files = open_files(address)
    for name, size in (("none", 0), ("less", 9), ("most", 10), ("more", 11), ("much", 10**6)):
        files.create(name, bytes(size))
    assert [len(files.read(name, 10)) for name in ("none", "less", "most")] == [0, 9, 10]
    before = len(s3.requests)
    for name in ("more", "much"):
        with pytest.raises(FileTooLargeError, match=f"'{name}' has more than 10 bytes"):
            files.read(name, 10)
    assert len(s3.requests) - before in (0, 2)  # no more of them than without a bound
    with pytest.raises(FileNotFoundError):
        files.read("nothing", 10)


def test_nothing_is_ever_replaced(address):
    files = open_files(address)
    files.create("x", b"one")
    for data in (b"two", b"one"):  # the same bytes of another write are another file too
        with pytest.raises(AlreadyStoredError, match="nothing in a store is ever replaced"):
            files.create("x", data)
    assert not files.create_same("x", b"one")
    assert files.create_same("y", b"one")
    with pytest.raises(AlreadyStoredError):
        files.create_same("x", b"two")
    assert files.read("x") == b"one"


def test_what_is_not_there_is_a_file_not_found(address):
    files = open_files(address)
    files.create("folder/file", b"")
    for operation in (files.read, files.size, files.modified_ns):
        with pytest.raises(FileNotFoundError):
            operation("none")
    with pytest.raises(FileNotFoundError):
        files.move("none", "other")


def test_move_and_removal(address):
    files = open_files(address)
    files.create("a/x", b"one")
    files.move("a/x", "b/c/y")
    assert (files.names("a"), files.read("b/c/y")) == ([], b"one")
    files.create("a/x", b"two")
    with pytest.raises(AlreadyStoredError):
        files.move("a/x", "b/c/y")
    assert (files.read("a/x"), files.read("b/c/y")) == (b"two", b"one")
    if address.startswith("/"):
        with pytest.raises(OSError, match="not empty"):
            files.remove_folder("a")
    files.remove("a/x")
    files.remove_folder("a")
    files.remove_folder("a")
    assert files.folders("") == ["b"]
    assert files.remove_leftovers("b") == 0


def test_of_concurrent_creations_exactly_one_wins(address):
    writers = 8
    for number in range(3):
        together = threading.Barrier(writers)

        def create(writer, key=f"key-{number}", together=together):
            files = open_files(address)
            together.wait()
            try:
                files.create(key, b"%d" % writer * 1000)
            except AlreadyStoredError:
                return None
            return writer

        with ThreadPoolExecutor(writers) as pool:
            winners = [w for w in pool.map(create, range(writers)) if w is not None]
        assert len(winners) == 1
        assert open_files(address).read(f"key-{number}") == b"%d" % winners[0] * 1000


def test_memory_is_exclusive_though_its_filesystem_asks_before_it_writes(monkeypatch):
    """The gap between the two is made wide enough to be hit."""
    address, exists = f"memory://{uuid.uuid4().hex}", MemoryFileSystem.exists
    together = threading.Barrier(2)

    def slow_answer(self, path, **options):
        answer = exists(self, path, **options)
        time.sleep(0.02)
        return answer

    def create(data):
        together.wait()
        try:
            open_files(address).create("x", data)
        except AlreadyStoredError:
            return False
        return True

    monkeypatch.setattr(MemoryFileSystem, "exists", slow_answer)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(create, [b"one", b"two"])) == [False, True]


def test_a_listing_is_never_stale(object_address):
    files = open_files(object_address)
    other = fsspec.filesystem(object_address.split(":")[0], skip_instance_cache=True)
    files.create("a/x", b"one")
    assert files.names("a") == ["x"]
    other.pipe_file(f"{object_address}/a/y", b"two")
    other.pipe_file(f"{object_address}/b/z", b"two")
    assert (files.names("a"), files.folders("")) == (["x", "y"], ["a", "b"])
    other.rm_file(f"{object_address}/a/x")
    assert not files.exists("a/x")
    assert files.names("a") == ["y"]


def test_a_crash_within_a_move_leaves_both_and_moving_again_finishes(object_address, monkeypatch):
    files = open_files(object_address)
    files.create("x", b"one")
    with monkeypatch.context() as patch:
        patch.setattr(files._filesystem, "rm_file", _raise(RuntimeError("killed")), raising=False)
        with pytest.raises(RuntimeError):
            files.move("x", "y")
    assert (files.read("x"), files.read("y")) == (b"one", b"one")
    files.move("x", "y")
    assert files.names("") == ["y"]


# --- failing servers --------------------------------------------------------------------------


def _raise(error):
    def function(*arguments, **options):
        raise error

    return function


def _answer_lost(function):
    """The function, but the first caller does not hear that it succeeded."""
    calls = []

    def wrapped(*arguments, **options):
        calls.append(1)
        result = function(*arguments, **options)
        if len(calls) == 1:
            raise ConnectionResetError("reset by peer")
        return result

    return wrapped


def test_a_creation_whose_answer_is_lost_has_succeeded(object_address, monkeypatch):
    files = open_files(object_address)
    files._sleep = (pauses := []).append
    pipe_file = files._filesystem.pipe_file
    monkeypatch.setattr(files._filesystem, "pipe_file", _answer_lost(pipe_file), raising=False)
    files.create("x", b"one")
    assert files.read("x") == b"one"
    assert len(pauses) == 1


def test_a_write_that_the_driver_repeated_is_known_by_its_mark(s3_files, s3):
    server_fails(s3, Failure("500 Internal Server Error", "InternalError", applied=True))
    s3_files.create("x", b"one")
    puts = [r for r in s3.requests if r == f"PUT /{s3_files.root}/x"]
    assert len(puts) == 2  # botocore's own second attempt met the first one's object
    with pytest.raises(AlreadyStoredError):
        s3_files.create("x", b"one")


@pytest.mark.parametrize(
    ("status", "code"),
    [("409 Conflict", "ConditionalRequestConflict"), ("409 Conflict", "OperationAborted")],
)
def test_a_conflict_in_passing_is_tried_again(s3_files, s3, status, code):
    server_fails(s3, Failure(status, code))
    s3_files.create("x", b"one")
    assert s3_files.read("x") == b"one"
    assert not s3.failures


def test_a_server_without_the_words_of_amazon_is_understood(s3_files, s3):
    s3_files.create("x", b"one")
    server_fails(s3, Failure("412 Precondition Failed", "PreconditionFailed"))
    with pytest.raises(AlreadyStoredError):
        s3_files.create("x", b"two")


def test_refused_access_is_said_plainly(s3_files, s3):
    server_fails(s3, Failure("403 Forbidden", "SignatureDoesNotMatch"))
    with pytest.raises(StoreWriteError, match=r"access is refused.*AWS_SECRET_ACCESS_KEY"):
        s3_files.create("x", b"one")
    server_fails(s3, Failure("403 Forbidden", "AccessDenied"), method="GET")
    with pytest.raises(StoreAccessError, match="access is refused"):
        s3_files.names("")


def test_missing_credentials_are_said_plainly(s3_files, monkeypatch, tmp_path):
    forget_clients()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    files = open_files(s3_files.url)
    with pytest.raises(StoreAccessError, match=r"no usable credentials.*AWS_ACCESS_KEY_ID"):
        files.read("x")
    with pytest.raises(StoreWriteError, match=r"no usable credentials.*AWS_ACCESS_KEY_ID"):
        files.create("x", b"")
    with pytest.raises(StoreAccessError):
        list_runs(s3_files.url)
    forget_clients()


def test_a_bucket_that_does_not_exist(s3):
    assert list_runs("s3://no-such-bucket/runs") == []
    with pytest.raises(StoreWriteError, match="bucket does not exist"):
        create_run("s3://no-such-bucket/runs", "r", **SETTINGS)


def test_an_unreachable_server_is_tried_with_back_off_and_named(object_address, monkeypatch):
    files = open_files(object_address)
    files._sleep = (pauses := []).append
    for name in ("pipe_file", "cat_file"):
        lost = _raise(ConnectionRefusedError(111, "Connection refused"))
        monkeypatch.setattr(files._filesystem, name, lost, raising=False)
    with pytest.raises(StoreUnreachableError, match=r"Connection refused.*AWS_ENDPOINT_URL"):
        files.read("x")
    assert len(pauses) == 2
    assert pauses[0] < pauses[1] * 2.0  # doubled, give or take the half that is left to chance
    with pytest.raises(StoreWriteError, match="Whether it arrived is not known"):
        files.create("x", b"")


def requests_of(server, operation):
    before = len(server.requests)
    operation()
    return [request.partition(" ")[0] for request in server.requests[before:]]


def test_a_subtree_is_one_request_and_so_are_a_thousand_deletions(s3_files, s3):
    for number in range(40):
        s3_files.create(f"many/{number % 4}/{number:04d}", b"x")
    assert requests_of(s3, lambda: s3_files.tree("many")) == ["GET"]
    assert requests_of(s3, lambda: s3_files.tree("none")) == ["GET"]
    keys = [entry.key for entry in s3_files.tree("many")]
    assert requests_of(s3, lambda: s3_files.remove_many(keys)) == ["POST"]
    assert s3_files.tree("many") == []
    missing = [f"gone/{number}" for number in range(2001)]
    assert requests_of(s3, lambda: s3_files.remove_many(missing)) == ["POST"] * 3


def test_a_deletion_that_is_refused_for_one_file_is_said(s3_files, monkeypatch):
    def refuse(code):
        errors = [{"Key": "p/x", "Code": code, "Message": "no"}]
        driver = type(s3_files._filesystem)
        monkeypatch.setattr(driver, "call_s3", lambda self, *_, **__: {"Errors": errors})

    refuse("AccessDenied")
    with pytest.raises(StoreAccessError, match="access is refused"):
        s3_files.remove_many(["x"])
    refuse("InternalError")
    with pytest.raises(StoreUnreachableError):
        s3_files.remove_many(["x"])
    refuse("Other")
    with pytest.raises(OSError, match="Other: no"):
        s3_files.remove_many(["x"])
    refuse("NoSuchKey")
    s3_files.remove_many(["x"])


def test_deletions_are_tried_again_when_the_server_was_busy(s3_files, s3):
    s3_files.create("x", b"1")
    server_fails(s3, Failure("503 Slow Down", "SlowDown"), method="POST")
    s3_files.remove_many(["x"])
    assert s3_files.tree("") == []


@pytest.mark.slow
def test_a_save_and_a_look_cost_as_much_with_few_checkpoints_as_with_many(s3_files, s3):
    run = create_run(s3_files.url, "r", **SETTINGS)
    content = {"model.safetensors": b"weights", "trainer.pt": b"momentum"}
    costs = {}
    for step in range(1, 41):
        saved = requests_of(s3, lambda step=step: checkpoints.save(run, step, content))
        found = requests_of(s3, lambda: checkpoints.latest_valid(run))
        costs[step] = saved, found
    assert costs[1] == costs[40]
    assert costs[40] == (["GET", "PUT", "PUT", "PUT"], ["GET"] * 4)


def test_a_programming_error_is_not_dressed_up(object_address, monkeypatch):
    files = open_files(object_address)
    monkeypatch.setattr(files._filesystem, "cat_file", _raise(TypeError("ours")), raising=False)
    with pytest.raises(TypeError, match="ours"):
        files.read("x")


def test_a_file_in_parts_is_exclusive_too_and_leaves_no_parts(s3_files, s3, monkeypatch):
    filesystem = s3_files._filesystem
    in_parts = partial(filesystem.pipe_file, chunksize=5 * 2**20)
    monkeypatch.setattr(filesystem, "pipe_file", in_parts)
    first, second = (bytes([fill]) * (11 * 2**20) for fill in (1, 2))
    s3_files.create("x", first)
    with pytest.raises(AlreadyStoredError):
        s3_files.create("x", second)
    assert s3_files.read("x") == first
    lost = Failure("500 Internal Server Error", "InternalError", applied=True)
    gone = Failure("404 Not Found", "NoSuchUpload")
    for key, again in (("y", None), ("z", gone)):
        server_fails(s3, None, lost, again, method="POST")  # begins; completes unheard; again
        s3_files.create(key, second)
        assert not s3.failures
        assert s3_files.read(key) == second
    assert not filesystem.call_s3("list_multipart_uploads", Bucket=BUCKET).get("Uploads")


# --- above the seam ---------------------------------------------------------------------------


def _write(writer, *numbers):
    for number in numbers:
        arrays = {"number": np.array([number], "<i8"), "moves": np.full(3, number, "<u2")}
        writer.append(Episode(number.to_bytes(16, "big"), arrays))
    return writer.commit()


def _numbers(batches):
    return [n for batch in batches for n in batch.values["number"].tolist()]


def test_runs_are_created_resumed_listed_and_refused(address):
    assert list_runs(address) == []
    with pytest.raises(RunNotFoundError, match="no runs yet"):
        open_run(address, "first")
    made = resume_or_create_run(address, "first", **SETTINGS)
    again = resume_or_create_run(address, "first", **{**SETTINGS, "seed": 8})
    assert (made.is_new, again.is_new) == (True, False)
    assert made.info == again.info
    with pytest.raises(RunExistsError, match="'first' exists already"):
        create_run(address, "first", **SETTINGS)
    with pytest.raises(RunNotFoundError, match="did you mean 'first'"):
        open_run(address, "firts")
    assert list_runs(address) == ["first"]


def test_a_trainers_lock_is_taken_released_and_taken_again(address):
    run = create_run(address, "first", **SETTINGS)
    for _ in range(2):
        with run.lock_trainer() as lock:
            assert lock.is_held
            run.files.create(f"{uuid.uuid4().hex}", b"")
        assert not lock.is_held
        lock.release()
    assert list_runs(address) == ["first"]


def test_a_lost_lease_stops_whoever_writes_but_not_who_reads(object_address):
    run = create_run(object_address, "first", **SETTINGS)
    replay = run.files.within("replay")
    with run.lock_trainer() as lease:
        replay.create("before", b"")
        lock_folder = open_run(object_address, "first").files.within("trainer.lock")
        lock_folder.create("00000002.json", b'{"pid": 12, "host": "elsewhere"}')
        lease._beat_quietly()
        changes = [
            partial(run.files.create, "x", b""),
            partial(replay.create_same, "x", b""),
            partial(replay.move, "before", "after"),
            partial(replay.remove, "before"),
            partial(run.files.remove_folder, "other"),
            partial(run.files.remove_many, ["other"]),
        ]
        for change in changes:
            with pytest.raises(RunLostError, match="process 12 on host 'elsewhere' has taken it"):
                change()
        assert not lease.is_held
        assert replay.read("before") == b""
    with pytest.raises(RunLostError):
        run.files.create("x", b"")
    assert "00000001-released" not in lock_folder.names("")
    open_run(object_address, "first").files.create("x", b"")


def test_replay_is_read_once_and_goes_on_after_a_restart(address):
    run = create_run(address, "r", **SETTINGS)
    writer, log = SegmentWriter(run, SCHEMA), ReplayLog(run, SCHEMA)
    _write(writer, 1, 2)
    assert _numbers(log.poll()) == [1, 2]
    _write(writer, 2, 3)
    _write(SegmentWriter(open_run(address, "r"), SCHEMA, writer=writer.writer), 4)
    assert _numbers(log.poll()) == [3, 4]
    assert log.cursor == {writer.writer: 3}
    assert _numbers(ReplayLog(run, SCHEMA).load_newest(2)) == [2, 3, 4]
    again = SegmentWriter(run, SCHEMA, writer=writer.writer, next_seq=1)
    _write(again, 2, 3)  # work repeated after a crash is confirmed
    assert len(run.files.names(writer.folder)) == 3


def test_a_damaged_segment_is_quarantined_with_its_reason(address, caplog):
    run = create_run(address, "r", **SETTINGS)
    writer = SegmentWriter(run, SCHEMA)
    damaged, intact = _write(writer, 1), _write(writer, 2)
    data = run.files.read(damaged)
    run.files.remove(damaged)
    run.files.create(damaged, data[:100] + b"!" + data[101:])
    assert _numbers(ReplayLog(run, SCHEMA).poll()) == [2]
    assert "moved to quarantine" in caplog.text
    assert run.files.names(writer.folder) == [intact.rpartition("/")[2]]
    bad, reason = run.files.names("quarantine")
    assert reason == f"{bad}.reason.txt"
    assert damaged in run.files.read(f"quarantine/{reason}").decode()


def test_checkpoints_are_complete_verified_replaced_and_pruned(address, caplog):
    run = create_run(address, "r", **SETTINGS)
    for step in (1, 2, 3, 4):
        checkpoints.save(run, step, {"model.safetensors": b"%d" % step * 99}, {"at": step})
    checkpoints.save(run, 4, {"model.safetensors": b"4" * 99}, {"at": 4})
    with pytest.raises(AlreadyStoredError):
        checkpoints.save(run, 4, {"model.safetensors": b"5" * 99})
    damaged = "checkpoints/000000004/model.safetensors"
    run.files.remove(damaged)
    run.files.create(damaged, b"4" * 98 + b"?")
    with pytest.raises(CheckpointError, match="SHA-256"):
        checkpoints.load(run, 4)
    assert checkpoints.latest_valid(run).metadata == {"at": 3}
    checkpoints.save(run, 4, {"model.safetensors": b"anew"})
    assert checkpoints.load(run, 4).files == {"model.safetensors": b"anew"}
    assert run.files.folders("quarantine") == ["checkpoint-000000004-0"]
    run.files.remove("checkpoints/000000003/MANIFEST.json")
    assert checkpoints.steps(run) == [1, 2, 4]
    checkpoints.delete(run, [1, 2])
    assert checkpoints.steps(run) == [4]


@pytest.fixture(scope="module")
def weights_of_a_training_in_a_folder(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    list(train(TRAINING, store_url=str(store), run_name="r"))
    return checkpoints.latest_valid(open_run(store, "r")).files[checkpoints.MODEL_FILE]


def test_a_training_that_was_stopped_and_resumed_ends_as_one_in_a_folder(
    object_address, weights_of_a_training_in_a_folder
):
    stopped = []
    for progress in train(
        TRAINING, store_url=object_address, run_name="r", stop=lambda: bool(stopped)
    ):
        if progress.event == "checkpoint":
            stopped.append(True)
    run = open_run(object_address, "r")
    stopped_at = checkpoints.latest(run)
    assert list(train(TRAINING, store_url=object_address, run_name="r"))[-1].event == "finished"
    final = checkpoints.latest_valid(run)
    assert final.step > stopped_at
    assert final.files[checkpoints.MODEL_FILE] == weights_of_a_training_in_a_folder

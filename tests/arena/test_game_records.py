"""Files of games, each read back by somebody else's reader where there is one."""

import io
from pathlib import Path

import chess.pgn
import numpy as np
import pytest

from arena.game_records import RecordFile, format_of, read_games
from envs.game import GameError, NotationError
from envs.notation.records import GameRecord
from envs.registry import find_game

CHESS, GO, SHOGI, OTHELLO = (find_game(name) for name in ("chess", "go9", "shogi", "othello"))
ENDGAME = "6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1"
CHESS960 = "bqrnkrnb/pppppppp/8/8/8/8/PPPPPPPP/BQRNKRNB w KQkq - 0 1"


def record(game, text, points=None, names=("Ada", "Grace [B]")):
    start, moves = game.read_position(text)
    return GameRecord(start, tuple(moves), names, points)


def written(game, path, *records):
    file = RecordFile(game, path)
    for each in records:
        file.write(each)
    assert file.count == len(records)
    return path.read_text(encoding="utf-8")


def same(game, one, other):
    starts = [None if r.start is None else game.format_position(r.start) for r in (one, other)]
    assert starts[0] == starts[1]
    assert (one.moves, one.names, one.points) == (other.moves, other.names, other.points)


def test_pgn_is_read_by_the_package_chess_and_by_us(tmp_path: Path) -> None:
    records = [
        record(CHESS, "f3 e5 g4 Qh4", 0.0),
        record(CHESS, f"{ENDGAME} moves Ra8", 1.0),
        record(CHESS, f"{CHESS960} moves g4 g5 Nf3 Nf6 O-O"),
        record(CHESS, "8/P6k/8/8/8/8/p6K/8 w - - 3 40 moves a8=N a1=R a8b6 Ra6", 0.5),
    ]
    path = tmp_path / "games.pgn"
    stream = io.StringIO(written(CHESS, path, *records))
    for each in records:
        game = chess.pgn.read_game(stream)
        assert game is not None
        assert not game.errors
        assert (game.headers["White"], game.headers["Black"]) == each.names
        result = {1.0: "1-0", 0.5: "1/2-1/2", 0.0: "0-1", None: "*"}[each.points]
        assert game.headers["Result"] == result
        assert game.headers["PlyCount"] == str(len(list(game.mainline_moves())))
        start = CHESS.new_state() if each.start is None else each.start
        assert game.board().fen() == CHESS.format_position(start)
        last = CHESS.line(each.moves, start)[-1]
        assert game.end().board().fen() == CHESS.format_position(last)
    assert chess.pgn.read_game(stream) is None
    found = read_games(CHESS, path)
    assert [f.where for f in found] == [f"{path}, game {n}" for n in range(1, 5)]
    for each, back in zip(records, found, strict=True):
        same(CHESS, each, back.record)


def test_the_moves_of_pgn_are_those_of_the_package_chess(tmp_path: Path) -> None:
    """Random games, with castling, promotions and captures en passant among them."""
    rng, records, kinds = np.random.default_rng(5), [], set()
    for _ in range(6):
        board, game = chess.Board(), chess.pgn.Game()
        node = game
        while not board.is_game_over(claim_draw=True) and board.ply() < 120:
            moves = list(board.legal_moves)
            rare = [m for m in moves if m.promotion or board.is_castling(m)]
            rare += [m for m in moves if board.is_en_passant(m)]
            chosen = rare or moves
            move = chosen[rng.integers(len(chosen))]
            kinds |= {m.promotion or "rare" for m in [move] if rare}
            board.push(move)
            node = node.add_variation(move)
        records.append((str(game), board.fen()))
    assert len(kinds) > 1
    path = tmp_path / "their.pgn"
    path.write_text("\n\n".join(text for text, _ in records))
    for (_, last), found in zip(records, read_games(CHESS, path), strict=True):
        assert CHESS.format_position(CHESS.position(found.record.moves)) == last


def test_sgf_goes_both_ways_with_its_result_and_its_stones(tmp_path: Path) -> None:
    records = [
        record(GO, "E5 pass E4 pass pass", 1.0),
        record(GO, "9/9/2X6/9/9/9/9/9/9 w moves G7 pass C3", 0.0),
    ]
    path = tmp_path / "games.sgf"
    text = written(GO, path, *records)
    assert "RE[B+73.5]" in text  # 81 points less the komi of 7.5
    assert "RE[W+]" in text
    for each, back in zip(records, read_games(GO, path), strict=True):
        names, start = each.names, each.start
        assert (back.record.moves, back.record.names, back.record.points) == (
            each.moves,
            names,
            each.points,
        )
        if start is not None:
            assert back.record.start["stones"].tolist() == start["stones"].tolist()
            assert back.record.start["side"] == 1


def test_csa_and_kif_are_read_by_python_shogi(tmp_path: Path) -> None:
    csa, kif = pytest.importorskip("shogi.CSA"), pytest.importorskip("shogi.KIF")
    start = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 1"
    records = [
        record(SHOGI, "7g7f 3c3d 8h2b+ 3a2b", names=("Ada", "Grace")),
        record(SHOGI, f"{start} moves 2g2f 8c8d", names=("Grace", "Ada")),
    ]
    text = written(SHOGI, tmp_path / "games.csa", *records)
    assert "\n/\n" in text
    parts = text.split("\n/\n")
    written(SHOGI, tmp_path / "games.kif", *records)
    kifs = [(tmp_path / name).read_text(encoding="utf-8") for name in ("games.kif", "games-2.kif")]
    for each, csa_text, kif_text in zip(records, parts, kifs, strict=True):
        words = SHOGI.words(SHOGI.new_state(), each.moves)
        for read in (csa.Parser.parse_str(csa_text)[0], kif.Parser.parse_str(kif_text)[0]):
            assert read["moves"] == words
            assert read["names"] == list(each.names)
        assert csa_text.strip().endswith("%CHUDAN")
        assert kif_text.strip().endswith("中断")


def test_every_game_has_lines_of_text(tmp_path: Path) -> None:
    for name in ("othello", "connect_four", "hex7", "chess5"):
        game = find_game(name)
        moves = [int(game.legal_actions(game.new_state())[0])]
        moves.append(int(game.legal_actions(game.position(moves))[0]))
        records = [GameRecord(None, tuple(moves), ("a\nb", "c"), 0.5), GameRecord(None, ())]
        path = tmp_path / f"{name}.txt"
        assert "a b" in written(game, path, *records)
        assert [f.record.moves for f in read_games(game, path)] == [tuple(moves), ()]


@pytest.mark.parametrize(
    ("game", "name", "text", "told"),
    [
        (CHESS, "a.pgn", "1. e4 e5 2. Ke3 *", "game 1 of the PGN: illegal san: 'Ke3'"),
        (CHESS, "a.pgn", '[Variant "Atomic"]\n\n1. e4 *', "the variant is 'Atomic'"),
        (
            CHESS,
            "a.pgn",
            "\n",
            "no games; expected the moves of one in each line, or PGN in a .pgn file",
        ),
        (CHESS, "a.txt", "e4 e5\ne4 e4", "a.txt:2: move 2, 'e4', is not legal"),
        (GO, "a.sgf", "(;SZ[19];B[dd])", "game 1 of the SGF is on 19x19, expected 9x9"),
        (GO, "a.sgf", "(;SZ[9];B[dd])(;SZ[9];B[dd];W[dd])", "game 2: move 2, 'D6'"),
        (GO, "a.sgf", "nothing", "is no SGF"),
        (SHOGI, "a.kif", "", "KIF is only written, not read"),
    ],
)
def test_what_is_no_game_is_named(tmp_path: Path, game, name, text, told) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(NotationError) as caught:
        read_games(game, tmp_path / name)
    assert told in str(caught.value)


def test_a_game_may_be_cut_before_its_wrong_move(tmp_path: Path) -> None:
    (tmp_path / "a.sgf").write_text("(;SZ[9];B[dd];W[dd])")
    (found,) = read_games(GO, tmp_path / "a.sgf", plies=1)
    assert len(found.record.moves) == 1


def test_a_file_is_new_and_its_ending_known(tmp_path: Path) -> None:
    with pytest.raises(GameError, match=r"end in \.pgn \(PGN\), \.txt \(text\); did you mean"):
        format_of(CHESS, tmp_path / "games.pgm")
    with pytest.raises(GameError, match=r"records of othello end in \.txt"):
        RecordFile(OTHELLO, tmp_path / "games.pgn")
    (tmp_path / "there.txt").write_text("")
    with pytest.raises(FileExistsError, match="expected a new file"):
        RecordFile(OTHELLO, tmp_path / "there.txt")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        RecordFile(OTHELLO, tmp_path / "no" / "games.txt")
    (tmp_path / "games-3.kif").write_text("")  # where the third of several games would go
    with pytest.raises(FileExistsError, match=r"games-3\.kif"):
        RecordFile(find_game("minishogi"), tmp_path / "games.kif")
    RecordFile(OTHELLO, tmp_path / "new.txt")
    assert not (tmp_path / "new.txt").exists()

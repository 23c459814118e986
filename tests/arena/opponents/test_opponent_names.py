import pytest

from arena.match.contenders import exact_name
from arena.match.evidence import repeat_themselves
from arena.names import AgentName, AgentNameError, find_agent, parse_agent_name
from arena.opponents.names import parse_opponent
from envs.registry import find_game

CHESS = find_game("chess")


def test_a_program_has_a_command_and_options() -> None:
    found = parse_opponent("uci:/opt/my engine/x -v?Skill Level=3&nodes=10")
    assert found.protocol == "uci"
    assert found.command == ("/opt/my", "engine/x", "-v")
    assert found.options == {"Skill Level": "3", "nodes": "10"}
    parsed = parse_agent_name("gtp:gnugo?level=10")
    assert parsed == AgentName("gtp", None, {"program": "gnugo", "level": "10"})


def test_an_exact_name_has_its_options_in_order() -> None:
    text = "uci:stockfish?nodes=5&hash=16"
    assert exact_name(text, CHESS, "nowhere") == "uci:stockfish?hash=16&nodes=5"


@pytest.mark.parametrize("text", ["uci:", "uci:x?nodes", "uci:x?a=1&A=2", "uci:x?program=2"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(AgentNameError, match="agent "):
        parse_agent_name(text)


def test_a_stored_name_starts_no_program() -> None:
    with pytest.raises(AgentNameError, match="does not start"):
        find_agent("uci:stockfish", CHESS, "nowhere")


def test_only_limits_of_work_repeat_games() -> None:
    assert repeat_themselves(["a@1", "uci:x?nodes=5"])
    assert repeat_themselves(["a@1", "usi:x?nodes=5&variant=minishogi"])
    assert not repeat_themselves(["a@1", "uci:x?nodes=5&elo=1500"])
    assert not repeat_themselves(["a@1", "uci:x?movetime=1"])
    assert not repeat_themselves(["a@1", "gtp:gnugo"])

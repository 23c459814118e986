"""What UCI has of its own: centipawns, moves to mate, options."""

import pytest

from arena.engine.protocols.uci import UCI, centipawns, moves_to_mate, options_of, value_of
from arena.engine.protocols.universal.options import (
    OptionError,
    Options,
    default_options,
    set_option,
)


def test_centipawns_are_odd_and_rise_with_the_value() -> None:
    values = [i / 100 for i in range(-100, 101)]
    found = [centipawns(value) for value in values]
    assert found == sorted(set(found))
    assert found == [-cp for cp in reversed(found)]
    assert centipawns(0.5) == 89
    assert centipawns(1.0) == centipawns(1.5) == 12780
    assert [value_of(cp) for cp in found] == pytest.approx(values, abs=5e-3)


def test_plies_to_the_end_are_moves_of_the_winner() -> None:
    assert [moves_to_mate(1.0, plies) for plies in (1, 3, 5)] == [1, 2, 3]
    assert [moves_to_mate(-1.0, plies) for plies in (0, 2, 4)] == [0, -1, -2]


def test_small_chess_has_its_variant_and_no_chess960() -> None:
    offered = options_of("chess5")
    options = default_options(offered)
    assert options.variant == "gardner"
    set_option(["name", "UCI_Variant", "value", "gardner"], offered, options)
    with pytest.raises(OptionError, match="expected gardner"):
        set_option(["name", "UCI_Variant", "value", "chess"], offered, options)
    assert "UCI_Chess960" not in [option.name for option in offered]


def test_lines_that_offer_options() -> None:
    defaults = Options()
    lines = {o.name: o.line(getattr(defaults, o.field)) for o in UCI.options_of("chess")}
    assert lines["Hash"] == "option name Hash type spin default 1024 min 1 max 65536"
    assert lines["Ponder"] == "option name Ponder type check default false"
    assert lines["Temperature"] == "option name Temperature type string default 0.0"

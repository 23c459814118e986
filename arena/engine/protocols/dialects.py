"""The universal interfaces by their names."""

from arena.engine.protocols.uci import UCI
from arena.engine.protocols.usi import USI

DIALECTS = {dialect.name: dialect for dialect in (UCI, USI)}

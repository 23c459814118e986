"""What the interfaces of chess and shogi share; `protocols/uci.py` and `usi.py` have the rest."""

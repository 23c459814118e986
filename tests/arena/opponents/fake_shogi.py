"""A shogi program of a few lines: plays its first argument and writes a log into the second.

A third argument is the score that it tells.
"""

import sys
from pathlib import Path

ANSWER, LOG, *SCORE = sys.argv[1:]

for line in sys.stdin:
    with Path(LOG).open("a") as log:
        log.write(line)
    if line.startswith("usi\n"):
        print("id name Fake\noption name USI_Hash type spin default 16 min 1 max 1024")
        print("option name USI_Variant type combo default shogi var shogi var minishogi")
        print("option name Style type combo default Normal var Normal var Risky\nusiok")
    elif line.startswith("isready"):
        print("readyok")
    elif line.startswith("go"):
        print(f"info depth 1 score {' '.join(SCORE) or 'cp 600'} pv 3e3d\nbestmove {ANSWER}")
    sys.stdout.flush()

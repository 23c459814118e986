"""A Go program of a few lines: plays its argument, or the protocol's failure."""

import sys

for line in sys.stdin:
    command = line.split()[0]
    if command == "genmove" and sys.argv[1] == "refuse":
        answer = "? cannot\n"
    elif command == "genmove":
        answer = f"= {sys.argv[1]}\n"
    else:
        answer = "=\n"
    print(answer, flush=True)

"""Match the names of the files that a run can have and an archive can hold.

An archive admits these and nothing else; add the name of each new kind of file here.
"""

import re

_PATTERNS = (
    r"run\.json",
    r"replay/[0-9a-f]{32}/[0-9]{9,18}-[0-9]{1,9}-[0-9a-f]{8}\.arrow",
    r"checkpoints/[0-9]{9,18}/MANIFEST\.json",
    r"checkpoints/[0-9]{9,18}/window\.json",
    r"checkpoints/[0-9]{9,18}/[a-z0-9_]{1,60}\.(safetensors|pt)",
    r"matches/[0-9a-f]{16}-[0-9]{7}-[0-9]{1,7}\.jsonl",
    r"evaluations/[0-9a-f]{16}-[0-9]{9,18}-[0-9]{1,7}\.json",
    r"kept/[0-9]{9,18}-[A-Za-z0-9][A-Za-z0-9._-]{0,49}\.json",
    r"kept/best-(score-)?[0-9]{9}-[0-9]{9,18}\.json",
    r"kept/ratings-[0-9]{9}\.json",
    r"progress/[0-9]{8}T[0-9]{6}-[0-9a-f]{8}/about\.json",
    r"progress/[0-9]{8}T[0-9]{6}-[0-9a-f]{8}/[0-9]{1,2}-[0-9]{9}-[0-9]{9}\.json",
    # TensorBoard's own: time, host, process, number
    r"tensorboard/events\.out\.tfevents\.[0-9]{1,20}\.[A-Za-z0-9._-]{1,64}\.[0-9]{1,10}\.[0-9]{1,10}",
)
_NAMES = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS))


def is_run_file(key: str) -> bool:
    """Whether a key names a file of a run, and contains no path tricks."""
    return _NAMES.fullmatch(key) is not None

"""Name the checkpoints at certain minutes of a run, so that they stay and can be shown.

An algorithm asks for it (`LearningMethod.keep_minutes`). The checkpoint that is named "10-minutes"
is the first one after ten minutes of training, over all sessions.
"""

import logging
import re
from collections.abc import Sequence

from store.errors import RunLostError, StoreError
from store.run import Run
from store.upkeep.keeps import KeptNames, keep, kept_names

_MINUTES = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)-minutes")
_logger = logging.getLogger("ludens.store")


def minutes_name(minutes: float) -> str:
    """Return the name of the checkpoint at these minutes of training, as in "10-minutes"."""
    return f"{minutes:g}-minutes"


def at_minutes(kept: KeptNames) -> dict[float, int]:
    """Return the steps of the checkpoints named for their minutes, {minutes: step}, rising."""
    found = {
        float(match[1]): step
        for name, step in kept.named.items()
        if (match := _MINUTES.fullmatch(name))
    }
    return dict(sorted(found.items()))


class MinuteNames:
    """The names still to be given in a run.

    Minutes that were over before this object was made are not named afterwards: the checkpoint of
    that time may be gone.

    Args:
        run: the run, locked by the caller.
        minutes: of training, at which a checkpoint is named.
        elapsed_s: seconds trained so far.
    """

    def __init__(self, run: Run, minutes: Sequence[float], elapsed_s: float) -> None:
        self._run = run
        ahead = [at for at in sorted(minutes) if 60.0 * at > elapsed_s]
        named = kept_names(run.files).named if ahead else {}
        self._ahead = [at for at in ahead if minutes_name(at) not in named]

    def is_due(self, elapsed_s: float) -> bool:
        """Return whether a checkpoint of now would be named."""
        return bool(self._ahead) and elapsed_s >= 60.0 * self._ahead[0]

    def name(self, step: int, elapsed_s: float) -> None:
        """Name the checkpoint of `step`, just saved, if its time has come.

        A store that cannot keep the name is logged, and training continues.

        Raises RunLostError: another process trains the run now.
        """
        while self.is_due(elapsed_s):
            name = minutes_name(self._ahead.pop(0))
            try:
                keep(self._run, step, name)
            except RunLostError:
                raise
            except (StoreError, OSError) as error:
                _logger.warning("checkpoint %d is not kept as %r: %s", step, name, error)

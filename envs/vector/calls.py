"""Call one environment and check its answers: errors name the environment, the call, the line."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from envs.vector.steps import EnvironmentFailedError, UnsupportedEnvironmentError


def reset_one(name: str, environment: Any, **words: Any) -> Any:
    """Start a new game; return its first observation, or those of all agents by name.

    Raises EnvironmentFailedError for what it raises or answers against the rules.
    """
    answer = called(name, "reset", environment.reset, **words)
    if not (isinstance(answer, tuple) and len(answer) == 2):
        raise EnvironmentFailedError(
            f"environment {name!r}: reset() returned {_told(answer)}: expected two, "
            "(observation, info)"
        )
    return answer[0]


def step_one(name: str, environment: Any, action: Any) -> tuple[Any, Any, Any, Any]:
    """Take a step; return the observation, the reward, and whether it ended or was cut.

    Of several agents each is a mapping by name. Raises EnvironmentFailedError for what it raises
    or answers against the rules.
    """
    answer = called(name, "step", environment.step, action)
    if not (isinstance(answer, tuple) and len(answer) == 5):
        raise EnvironmentFailedError(
            f"environment {name!r}: step({action}) returned {_told(answer)}: expected "
            "five, (observation, reward, terminated, truncated, info)"
        )
    seen, reward, has_ended, is_cut, _ = answer
    return seen, reward, has_ended, is_cut


def finite_reward(name: str, action: Any, reward: Any) -> float:
    """Return a reward as a float; raises EnvironmentFailedError for one that is not finite."""
    try:
        number = float(reward)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise EnvironmentFailedError(
            f"environment {name!r}: step({action}) gave the reward {reward!r}: expected a "
            "finite number"
        )
    return number


def called(name: str, call: str, function: Callable[..., Any], *values: Any, **words: Any) -> Any:
    """Return what a function of the environment returns; `call` is its name for messages.

    Raises EnvironmentFailedError for what it raises, with the line.
    """
    try:
        return function(*values, **words)
    except UnsupportedEnvironmentError:
        raise
    except Exception as error:
        _fail(name, f"{call}({', '.join(map(str, values))})", error)


def _fail(name: str, call: str, error: Exception) -> NoReturn:
    *callers, innermost = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(innermost.filename).name}, line {innermost.lineno})" if callers else ""
    raise EnvironmentFailedError(
        f"environment {name!r}: {call} raised {type(error).__name__}: {error}{where}"
    ) from error


def _told(answer: Any) -> str:
    """What an environment returned, in a few words."""
    if isinstance(answer, tuple):
        return f"{len(answer)} values"
    return f"a {type(answer).__name__}"

"""Team environments by name: Lanes, PettingZoo's, Gymnasium's as teams of one, and a user's own.

A text leads to what is installed and known by name, and to nothing else: of PettingZoo's these are
the packages in PARALLEL_PACKAGES. A class of a user's own is named by a person and comes as an
`EnvironmentClass` (see `envs.vector.finding`); a text out of a store never becomes one.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from envs.atari.games import find_atari
from envs.lanes.rules import MODES, RewardWeights
from envs.teams.steps import TeamSpec, TeamVector
from envs.vector.finding import (
    EnvironmentClass,
    check_counts,
    gymnasium_ids,
    make_one,
    newest_version,
    own_class,
)
from envs.vector.steps import EnvironmentNameError, UnsupportedEnvironmentError

if TYPE_CHECKING:
    from envs.teams.gymnasium_match import GymnasiumMatch
    from envs.teams.pettingzoo_match import ParallelMatch

PARALLEL_PACKAGES = ("mpe2", "pettingzoo.butterfly", "pettingzoo.sisl")
"""Packages whose environments a text may name; each module has a `parallel_env`."""

_VERSIONED = re.compile(r"[a-z][a-z0-9_]*_v\d{1,3}")
_LIKE = 0.6  # of two names, from which on one is suggested for the other


def find_team(name: str | EnvironmentClass) -> TeamSpec:
    """Return what is known of a team environment; one is made for it, but of Lanes, and closed.

    Raises EnvironmentNameError for a name that is not known, with the nearest;
    UnsupportedEnvironmentError for an environment that cannot be made or learned.
    """
    if name in MODES:
        from envs.lanes.batch import find_mode
        from envs.lanes.state import spec_of

        return spec_of(find_mode(str(name)))
    environment = _made(name)
    try:
        return _spec_of(str(name), environment)
    finally:
        environment.close()


def make_team_vector(
    name: str | EnvironmentClass,
    count: int,
    *,
    seed: int,
    threads: int = 1,
    rewards: RewardWeights | None = None,
) -> TeamVector:
    """Make `count` matches that are stepped together.

    Lanes runs on `threads` threads, all others in the caller's. `rewards` weigh those of Lanes;
    others have rewards of their own. Raises as `find_team` does, and
    ValueError for a count or a number of threads below 1.
    """
    check_counts(count, threads)
    if name in MODES:
        from envs.lanes.batch import LanesVector

        return LanesVector(str(name), count, seed=seed, threads=threads, weights=rewards)
    from envs.teams.matches import MatchVector

    first = _made(name)
    try:
        spec = _spec_of(str(name), first)
    except ValueError:
        first.close()
        raise
    environments = [first, *(_made(name) for _ in range(count - 1))]
    matches = [_match(spec, environment) for environment in environments]
    return MatchVector(spec, matches, seed=seed)


def _spec_of(name: str, environment: Any) -> TeamSpec:
    import gymnasium

    if isinstance(environment, gymnasium.Env):
        from envs.teams.gymnasium_match import gymnasium_spec

        return gymnasium_spec(name, environment)
    from envs.teams.pettingzoo_match import pettingzoo_spec

    return pettingzoo_spec(name, environment)


def _match(spec: TeamSpec, environment: Any) -> GymnasiumMatch | ParallelMatch:
    if spec.kind == "gymnasium":
        from envs.teams.gymnasium_match import GymnasiumMatch

        return GymnasiumMatch(spec.name, environment)
    from envs.teams.pettingzoo_match import ParallelMatch

    return ParallelMatch(spec.name, environment, spec)


def _made(name: str | EnvironmentClass) -> Any:
    """Make one environment, of Gymnasium or PettingZoo's parallel kind."""
    if isinstance(name, EnvironmentClass):
        return _called(str(name), own_class(name))
    if ":" in name:
        raise EnvironmentNameError(
            f"environment {name!r}: a class of your own is named on the command line, and a stored "
            "text does not name one"
        )
    package, _, module = name.rpartition(".")
    if package in PARALLEL_PACKAGES and _VERSIONED.fullmatch(module):
        return _called(name, _parallel_maker(name, package))
    if name in gymnasium_ids():
        return make_one(name)
    raise EnvironmentNameError(_unknown(name))


def _parallel_maker(name: str, package: str) -> Callable[[], Any]:
    if not _is_installed(package):
        raise EnvironmentNameError(f"environment {name!r}: the package {package!r} is missing")
    if name not in _modules_of(package):
        raise EnvironmentNameError(_unknown(name))
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise UnsupportedEnvironmentError(
            f"environment {name!r} cannot be imported: {error}"
        ) from error
    maker: Callable[[], Any] = module.parallel_env
    return maker


def _called(name: str, maker: Callable[[], Any]) -> Any:
    """Make one environment; UnsupportedEnvironmentError where it is none or cannot be made."""
    import gymnasium
    from pettingzoo import ParallelEnv

    try:
        environment = maker()
    except Exception as error:
        raise UnsupportedEnvironmentError(
            f"environment {name!r} cannot be made: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(environment, gymnasium.Env | ParallelEnv):
        raise UnsupportedEnvironmentError(
            f"environment {name!r} makes a {type(environment).__name__}: expected a gymnasium.Env "
            "or a pettingzoo.ParallelEnv"
        )
    return environment


def team_names() -> list[str]:
    """Return the names of all team environments that are installed, but for teams of one."""
    packages = filter(_is_installed, PARALLEL_PACKAGES)
    return [*MODES, *(name for package in packages for name in _modules_of(package))]


def _is_installed(package: str) -> bool:
    top, *_ = package.partition(".")
    return importlib.util.find_spec(top) is not None and (
        top == package or importlib.util.find_spec(package) is not None
    )


def _modules_of(package: str) -> list[str]:
    """Return "package.module_v1" of each versioned module in a package, imported for its place."""
    folders = importlib.import_module(package).__path__
    found = [module.name for module in pkgutil.iter_modules(folders)]
    return [f"{package}.{name}" for name in found if _VERSIONED.fullmatch(name)]


def _unknown(name: str) -> str:
    known = [*team_names(), *gymnasium_ids()]
    near = newest_version(max(known, key=lambda found: _likeness(name, found)), known)
    hint = f"did you mean {near!r}? " if _likeness(name, near) > _LIKE else ""
    if find_atari(name):
        hint = "it is a game of Atari, which is no environment of teams; "
    elif "." in name and not hint:
        hint = f"a module of your own is '{name}:parallel_env'; "
    return (
        f"unknown environment {name!r}: {hint}expected {', '.join(MODES)}, a parallel environment "
        "such as 'mpe2.simple_spread_v3', an id of Gymnasium such as 'CartPole-v1', or a class of "
        "your own as 'module:Class'"
    )


def _likeness(word: str, known: str) -> float:
    """Return how alike two names are, 0 to 1; a bare module's name is like its full one."""
    names = (known, known.rpartition(".")[2])
    return max(difflib.SequenceMatcher(None, word.lower(), n.lower()).ratio() for n in names)

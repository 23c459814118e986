"""Environments by name: a game of Atari, a Gymnasium id, or a user's own class.

A text leads to what is installed and known by name, and to nothing else: like games, a class of a
user's own is named by a person, on the command line or in Python, and `typed_environment` turns
that word into an `EnvironmentClass`. A text out of a store is never given to it.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from envs.atari.games import SOLO_GAMES, explain_atari, find_atari, snake_case
from envs.atari.protocol import AtariProtocol, find_protocol
from envs.vector.steps import (
    EnvironmentNameError,
    EnvironmentSpec,
    UnsupportedEnvironmentError,
    VectorEnvironment,
)

if TYPE_CHECKING:
    import gymnasium
    from gymnasium.envs.registration import EnvSpec


class EnvironmentClass(NamedTuple):
    """A user's own environment, as "module:Class" names it."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"


def typed_environment(word: str) -> str | EnvironmentClass:
    """What a person typed where an environment is wanted: a name, or "module:Class".

    For words of the command line and of a preset that was named there. Never for stored texts.
    """
    module, colon, attribute = word.partition(":")
    return EnvironmentClass(module, attribute) if colon else word


def find_environment(
    name: str | EnvironmentClass, protocol: str | AtariProtocol = "nature"
) -> EnvironmentSpec:
    """Return what is known of an environment: its name in one form, actions and observations.

    No emulator is made for a game of Atari, and ale-py is not imported; of the others one is made
    and closed. `protocol` concerns Atari alone.

    Raises EnvironmentNameError for a name that is not known, with the nearest;
    UnsupportedEnvironmentError for an environment that cannot be made or learned.
    """
    settings = find_protocol(protocol)
    if isinstance(name, str) and (game := find_atari(name)):
        from envs.atari.spec import atari_spec

        return atari_spec(game, settings)
    from envs.gymnasium_vector import spec_of

    maker = _maker(name)
    environment = _made(str(name), maker)
    try:
        return spec_of(str(name), environment)
    finally:
        environment.close()  # type: ignore[no-untyped-call]


def make_vector(
    name: str | EnvironmentClass,
    count: int,
    *,
    seed: int,
    protocol: str | AtariProtocol = "nature",
    training: bool = True,
    threads: int = 1,
) -> VectorEnvironment:
    """Make `count` environments that are stepped together.

    Atari games run on `threads` threads, others in the caller's. `training` reports lost lives,
    where the protocol does. Raises as `find_environment` does, and ValueError for a count or a
    number of threads below 1.
    """
    settings = find_protocol(protocol)
    check_counts(count, threads)
    if isinstance(name, str) and (game := find_atari(name)):
        from envs.atari.vector import AtariVector

        return AtariVector(
            game, count, seed=seed, protocol=settings, training=training, threads=threads
        )
    from envs.gymnasium_vector import GymnasiumVector

    maker = _maker(name)
    return GymnasiumVector(str(name), lambda: _made(str(name), maker), count, seed=seed)


def check_counts(count: int, threads: int) -> None:
    """Raise ValueError for a number of environments, or of threads for them, below 1."""
    for what, number in (("count", count), ("threads", threads)):
        if number < 1:
            raise ValueError(f"{what} = {number}: expected 1 or more")


def make_one(name: str | EnvironmentClass, **options: Any) -> gymnasium.Env[Any, Any]:
    """Make one environment that is no game of Atari; `options` are its constructor's.

    Raises as `find_environment` does.
    """
    maker = _maker(name)
    return _made(str(name), lambda: maker(**options))


def _maker(name: str | EnvironmentClass) -> Callable[..., Any]:
    if isinstance(name, EnvironmentClass):
        return own_class(name)
    if ":" in name:
        raise EnvironmentNameError(
            f"environment {name!r}: a class of your own is named on the command line, and a stored "
            "text does not name one"
        )
    import gymnasium

    registered = gymnasium.registry.get(name)
    if registered is None or _is_ales(registered):
        raise EnvironmentNameError(explain_atari(name) or _unknown(name))
    return lambda **options: gymnasium.make(name, disable_env_checker=True, **options)


def _is_ales(registered: EnvSpec) -> bool:
    """Whether ale-py registered it: as such it would be played without a protocol of ours."""
    return str(registered.entry_point).startswith("ale_py")


def part_of_a_name(environment: str) -> str:
    """Return an environment's name as a part of a run's: ALE/Pong-v5 is ALE-Pong-v5."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", environment).strip("-.")


def is_part_of_a_name(part: str, environment: str) -> bool:
    """Return whether a part of a run's name says this environment, as any person may type it."""
    typed = part.replace("ALE-", "ALE/", 1)
    return part == part_of_a_name(environment) or find_atari(typed) == environment


def gymnasium_ids() -> list[str]:
    """Return the ids of Gymnasium's registry but Atari's, whose games have names of our own."""
    import gymnasium

    return [found for found, spec in gymnasium.registry.items() if not _is_ales(spec)]


def _unknown(name: str) -> str:
    from envs.registry import BUILT_IN

    ids = gymnasium_ids()
    pairs = [*((snake_case(name), game) for game in SOLO_GAMES), *((name, found) for found in ids)]
    near = max(pairs, key=lambda pair: _likeness(*pair))
    hint = f"did you mean {newest_version(near[1], ids)!r}? " if _likeness(*near) > 0.6 else ""
    if name in BUILT_IN:
        hint = "it is a board game, which no environment plays; "
    elif name.endswith(".py"):
        hint = f"did you mean '{Path(name).stem}:Class', with the name of its class? "
    return (
        f"unknown environment {name!r}: {hint}expected a game of Atari such as 'breakout', an id "
        "of Gymnasium such as 'CartPole-v1', or a class of your own as 'module:Class'"
    )


def newest_version(found: str, ids: list[str]) -> str:
    """Return the newest of the versions of a name, as in "CartPole-v1"; else the name itself."""
    base, version, _ = found.rpartition("-v")
    versions = [known for known in ids if version and known.rpartition("-v")[0] == base]
    return max(versions, key=lambda known: int(known.rpartition("-v")[2]), default=found)


def _likeness(word: str, known: str) -> float:
    return difflib.SequenceMatcher(None, word, known).ratio()


def own_class(named: EnvironmentClass) -> Callable[..., Any]:
    """Return the class that a person named, from the current folder or `sys.path`.

    Raises EnvironmentNameError where there is none, with the nearest, and for a module that cannot
    be imported.
    """
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(named.module)
    except Exception as error:
        raise EnvironmentNameError(f"environment '{named}': {_why(named, error, here)}") from error
    finally:
        sys.path.remove(here)
    found = getattr(module, named.attribute, None)
    if not callable(found):
        own = [name for name, value in vars(module).items() if isinstance(value, type)]
        near = difflib.get_close_matches(named.attribute, own, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise EnvironmentNameError(
            f"environment '{named}': {module.__file__} defines no class {named.attribute!r}{hint}"
        )
    return found


def _why(named: EnvironmentClass, error: Exception, here: str) -> str:
    """Say why a module that a person named cannot be imported."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None:
        return f"importing {named.module!r} failed with {type(error).__name__}: {error}"
    if f"{named.module}.".startswith(f"{missing}."):
        suffix = _without_suffix(named)
        return f"no module {named.module!r} in {here} or on Python's path{suffix}"
    return f"importing {named.module!r} needs the package {missing!r}, which is not installed"


def _without_suffix(named: EnvironmentClass) -> str:
    if not named.module.endswith(".py"):
        return ""
    module = named.module.removesuffix(".py").replace("/", ".")
    return f"; did you mean '{module}:{named.attribute}', by the module's name?"


def _made(name: str, maker: Callable[[], Any]) -> gymnasium.Env[Any, Any]:
    """One environment; UnsupportedEnvironmentError where it is none or cannot be made.

    Many draw with pygame, which opens a sound card and complains where there is none. Here games
    make no sound unless SDL_AUDIODRIVER says otherwise.
    """
    import gymnasium

    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    try:
        environment = maker()
    except Exception as error:
        raise UnsupportedEnvironmentError(
            f"environment {name!r} cannot be made: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(environment, gymnasium.Env):
        raise UnsupportedEnvironmentError(
            f"environment {name!r} makes a {type(environment).__name__}: expected a gymnasium.Env"
        )
    return environment

"""One environment of Gymnasium, or of a user's own, with the pictures that it renders."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.gymnasium_vector import GymnasiumVector
from envs.pictures.pictured import Seen
from envs.pictures.same_step import SameStepScreen
from envs.vector import EnvironmentClass, UnsupportedEnvironmentError, make_one

MODE = "rgb_array"
USUAL_RATE = 30.0  # steps a second, of an environment that does not say
RATES = (1.0, 60.0)  # that people can follow


class _Rendered(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Renders after each step and each reset, before the vector begins the next game."""

    def __init__(self, name: str, environment: gymnasium.Env[Any, Any]) -> None:
        super().__init__(environment)
        self._name = name
        self.first = self.last = np.zeros((1, 1, 3), np.uint8)

    def reset(self, **words: Any) -> tuple[Any, dict[str, Any]]:
        found = self.env.reset(**words)
        self.first = self._picture()
        return found

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        found = self.env.step(action)
        self.last = self._picture()
        return found

    def _picture(self) -> NDArray[np.uint8]:
        try:
            picture = np.asarray(self.env.render())
        except gymnasium.error.DependencyNotInstalled as error:
            raise UnsupportedEnvironmentError(
                f"environment {self._name!r} cannot draw pictures: {error}"
            ) from None
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise UnsupportedEnvironmentError(
                f"environment {self._name!r} renders {picture.dtype} of shape {picture.shape}: "
                "expected pictures, uint8 [height, width, 3]"
            )
        return picture.copy()


class GymnasiumScreen(SameStepScreen):
    """One environment with pictures; see `envs.pictures.pictured`.

    Raises UnsupportedEnvironmentError for one that renders no pictures, besides what
    `envs.vector.find_environment` raises.
    """

    def __init__(self, name: str | EnvironmentClass, *, seed: int) -> None:
        self._rendered = _Rendered(str(name), _with_pictures(name))
        self._vector = GymnasiumVector(str(name), lambda: self._rendered, 1, seed=seed)
        rate = float(self._rendered.metadata.get("render_fps") or USUAL_RATE)
        super().__init__(
            self._vector.spec, steps_per_second=float(np.clip(rate, *RATES)), widest_pixel=1.0
        )

    def _begin(self) -> Seen:
        return Seen(self._vector.reset()[0], self._rendered.first)

    def _step(self, action: int) -> tuple[Seen, Seen | None]:
        self._vector.send(np.array([action], np.int64))
        steps = self._vector.receive()
        reward = float(steps.rewards[0])
        terminated, truncated = bool(steps.terminated[0]), bool(steps.truncated[0])
        if not (terminated or truncated):
            return Seen(steps.observations[0], self._rendered.last, reward), None
        last = steps.last_observations[0]
        seen = Seen(last, self._rendered.last, reward, terminated, truncated)
        return seen, Seen(steps.observations[0], self._rendered.first)

    def close(self) -> None:
        """Close the environment."""
        self._vector.close()


def _with_pictures(name: str | EnvironmentClass) -> gymnasium.Env[Any, Any]:
    """Make an environment that renders pictures."""
    environment = make_one(name)  # first: what is wrong with the name is said as ever
    modes = list(environment.metadata.get("render_modes") or [])
    environment.close()  # type: ignore[no-untyped-call]
    if MODE not in modes:
        known = ", ".join(map(str, modes)) or "none"
        raise UnsupportedEnvironmentError(
            f"environment {str(name)!r} draws no pictures: expected {MODE!r} among its "
            f"metadata's render modes, and they are: {known}"
        )
    return make_one(name, render_mode=MODE)

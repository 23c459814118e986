"""A network before or after surgery, as its environment and its settings make it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property

import torch

from agents.ppo.config import NetworkConfig
from agents.ppo.network.encoders import encoder_class, filters_of
from agents.ppo.network.team_network import TeamNetwork, build_network, critic_of
from agents.ppo.surgery.labels import Axis, Weight, observation_axis, weights_of
from envs.teams import TeamSpec

WHAT_IT_DOES = "surgery widens a network, and takes nothing away"
_KINDS = {
    "UnitEncoder": "units in groups",
    "PictureEncoder": "a picture",
    "VectorEncoder": "a plain vector",
}


@dataclass(frozen=True)
class Blueprint:
    """A network's environment and settings.

    Attributes:
        spec: of the environment.
        config: of the network.
        whose: for messages: "run 'x'", "the new settings".
    """

    spec: TeamSpec
    config: NetworkConfig
    whose: str

    @cached_property
    def weights(self) -> dict[str, Weight]:
        """Return what its weights belong to, by their names in its state."""
        return weights_of(self.spec, self.config)

    def build(self, seed: int) -> TeamNetwork:
        """Create the network on the processor, in float32."""
        config = replace(self.config, precision="float32")
        return build_network(self.spec, config, seed=seed, device=torch.device("cpu"))

    def facts(self) -> dict[str, object]:
        """Return what surgery does not change, in words."""
        spec, config = self.spec, self.config
        kind = encoder_class(spec).__name__
        found: dict[str, object] = {
            "network.layers": config.layers,
            "network.activation": config.activation,
            "the memory (network.lstm)": "an LSTM" if config.lstm else "none",
            "the critic (network.critic)": critic_of(spec, config),
            "the kind of observation": _KINDS[kind],
            "the type of observations": spec.observation_dtype.name,
            "the number of an observation's axes": len(spec.observation_shape),
        }
        if kind == "PictureEncoder":
            found["convolutions (filters, size, stride)"] = filters_of(spec)
        return found


def check_widens(old: Blueprint, new: Blueprint) -> None:
    """Raise ValueError unless the new network holds all of the old one.

    The error names what would shrink or change, with both sizes.
    """
    _check_names(old)
    _check_names(new)
    theirs = new.facts()
    for what, found in old.facts().items():
        if theirs[what] != found:
            raise ValueError(
                f"{what} is {found!r} in {old.whose}, and {theirs[what]!r} in {new.whose}: "
                f"{WHAT_IT_DOES} and changes no kind of layer"
            )
    _check_heads(old, new)
    _check_slots(old, new)
    _check_parts(old, new)


def _check_names(found: Blueprint) -> None:
    """Raise ValueError where two groups or two heads have the same name."""
    for what in ("groups", "heads"):
        names = Counter(part.name for part in getattr(found.spec, what))
        for name, count in names.items():
            if count > 1:
                raise ValueError(
                    f"{count} {what} of {found.spec.name!r} are called {name!r}: expected names "
                    "that differ, as surgery goes by them"
                )


def _check_heads(old: Blueprint, new: Blueprint) -> None:
    kinds = {head.name: head.kind for head in new.spec.heads}
    for head in old.spec.heads:
        if (kind := kinds.get(head.name)) not in (None, head.kind):
            raise ValueError(
                f"the head {head.name!r} is of the kind {head.kind!r} in {old.whose}, and {kind!r} "
                f"in {new.whose}"
            )


def _check_slots(old: Blueprint, new: Blueprint) -> None:
    """Slots have no weights of their own, but outputs would lack the units in them."""
    slots = {group.name: group.slots for group in new.spec.groups}
    added = slots.keys() - {group.name for group in old.spec.groups}
    for group in old.spec.groups:
        if (count := slots.get(group.name, 0)) < group.slots:
            part = f"slots of the group {group.name!r}"
            near = "" if count else _nearest(group.name, added)
            raise ValueError(_shrinks(part, group.slots, count, old, new, near))


def _check_parts(old: Blueprint, new: Blueprint) -> None:
    """Raise ValueError for a part of any weight that would lose entries."""
    theirs = {weight.key: weight for weight in new.weights.values()}
    for weight in old.weights.values():
        if weight.key not in theirs:
            raise ValueError(
                f"{old.whose} has the weight {weight.key!r}, and {new.whose} have none: "
                f"{WHAT_IT_DOES}"
            )
        for ours, others in zip(weight.axes, theirs[weight.key].axes, strict=True):
            _check_axis(ours, others, old, new)
    _check_axis(observation_axis(old.spec), observation_axis(new.spec), old, new)


def _check_axis(ours: Axis, others: Axis, old: Blueprint, new: Blueprint) -> None:
    known = set(others)
    missing = next((label for label in ours if label not in known), None)
    if missing is None:
        return
    part = str(missing[0])
    before, after = (Counter(str(label[0]) for label in axis) for axis in (ours, others))
    near = "" if after[part] else _nearest(part, after.keys() - before.keys())
    raise ValueError(_shrinks(part, before[part], after[part], old, new, near))


def _nearest(word: str, added: Iterable[str]) -> str:
    """Return a hint at what is new and may have another name than before."""
    near = get_close_matches(word, list(added), n=1, cutoff=0.5)
    return f" (is it {near[0]!r} there? Surgery goes by names)" if near else ""


def _shrinks(part: str, size: int, wanted: int, old: Blueprint, new: Blueprint, hint: str) -> str:
    return (
        f"{part}: {size} in {old.whose}, {wanted} in {new.whose}{hint}; expected {size} or more, "
        f"as {WHAT_IT_DOES}"
    )

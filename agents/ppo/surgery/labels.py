"""What each index of a weight belongs to, so that two networks know what they have in common.

A weight has a label for each index of each of its axes: the name of a part, and a number in it. A
part is what grows by itself: the units of a layer, the features of a group of units, the choices of
a head. So two entries with equal labels are the same entry, wherever the growth of other parts has
moved them, and what only the new network has is at the end of its part.

Parts of an observation are known by the names of the groups of units in `TeamSpec`: features of a
group, and the entries about the agent itself before the first group or after one of that name. The
choices of a head are known by its name, and those that are units by their group and slot. The
entries of a plain vector and of the true state have no names: they are in order.

The network has no layer whose statistics its width changes, such as LayerNorm: a unit that is added
to one would change all others. `weights_of` knows each weight, so a new kind of layer is refused
(`agents.ppo.surgery.transfer`) until it is described here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.ppo.config import NetworkConfig
from agents.ppo.network.encoders import (
    PictureEncoder,
    UnitEncoder,
    encoder_class,
    filtered_size,
    filters_of,
    own_entries,
    target_choices,
)
from agents.ppo.network.team_network import TARGET, critic_of
from envs.teams import TeamSpec

Label = tuple[str | int, ...]
"""The name of a part, and where in it."""
Axis = tuple[Label, ...]
GATES = ("input", "forget", "cell", "output")  # PyTorch's order in an LSTM's weights


@dataclass(frozen=True)
class Weight:
    """What the entries of a weight belong to.

    Attributes:
        key: its name, the same in all networks: groups of units are named, and not counted.
        axes: labels of each axis, the outputs first; none for a number.
        divisor: what its outputs are divided by, which depends on the width.
        is_silent: whether new outputs begin at zero, since what they are multiplied with does not.
    """

    key: str
    axes: tuple[Axis, ...] = ()
    divisor: float = 1.0
    is_silent: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Return its shape."""
        return tuple(len(axis) for axis in self.axes)


Named = Iterator[tuple[str, Weight]]
"""Weights by their names in a network's state."""


def weights_of(spec: TeamSpec, config: NetworkConfig) -> dict[str, Weight]:
    """Return what the weights of a `TeamNetwork` belong to, by their names in its state."""
    return dict(_network(spec, config))


def observation_axis(spec: TeamSpec) -> Axis:
    """Return a label for each entry of a flat observation."""
    if not spec.groups:
        return _numbered("observation", *spec.observation_shape)
    labels: list[Label] = [()] * math.prod(spec.observation_shape)
    for start, stop, before in own_entries(spec):
        labels[start:stop] = _numbered(_own(before), stop - start)
    for group in spec.groups:
        part = _features(group.name)
        labels[group.start : group.stop] = _numbered(part, group.slots, group.features)
    return tuple(labels)


def state_axis(spec: TeamSpec) -> Axis:
    """Return a label for each entry of the true state."""
    return _numbered("true state", spec.state_size)


def logits_axis(spec: TeamSpec) -> Axis:
    """Return a label for each logit: a choice, or a real number, of a head."""
    return tuple(label for head in spec.heads for label in _choices(spec, head.name, head.size))


def places(ours: Axis, theirs: Axis) -> NDArray[np.int64]:
    """Return where each of our labels is among theirs; raises KeyError for one that is not."""
    where = {label: place for place, label in enumerate(theirs)}
    return np.array([where[label] for label in ours], np.int64)


def _network(spec: TeamSpec, config: NetworkConfig) -> Named:
    yield from _encoder(spec, config, "encoder")
    features = seen = _layer("encoder", _depth(spec, config), config)
    if config.lstm:
        features = _numbered("memory (network.lstm)", config.lstm)
        yield from _memory(seen, config.lstm)
    yield from _linear("heads", logits_axis(spec), features)
    if target_choices(spec.groups) and TARGET in [head.name for head in spec.heads]:
        query = _numbered("query (network.units)", config.units)
        for name, weight in _linear("query", query, features):
            yield name, replace(weight, divisor=math.sqrt(config.units), is_silent=True)
    yield from _critic(spec, config, features)
    if real := sum(head.size for head in spec.heads if head.kind == "real"):
        yield "log_spread", Weight("log_spread", (_numbered("real numbers", real),))
    for name in ("value_mean", "value_std"):
        yield name, Weight(name)


def _critic(spec: TeamSpec, config: NetworkConfig, features: Axis) -> Named:
    critic = critic_of(spec, config)
    if critic == "own":
        yield from _encoder(spec, config, "critic_encoder")
        features = _layer("critic_encoder", _depth(spec, config), config)
    elif critic == "state":
        yield from _layers("state_layers", config.layers, state_axis(spec), config)
        seen = _layer("state_layers", config.layers, config)
        yield from _layers("critic_layers", 1, features + seen, config)
        features = _layer("critic_layers", 1, config)
    yield from _linear("value_head", _numbered("value", 1), features)


def _encoder(spec: TeamSpec, config: NetworkConfig, name: str) -> Named:
    kind, inputs = encoder_class(spec), observation_axis(spec)
    if kind is UnitEncoder:
        inputs = tuple(
            label
            for start, stop, before in own_entries(spec)
            for label in _numbered(_own(before), stop - start)
        )
        for number, group in enumerate(spec.groups):
            units = _numbered(f"units of the group {group.name!r} (network.units)", config.units)
            features = _numbered(_features(group.name), group.features)
            key = f"{name}.units.{group.name}"
            yield from _linear(f"{name}.units.{number}", units, features, key)
            inputs += units
    elif kind is PictureEncoder:
        yield from _convolutions(spec, name)
        filters = filters_of(spec)[-1][0]
        inputs = _numbered("filtered picture", filters, *filtered_size(spec))
    yield from _layers(f"{name}.layers", _depth(spec, config), inputs, config)


def _convolutions(spec: TeamSpec, name: str) -> Named:
    colours = _numbered("colours", spec.observation_shape[2])
    for number, (filters, size, _) in enumerate(filters_of(spec)):
        outputs = _numbered(f"filters of convolution {number}", filters)
        place = f"{name}.convolutions.{2 * number}"
        sides = _numbered("rows of a filter", size), _numbered("columns of a filter", size)
        yield f"{place}.weight", Weight(f"{place}.weight", (outputs, colours, *sides))
        yield f"{place}.bias", Weight(f"{place}.bias", (outputs,))
        colours = outputs


def _depth(spec: TeamSpec, config: NetworkConfig) -> int:
    """Return the number of layers of an encoder's trunk."""
    return 1 if encoder_class(spec) is PictureEncoder else config.layers


def _layers(name: str, count: int, inputs: Axis, config: NetworkConfig) -> Named:
    for number in range(1, count + 1):
        units = _layer(name.removesuffix(".layers"), number, config)
        yield from _linear(f"{name}.{2 * (number - 1)}", units, inputs)
        inputs = units


def _layer(name: str, number: int, config: NetworkConfig) -> Axis:
    """Return the units of a layer, which are counted from 1."""
    return _numbered(f"layer {number} of {name} (network.hidden)", config.hidden)


def _memory(features: Axis, units: int) -> Named:
    """Each gate has a block of rows, and grows by itself."""
    gates = tuple(
        label
        for gate in GATES
        for label in _numbered(f"{gate} gate of memory (network.lstm)", units)
    )
    memory = _numbered("memory (network.lstm)", units)
    for name, axes in (
        ("weight_ih_l0", (gates, features)),
        ("weight_hh_l0", (gates, memory)),
        ("bias_ih_l0", (gates,)),
        ("bias_hh_l0", (gates,)),
    ):
        yield f"memory.lstm.{name}", Weight(f"memory.lstm.{name}", axes)


def _linear(name: str, outputs: Axis, inputs: Axis, key: str = "") -> Named:
    yield f"{name}.weight", Weight(f"{key or name}.weight", (outputs, inputs))
    yield f"{name}.bias", Weight(f"{key or name}.bias", (outputs,))


def _choices(spec: TeamSpec, head: str, size: int) -> Axis:
    """Return labels of a head's choices: of units by group and slot, of others by their order."""
    units: dict[int, Label] = {}
    for group in spec.groups if head == TARGET else ():
        if group.target is not None:
            part = f"targets of the group {group.name!r}"
            units |= {group.target + slot: (part, slot) for slot in range(group.slots)}
    others = iter(_numbered(f"choices of the head {head!r}", size))
    return tuple(units[choice] if choice in units else next(others) for choice in range(size))


def _own(before: str) -> str:
    return f"entries after the group {before!r}" if before else "own entries"


def _features(group: str) -> str:
    return f"features of the group {group!r}"


def _numbered(part: str, *sizes: int) -> Axis:
    return tuple((part, *place) for place in np.ndindex(*sizes))

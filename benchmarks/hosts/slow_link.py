"""A slow, lossy cable: passes Ethernet frames from one TAP device to another, later.

    python -m benchmarks.hosts.slow_link DELAY_S JITTER_S LOSS

makes the devices `near` and `far` in the network namespace that it runs in, says "ready", and works
until its input ends; then it prints how many frames passed and how many were lost. Each frame is
late by DELAY_S, give or take up to JITTER_S, in each direction; frames keep their order, as on one
cable. LOSS is a probability.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field

TUN_DEVICE = "/dev/net/tun"
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h
LARGEST_FRAME = 65536
MOST_WAITING = 10_000  # frames of one direction; more are lost, as in a full switch


@dataclass
class Direction:
    """One of the two directions of the cable.

    Attributes:
        waiting: frames and when they are due, in order.
        passed, lost: frames so far.
    """

    delay_s: float
    jitter_s: float
    loss: float
    rng: random.Random
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    passed: int = 0
    lost: int = 0
    _last_due: float = 0.0

    def take(self, frame: bytes, now: float) -> None:
        """Lose a frame, or queue it for its time."""
        if self.rng.random() < self.loss or len(self.waiting) >= MOST_WAITING:
            self.lost += 1
            return
        due = now + self.delay_s + self.rng.uniform(-self.jitter_s, self.jitter_s)
        self._last_due = max(self._last_due, due)
        self.waiting.append((self._last_due, frame))

    def due(self, now: float) -> list[bytes]:
        """Return the frames whose time has come."""
        through = []
        while self.waiting and self.waiting[0][0] <= now:
            through.append(self.waiting.popleft()[1])
        self.passed += len(through)
        return through


def open_tap(name: str) -> int:
    """Open a new TAP device, which is removed when the descriptor is closed."""
    descriptor = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI)
    fcntl.ioctl(descriptor, TUNSETIFF, request)
    return descriptor


def relay(taps: tuple[int, int], ways: tuple[Direction, Direction], stop: int) -> None:
    """Pass frames both ways until the descriptor `stop` can be read."""
    while True:
        dues = [way.waiting[0][0] for way in ways if way.waiting]
        pause = max(0.0, min(dues) - time.monotonic()) if dues else None
        readable, _, _ = select.select([*taps, stop], [], [], pause)
        if stop in readable:
            return
        now = time.monotonic()
        for source, target, way in zip(taps, taps[::-1], ways, strict=True):
            if source in readable:
                way.take(os.read(source, LARGEST_FRAME), now)
            for frame in way.due(now):
                try:
                    os.write(target, frame)
                except OSError:  # the device is down or its queue is full
                    way.lost += 1


def main() -> None:
    """Run the cable."""
    delay_s, jitter_s, loss = map(float, sys.argv[1:])
    taps = open_tap("near"), open_tap("far")
    there, back = (Direction(delay_s, jitter_s, loss, random.Random(i)) for i in range(2))
    print("ready", flush=True)
    relay(taps, (there, back), sys.stdin.fileno())
    counts = {"passed": there.passed + back.passed, "lost": there.lost + back.lost}
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()

"""A slow, lossy link: relays Ethernet frames between two TAP devices with a delay.

    python -m benchmarks.hosts.slow_link DELAY_S JITTER_S LOSS

creates the devices `near` and `far` in its network namespace, prints "ready", and relays until its
input ends; then it prints the numbers of frames passed and lost. Each frame is delayed by DELAY_S,
plus or minus up to JITTER_S; frames of one direction keep their order. LOSS is a probability.
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
MOST_WAITING = 10_000  # frames per direction; more are dropped, as by a full switch


@dataclass
class Direction:
    """One of the two directions of the link.

    Attributes:
        waiting: frames and the times at which they are due, in order.
        passed: number of frames passed so far.
        lost: number of frames lost so far.
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
        """Drop a frame, or queue it until it is due."""
        if self.rng.random() < self.loss or len(self.waiting) >= MOST_WAITING:
            self.lost += 1
            return
        due = now + self.delay_s + self.rng.uniform(-self.jitter_s, self.jitter_s)
        self._last_due = max(self._last_due, due)
        self.waiting.append((self._last_due, frame))

    def due(self, now: float) -> list[bytes]:
        """Remove and return the frames that are due."""
        through = []
        while self.waiting and self.waiting[0][0] <= now:
            through.append(self.waiting.popleft()[1])
        self.passed += len(through)
        return through


def open_tap(name: str) -> int:
    """Create a TAP device, which is removed when its descriptor is closed; the descriptor."""
    descriptor = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI)
    fcntl.ioctl(descriptor, TUNSETIFF, request)
    return descriptor


def relay(taps: tuple[int, int], ways: tuple[Direction, Direction], stop: int) -> None:
    """Relay frames both ways until the descriptor `stop` is readable."""
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
    """Run the link."""
    delay_s, jitter_s, loss = map(float, sys.argv[1:])
    taps = open_tap("near"), open_tap("far")
    there, back = (Direction(delay_s, jitter_s, loss, random.Random(i)) for i in range(2))
    print("ready", flush=True)
    relay(taps, (there, back), sys.stdin.fileno())
    counts = {"passed": there.passed + back.passed, "lost": there.lost + back.lost}
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()

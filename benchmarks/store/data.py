"""Data for the store's benchmark: Connect Four games, and frames of 84 x 84.

The frames are synthetic and resemble an Atari screen of 210 x 160 pixels: walls, rows of bricks
that disappear one by one, a ground of blocks in several shades, and the digits of a score. The
background is static, but scrolls in every fourth stream. Eight sprites of 14 x 10 random pixels,
with two pictures each, move up to three pixels per frame. The screen is scaled to 84 x 84 by area
averaging, so that moving sprites change at their edges too. There are 16 different streams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.alphazero.episodes import GameRecord, Policies, to_episode
from envs.batch import play_random, scratch_for
from envs.game import Game
from store.memory.frames import GOES_ON, frames_schema
from store.replay.episodes import Episode, EpisodeBatch

MOVES, ROWS = 40, 12  # moves and training rows per game
STREAMS, PIECE_FRAMES = 16, 128  # a segment of frames holds one piece of each stream
FIGURES = 8
FRAMES = frames_schema((84, 84))


def played_games(game: Game, count: int, seed: int = 0) -> NDArray[np.uint16]:
    """Return the moves [count, MOVES] of random games of that length."""
    rng = np.random.default_rng(seed)
    found = np.empty((0, MOVES), np.uint16)
    while len(found) < count:
        tried = 100_000
        moves = np.zeros((tried, MOVES), np.uint16)
        states = game.new_states(tried)
        wanted = np.full(tried, MOVES)
        play_random(scratch_for(game), states, wanted, rng.random((tried, MOVES)), moves)
        found = np.concatenate([found, moves[states["ply"] == MOVES]])
    return found[:count]


def game_episodes(game: Game, count: int) -> list[Episode]:
    """Return games as self-play stores them: 40 moves, 12 rows with dense policies."""
    rng = np.random.default_rng(1)
    episodes = []
    for moves in played_games(game, count):
        policy = rng.dirichlet(np.ones(game.num_actions), ROWS).astype(np.float32)
        plies = np.sort(rng.choice(MOVES, ROWS, replace=False)).astype(np.uint16)
        value = rng.uniform(-1, 1, ROWS).astype(np.float32)
        exact = np.full(ROWS, np.nan, np.float32)
        legal = np.tile(np.arange(game.num_actions, dtype=np.uint16), (ROWS, 1))
        policies = Policies.of(legal, policy)
        record = GameRecord(moves, 0, 0.0, 0, plies, policies, value, exact)
        episodes.append(to_episode(record, rng.bytes(16)))
    return episodes


def made_frames(count: int, seed: int) -> NDArray[np.uint8]:
    """Draw frames [count, 84, 84] of one stream, as the module describes."""
    rng = np.random.default_rng(seed)
    background, scrolls = _background(rng), seed % 4 == 3
    figures = rng.integers(0, 255, (FIGURES, 2, 14, 10), np.uint8)  # two pictures of each
    place, speed = rng.uniform(30, 140, (FIGURES, 2)), rng.uniform(-3, 3, (FIGURES, 2))
    down, across = _area_weights(210, 84), _area_weights(160, 84).T
    frames = np.empty((count, 84, 84), np.uint8)
    for number, frame in enumerate(frames):
        if rng.random() < 0.05:  # a brick disappears, the score changes
            row, column = 57 + 6 * int(rng.integers(6)), 8 + 12 * int(rng.integers(12))
            background[row : row + 6, column : column + 12] = 0
            background[6:18, 60:100] = np.repeat(rng.integers(0, 2, (1, 20)) * 200, 2)
        screen = np.roll(background, 2 * number, 0) if scrolls else background.copy()
        place += speed
        speed[((place < 25) & (speed < 0)) | ((place > (190, 145)) & (speed > 0))] *= -1
        for (y, x), pictures in zip(place.astype(int), figures):
            screen[y : y + 14, x : x + 10] = pictures[number // 4 % 2]
        frame[:] = down @ screen.astype(np.float32) @ across
    return frames


def _background(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw walls, rows of bricks and a ground of blocks in several shades, [210, 160]."""
    ground = np.kron(rng.integers(20, 90, (42, 32)), np.ones((5, 5), np.int64))
    background = ground.astype(np.uint8)
    background[:, :8] = background[:, -8:] = 142
    background[24:30] = np.arange(160) // 8 + 120
    for row, shade in enumerate((200, 180, 162, 134, 110, 72)):
        background[57 + 6 * row : 63 + 6 * row, 8:152] = shade
    return background


def _area_weights(pixels: int, kept: int) -> NDArray[np.float32]:
    """Return the weight [kept, pixels] of each pixel in a scaled one, by area averaging."""
    edges = np.arange(kept + 1) * (pixels / kept)
    pixel = np.arange(pixels)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights: NDArray[np.float32] = (overlap.clip(0) * (kept / pixels)).astype(np.float32)
    return weights


def frame_pieces(number: int, frames: NDArray[np.uint8]) -> EpisodeBatch:
    """Return piece `number` of all streams, of frames [STREAMS, PIECE_FRAMES, 84, 84]."""
    rng = np.random.default_rng(number)
    pieces = []
    for stream, own in enumerate(frames):
        columns: dict[str, Any] = {
            "frame": own,
            "action": rng.integers(4, size=len(own), dtype=np.int32),
            "reward": np.zeros(len(own), np.float32),
            "stream": np.array([stream]),
            "episode": np.array([0]),
            "first_step": np.array([number * PIECE_FRAMES]),
            "ending": np.array([GOES_ON], np.uint8),
        }
        pieces.append(Episode(rng.bytes(16), columns))
    return EpisodeBatch.of(FRAMES, pieces)

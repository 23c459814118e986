"""The names of ALE's games, in the forms that people write them, and the actions of each.

The table stands here so that a name is checked, completed and described without ale-py and without
an emulator; a test compares it with ale-py's.
"""

from __future__ import annotations

import re

# All actions of the joystick, in ALE's order: the full action set.
_ACTION_WORDS = (
    "NOOP FIRE UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT UPFIRE RIGHTFIRE LEFTFIRE "
    "DOWNFIRE UPRIGHTFIRE UPLEFTFIRE DOWNRIGHTFIRE DOWNLEFTFIRE"
)
ACTIONS = tuple(_ACTION_WORDS.split())

# Which of them do something, and in which games: ALE's minimal action sets.
_MINIMAL_ACTIONS: tuple[tuple[tuple[int, ...], str], ...] = (
    (
        tuple(range(18)),
        "adventure alien bank_heist battle_zone berzerk boxing centipede chopper_command crossbow "
        "darkchambers defender donkey_kong double_dunk earthworld elevator_action entombed et "
        "fishing_derby flag_capture frostbite gravitar hangman haunted_house hero human_cannonball "
        "ice_hockey jamesbond kangaroo klax krull laser_gates mario_bros miniature_golf "
        "montezuma_revenge pitfall pitfall2 private_eye riverraid road_runner robotank seaquest "
        "solaris space_war star_gunner superman tennis trondead venture video_cube word_zapper "
        "yars_revenge zaxxon",
    ),
    (
        (0, 1, 3, 4, 11, 12),
        "air_raid carnival demon_attack galaxian name_this_game pong sir_lancelot space_invaders",
    ),
    ((0, 1, 2, 3, 4, 5, 10, 11, 12, 13), "amidar mr_do time_pilot wizard_of_wor"),
    ((0, 1, 2, 3, 4, 11, 12), "assault"),
    ((0, 2, 3, 4, 5, 6, 7, 8, 9), "asterix crazy_climber koolaid lost_luggage ms_pacman"),
    ((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15), "asteroids"),
    ((0, 1, 11, 12), "atlantis atlantis2"),
    ((1, 3, 4), "backgammon"),
    ((0, 1, 2, 3, 4, 5), "basic_math king_kong qbert"),
    ((0, 1, 2, 3, 4, 6, 7, 11, 12), "beam_rider"),
    ((0, 1, 2, 5), "blackjack casino"),
    ((0, 1, 2, 5, 10, 13), "bowling pooyan up_n_down"),
    ((0, 1, 3, 4), "breakout kaboom"),
    ((0, 1, 3, 4, 5, 8, 9, 11, 12), "enduro"),
    ((0, 2, 5), "freeway"),
    ((0, 2, 3, 4, 5), "frogger pacman surround"),
    ((0, 1, 2, 3, 4, 10, 11, 12), "gopher"),
    ((0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17), "journey_escape"),
    ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), "keystone_kapers"),
    ((0, 2, 3, 4, 5, 8, 9, 11, 12, 13, 14, 15, 16, 17), "kung_fu_master"),
    ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), "othello tic_tac_toe_3d video_chess"),
    ((0, 1, 3, 4, 5, 11, 12, 13), "phoenix"),
    ((0, 3, 4), "skiing"),
    ((0, 1, 3, 4, 5), "tetris"),
    ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12), "turmoil"),
    ((0, 2, 3, 4, 5, 10, 11, 12), "tutankham"),
    ((1, 6, 7, 8, 9), "video_checkers"),
    ((0, 1, 2, 3, 4, 5, 10, 11, 12), "video_pinball"),
)

# Each game for one player, with its minimal actions.
SOLO_GAMES: dict[str, tuple[str, ...]] = {
    game: tuple(ACTIONS[action] for action in actions)
    for game, actions in sorted(
        (game, actions) for actions, games in _MINIMAL_ACTIONS for game in games.split()
    )
}

# ALE has these too, for two players alone: its single-player interface ends the process.
TWO_PLAYER_GAMES = ("combat", "joust", "maze_craze", "warlords")


def camel_case(game: str) -> str:
    """The name as ALE's Gymnasium ids have it: "ms_pacman" is "MsPacman"."""
    return game.title().replace("_", "")


_CAMEL_CASE = {camel_case(game): game for game in (*SOLO_GAMES, *TWO_PLAYER_GAMES)}

# PongNoFrameskip-v4, Pong-ram-v0, ALE/Pong-v5
_GYMNASIUM_ID = re.compile(
    r"(?:ALE/)?(?P<name>[A-Za-z0-9]+?)(?:-ram)?(?:NoFrameskip|Deterministic)?-v\d+"
)


def find_atari(name: str) -> str | None:
    """The game that "ms_pacman", "MsPacman" or "ALE/MsPacman-v5" names; None for any other text."""
    word = name
    if name.startswith("ALE/") and name.endswith("-v5"):
        word = name[len("ALE/") : -len("-v5")]
        if word not in _CAMEL_CASE:
            return None
    game = _CAMEL_CASE.get(word, word)
    return game if game in SOLO_GAMES else None


def explain_atari(name: str) -> str | None:
    """Why a text that names a game of Atari is not taken; None for a text that names none."""
    found = _GYMNASIUM_ID.fullmatch(name)
    word = found["name"] if found else name
    game = _CAMEL_CASE.get(word, word)
    if game in TWO_PLAYER_GAMES:
        return f"environment {name!r}: {game} is for two players, and here plays one"
    if game in SOLO_GAMES:
        return (
            f"environment {name!r}: frame skip, sticky actions and lives are the protocol's here; "
            f"expected {game!r}"
        )
    return None


def snake_case(name: str) -> str:
    """The text as a game's name would be written: "ALE/MsPacmann-v5" is "ms_pacmann"."""
    found = _GYMNASIUM_ID.fullmatch(name)
    word = found["name"] if found else name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()

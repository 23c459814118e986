"""Published scores of random play, of a person and of DQN, against which a score is read.

All are of Mnih et al. 2015 (Nature 518, Extended Data Table 2): 49 games, no-op starts, no sticky
actions, five minutes a game; that is the protocol `nature`. The person is a professional tester of
games. Random play and the person have the decimals that van Hasselt et al. 2016 (Double DQN)
print. The numbers were read from the transcription of both papers in the repository
seungjaeryanlee/rldb (`rldb/db/paper__dqn`); random play agrees with DQN Zoo's
`atari_data.py`, whose human scores are later ones, of games of 30 minutes.
"""

from __future__ import annotations

from typing import NamedTuple


class PublishedScores(NamedTuple):
    """Mean scores of one game."""

    random: float
    human: float
    dqn: float


PUBLISHED: dict[str, PublishedScores] = {
    "alien": PublishedScores(227.8, 6875.4, 3069.0),
    "amidar": PublishedScores(5.8, 1675.8, 739.5),
    "assault": PublishedScores(222.4, 1496.4, 3359.0),
    "asterix": PublishedScores(210.0, 8503.3, 6012.0),
    "asteroids": PublishedScores(719.1, 13156.7, 1629.0),
    "atlantis": PublishedScores(12850.0, 29028.1, 85641.0),
    "bank_heist": PublishedScores(14.2, 734.4, 429.7),
    "battle_zone": PublishedScores(2360.0, 37800.0, 26300.0),
    "beam_rider": PublishedScores(363.9, 5774.7, 6846.0),
    "bowling": PublishedScores(23.1, 154.8, 42.4),
    "boxing": PublishedScores(0.1, 4.3, 71.8),
    "breakout": PublishedScores(1.7, 31.8, 401.2),
    "centipede": PublishedScores(2090.9, 11963.2, 8309.0),
    "chopper_command": PublishedScores(811.0, 9881.8, 6687.0),
    "crazy_climber": PublishedScores(10780.5, 35410.5, 114103.0),
    "demon_attack": PublishedScores(152.1, 3401.3, 9711.0),
    "double_dunk": PublishedScores(-18.6, -15.5, -18.1),
    "enduro": PublishedScores(0.0, 309.6, 301.8),
    "fishing_derby": PublishedScores(-91.7, 5.5, -0.8),
    "freeway": PublishedScores(0.0, 29.6, 30.3),
    "frostbite": PublishedScores(65.2, 4334.7, 328.3),
    "gopher": PublishedScores(257.6, 2321.0, 8520.0),
    "gravitar": PublishedScores(173.0, 2672.0, 306.7),
    "hero": PublishedScores(1027.0, 25762.5, 19950.0),
    "ice_hockey": PublishedScores(-11.2, 0.9, -1.6),
    "jamesbond": PublishedScores(29.0, 406.7, 576.7),
    "kangaroo": PublishedScores(52.0, 3035.0, 6740.0),
    "krull": PublishedScores(1598.0, 2394.6, 3805.0),
    "kung_fu_master": PublishedScores(258.5, 22736.2, 23270.0),
    "montezuma_revenge": PublishedScores(0.0, 4366.7, 0.0),
    "ms_pacman": PublishedScores(307.3, 15693.4, 2311.0),
    "name_this_game": PublishedScores(2292.3, 4076.2, 7257.0),
    "pong": PublishedScores(-20.7, 9.3, 18.9),
    "private_eye": PublishedScores(24.9, 69571.3, 1788.0),
    "qbert": PublishedScores(163.9, 13455.0, 10596.0),
    "riverraid": PublishedScores(1338.5, 13513.3, 8316.0),
    "road_runner": PublishedScores(11.5, 7845.0, 18257.0),
    "robotank": PublishedScores(2.2, 11.9, 51.6),
    "seaquest": PublishedScores(68.4, 20181.8, 5286.0),
    "space_invaders": PublishedScores(148.0, 1652.3, 1976.0),
    "star_gunner": PublishedScores(664.0, 10250.0, 57997.0),
    "tennis": PublishedScores(-23.8, -8.9, -2.5),
    "time_pilot": PublishedScores(3568.0, 5925.0, 5947.0),
    "tutankham": PublishedScores(11.4, 167.6, 186.7),
    "up_n_down": PublishedScores(533.4, 9082.0, 8456.0),
    "venture": PublishedScores(0.0, 1187.5, 380.0),
    "video_pinball": PublishedScores(16256.9, 17297.6, 42684.0),
    "wizard_of_wor": PublishedScores(563.5, 4756.5, 3393.0),
    "zaxxon": PublishedScores(32.5, 9173.3, 4977.0),
}


def human_normalised(game: str, score: float) -> float | None:
    """Return a score on the scale where random play is 0 and the person is 1.

    None for a game, by its name in snake_case, of which no scores are published here. The scale is
    of the protocol `nature`; other protocols make other tasks.
    """
    published = PUBLISHED.get(game)
    if published is None:
        return None
    return (score - published.random) / (published.human - published.random)

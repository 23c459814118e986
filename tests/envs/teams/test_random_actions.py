"""Random actions: only what masks allow, all of that, each as often as the others."""

import numpy as np
import pytest

from envs.teams import ActionHead, TeamSpec
from envs.teams.random_actions import UNUSED, RandomActions, mask_starts

HEADS = (
    ActionHead("primary", 4),
    ActionHead("direction", 3, used_by=(1, 3)),
    ActionHead("target", 5, used_by=(2, 3), masked_by_first=True),
    ActionHead("word", 2),
)


def spec_of(*heads: ActionHead) -> TeamSpec:
    return TeamSpec("t", "lanes", 2, 3, (1,), np.dtype(np.int8), heads)


def test_masks_begin_where_the_spec_says() -> None:
    none = UNUSED
    assert mask_starts(spec_of(*HEADS)).tolist() == [
        [0, 0, 0, 0],
        [none, 4, none, 4],
        [none, none, 7, 12],
        [17, 17, 17, 17],
    ]
    assert spec_of(*HEADS).mask_size == 19


@pytest.mark.parametrize("threads", [1, 2])
def test_only_allowed_choices_are_made(threads: int) -> None:
    masks = (np.random.default_rng(0).random((40, 6, 19)) < 0.5).astype(np.uint8)
    masks[..., 0] = masks[..., 17] = masks[..., 4] = masks[..., 7] = masks[..., 12] = 1
    chooser = RandomActions(spec_of(*HEADS), 40, threads=threads)
    starts = mask_starts(spec_of(*HEADS))
    for _ in range(20):
        for mask, action in zip(
            masks.reshape(-1, 19), chooser.choose(masks).reshape(-1, 4), strict=True
        ):
            for head, choice in enumerate(action):
                start = starts[head, action[0]]
                assert choice == 0 if start == UNUSED else mask[start + choice]
    chooser.close()


def test_choices_are_equally_often() -> None:
    masks = np.ones((100, 6, 4), np.uint8)
    masks[..., 2] = 0
    chooser = RandomActions(spec_of(HEADS[0]), 100)
    chosen = np.stack([chooser.choose(masks).copy() for _ in range(20)])
    counts = np.bincount(chosen.ravel(), minlength=4)
    assert counts[2] == 0
    assert (abs(counts[[0, 1, 3]] - 4000) < 250).all()  # about 5 deviations
    assert len(np.unique(chosen.reshape(20, -1), axis=0)) == 20


def test_where_nothing_is_allowed_the_choice_is_0() -> None:
    chooser = RandomActions(spec_of(HEADS[0]), 2)
    assert not chooser.choose(np.zeros((2, 6, 4), np.uint8)).any()


def test_real_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="head 'push' has real numbers"):
        RandomActions(spec_of(ActionHead("push", 2, "real")), 1)

import numpy as np
import pytest

from envs.symmetry import Symmetries, dihedral, identity, mirror

BOARD = np.arange(12, dtype=np.float32).reshape(1, 3, 4)


def test_mirror_reverses_columns():
    symmetries = Symmetries(mirror(3, 4), np.zeros((2, 1), np.int32))
    np.testing.assert_array_equal(symmetries.planes(BOARD, 0), BOARD)
    np.testing.assert_array_equal(symmetries.planes(BOARD, 1), BOARD[:, :, ::-1])


def test_a_batch_is_transformed_like_its_members():
    symmetries = Symmetries(mirror(3, 4), np.zeros((2, 1), np.int32))
    batch = np.stack([BOARD, BOARD + 1])
    np.testing.assert_array_equal(symmetries.planes(batch, 1)[1], symmetries.planes(BOARD + 1, 1))


@pytest.mark.parametrize("size", [3, 6, 8])
def test_the_symmetries_of_a_square_form_a_group_of_eight(size):
    cells = dihedral(size)
    rows = {row.tobytes() for row in cells}
    assert len(rows) == 8
    assert {a[b].astype(np.int32).tobytes() for a in cells for b in cells} == rows


def test_dihedral_is_rotations_then_reflections():
    square = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    symmetries = Symmetries(dihedral(3), dihedral(3))
    np.testing.assert_array_equal(symmetries.planes(square, 1)[0], np.rot90(square[0]))
    np.testing.assert_array_equal(symmetries.planes(square, 4)[0], square[0].T)


def test_the_image_of_an_action_is_where_its_cell_goes():
    symmetries = Symmetries(dihedral(3), dihedral(3))
    for symmetry in range(8):
        image = symmetries.action_image(symmetry)
        for cell in range(9):
            planes = np.zeros((1, 3, 3), np.float32)
            planes.ravel()[cell] = 1
            moved = symmetries.planes(planes, symmetry).ravel()
            assert np.flatnonzero(moved).tolist() == [image[cell]]


def test_identity_leaves_everything():
    symmetries = identity(12, 5)
    assert len(symmetries) == 1
    np.testing.assert_array_equal(symmetries.planes(BOARD, 0), BOARD)
    assert symmetries.action_image(0).tolist() == [0, 1, 2, 3, 4]


CROSSED = np.array([[0, 1, 2], [2, 1, 0]], np.int32)


def test_planes_that_name_a_direction_change_places():
    symmetries = Symmetries(mirror(3, 4), np.zeros((2, 1), np.int32), CROSSED)
    planes = np.random.default_rng(0).random((3, 3, 4), np.float32)
    np.testing.assert_array_equal(symmetries.planes(planes, 0), planes)
    np.testing.assert_array_equal(symmetries.planes(planes, 1), planes[::-1, :, ::-1])


@pytest.mark.parametrize(
    "channels", [None, np.tile(np.roll(np.arange(3, dtype=np.int32), 1), (8, 1))]
)
def test_each_of_a_batch_has_a_symmetry_of_its_own(channels):
    symmetries = Symmetries(dihedral(4), dihedral(4), channels)
    planes = np.random.default_rng(0).random((20, 3, 4, 4), np.float32)
    chosen = np.random.default_rng(1).integers(8, size=20)
    for turned, plain, symmetry in zip(symmetries.transform(planes, chosen), planes, chosen):
        np.testing.assert_array_equal(turned, symmetries.planes(plain, symmetry))

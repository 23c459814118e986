"""Errors travel between processes."""

import pytest

from store import errors

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.StoreError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling(kind):
    error = kind("what went wrong")
    made_by, arguments, *state = error.__reduce__()  # what pickle does
    again = made_by(*arguments)
    vars(again).update(*state)
    assert type(again) is kind
    assert str(again) == "what went wrong"
    assert vars(again) == vars(error)

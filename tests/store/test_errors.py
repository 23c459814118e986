"""Errors travel between processes."""

import pickle

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
    error.errno = 28
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "what went wrong"
    assert vars(again) == vars(error)

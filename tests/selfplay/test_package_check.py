"""Whether the packages that would be imported are ours."""

import pytest

from selfplay.package_check import PACKAGES, ROOT, check_packages


def test_packages_of_others_are_named(tmp_path):
    check_packages()
    with pytest.raises(RuntimeError, match=r"'envs' would be imported from .*, and not from"):
        check_packages(tmp_path)


def test_all_packages_are_checked():
    assert {init.parent.name for init in ROOT.glob("*/__init__.py")} - {"tests"} == set(PACKAGES)

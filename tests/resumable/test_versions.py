"""A savepoint made on one version of Python goes on on another: the corpus, and the made-up programs."""

from __future__ import annotations

import itertools
import random
import sys

import pytest

from .harness import compare
from .test_stop_everywhere import PROGRAMS
from .workers import interpreters

VERSIONS = ("3.11", "3.12", "3.13")
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
QUICK = 15  # programs in the normal run


def _python(version: str) -> str:
    if version not in interpreters():
        pytest.skip(f"Python {version} is not installed")
    return interpreters()[version]


@pytest.mark.parametrize("other", [version for version in VERSIONS if version != OWN])
def test_some_programs_go_on_with_another_version(other: str) -> None:
    python = _python(other)
    for name in random.Random(other).sample(sorted(PROGRAMS), QUICK):
        compare(PROGRAMS[name], most=2, chained=False, exact=False, python=python)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(VERSIONS, 2)))
def test_every_program_goes_on_with_another_version(one: str, other: str) -> None:
    captures, python = _python(one), _python(other)
    differing = {}
    for name, source in PROGRAMS.items():
        try:
            compare(source, most=8, chained=False, exact=False, captures=captures, python=python)
        except AssertionError as error:
            differing[name] = str(error)
    assert not differing


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_program_goes_on_with_each_version(version: str) -> None:
    python = _python(version)
    differing = {}
    for name, source in PROGRAMS.items():
        try:
            compare(source, exact=False, captures=python, python=python)
        except AssertionError as error:
            differing[name] = str(error)
    assert not differing

"""Made-up programs: stopped at, gone on with in another process, compared with plain Python."""

from __future__ import annotations

import sys

import hypothesis
import pytest
from hypothesis import strategies as st

from .generated import Grammar
from .harness import compare
from .workers import interpreters

STOPS = 8  # of each program: the first, the last, and some between

modest = hypothesis.settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
thorough = hypothesis.settings(modest, max_examples=1500, derandomize=False, print_blob=True)


@st.composite
def programs(draw: st.DrawFn, size: int = 14) -> str:
    return Grammar(lambda below: draw(st.integers(0, below - 1)), size).program()


def check(source: str, python: str = sys.executable) -> None:
    try:
        compile(source, "program.py", "exec")
    except SyntaxError:
        hypothesis.reject()  # an assignment expression where Python wants none
    hypothesis.note(source)
    compare(source, most=STOPS, exact=False, python=python, unbound_alike=True)


@modest
@hypothesis.given(programs())
def test_a_made_up_program_goes_on(source: str) -> None:
    check(source)


@pytest.mark.long
@pytest.mark.timeout(3600)
@thorough
@hypothesis.given(programs(size=24))
def test_many_made_up_programs_go_on(source: str) -> None:
    check(source)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
@hypothesis.settings(thorough, max_examples=300)
@hypothesis.given(source=programs())
def test_made_up_programs_go_on_with_another_version(version: str, source: str) -> None:
    if version not in interpreters():
        pytest.skip(f"Python {version} is not installed")
    check(source, interpreters()[version])

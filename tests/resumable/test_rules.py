"""A savepoint goes on in every later version of jupyter_flows, whatever that makes of the same source."""

from __future__ import annotations

import ast
import random

import pytest

from jupyter_flows.resumable import forms, units

from .harness import awaits, compare
from .test_stop_everywhere import PROGRAMS

QUICK = 12  # programs in the normal run


def test_some_programs_go_on_under_later_rules() -> None:
    for name in random.Random(7).sample(sorted(PROGRAMS), QUICK):
        compare(PROGRAMS[name], most=3, exact=False, later=True)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_program_goes_on_under_later_rules() -> None:
    differing = {}
    for name, source in PROGRAMS.items():
        try:
            compare(source, most=8, exact=False, later=True)
        except AssertionError as error:
            differing[name] = str(error)
    assert not differing


def test_a_form_is_the_whole_tree() -> None:
    for name, source in PROGRAMS.items():
        unit = units.compile_unit(source, "program.py", interactive=awaits(source))
        tree = forms.tree_of(unit.form)
        assert ast.dump(tree, include_attributes=True) == ast.dump(unit.tree, include_attributes=True), name
        nodes = zip(ast.walk(tree), ast.walk(unit.tree), strict=True)
        assert all(one.__dict__.get("births") == other.__dict__.get("births") for one, other in nodes), name

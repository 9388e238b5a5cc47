"""What runs while everything around it is killed, and what must be there when it has ended.

Each flow logs what it has done; its lines, children and outputs are known in advance, so that one that is
missing or there twice is seen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat

ORDER = """
import random
import flow_api

def handler(system, this, inputs):
    this.log('begin')
    ballast = random.Random(inputs['token']).randbytes(150_000)
    parts = []
    for n in range(inputs['children']):
        parts.append(this.flow('part', n=n, url=inputs['url'], token=f"{inputs['token']}-{n}", wait=False))
        this.log(f'started {n}')
    this.sleep(inputs['sleep'])
    this.wait_for(*parts)
    total = sum(part.get('output_value')['score'] for part in parts)
    this.log(f'total {total}')
    try:
        this.flow('part', n=-1, url=inputs['url'], token='none')
    except flow_api.DependencyFailedError:
        this.log('failed as it should')
    assert ballast == random.Random(inputs['token']).randbytes(150_000)
    book = system.setting('book').acquire()
    entries = book.get('value') if book.exists() else []
    book.save(value=[*entries, inputs['token']])
    book.release()
    this.log('booked')
    this.set_output('total', total)
    return this.success(f'total {total}')
"""

PART = """
def handler(system, this, inputs):
    assert inputs['n'] >= 0, 'there is no such part'
    body = {'token': inputs['token']}
    answer = this.connect(connector_type='REST', url=inputs['url'], method='POST', json=body)
    assert answer.get('output_value')['status_code'] == 200
    this.sleep(0.2 * inputs['n'])
    this.log(f"part {inputs['n']}")
    this.set_output('score', inputs['n'] + 1)
    return this.success()
"""

COUNTING = """
def handler(system, this, inputs):
    numbers = []
    for n in range(inputs['count']):
        numbers.append(n)
        this.set_output('n', n)
        if n % 5 == 4:
            this.log(f'{len(numbers)} numbers')
            this.sleep(0.05)
    assert numbers == list(range(inputs['count']))
    return this.success(str(sum(numbers)))
"""

CELLS = (
    "seen = []",
    "def note(text):\n    seen.append(text)\n    this.log(text)\n    return this.sleep(0.1)",
    "note('one')",
    "child = this.flow('counting', count=5)\nnote('two')",
    "note('three')\nthis.set_output('seen', seen)",
)


def write(root: Path) -> None:
    """The flows `order`, `part`, `counting` and the notebook `cells`."""
    root.mkdir(exist_ok=True)
    for name, text in (("order", ORDER), ("part", PART), ("counting", COUNTING)):
        (root / f"{name}.py").write_text(text)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    (root / "cells.ipynb").write_text(json.dumps(notebook))


def expected(flow: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Log, children's inputs (of flows alone) and outputs of an execution that ended well."""
    if flow == "order":
        children = inputs["children"]
        total = sum(range(1, children + 1))
        return {
            "log": [
                "begin",
                *(f"started {n}" for n in range(children)),
                f"total {total}",
                "failed as it should",
                "booked",
            ],
            "children": [*range(children), -1],
            "output": {"total": total},
        }
    if flow == "part":
        return {"log": [f"part {inputs['n']}"], "children": [], "output": {"score": inputs["n"] + 1}}
    if flow == "counting":
        count = inputs["count"]
        lines = [f"{n} numbers" for n in range(5, count + 1, 5)]
        return {"log": lines, "children": [], "output": {"n": count - 1}}
    said = ["one", "two", "three"]
    return {"log": said, "children": [None], "output": {"seen": said}}

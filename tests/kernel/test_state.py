"""What a restored process has beside its variables: generators under way, random numbers, its directory."""

from __future__ import annotations

from pathlib import Path

from jupyter_flows.model import ResumeMode

from .scripted_worker import ScriptedWorker, source

STORY = """
import os, random
random.seed(7)
os.environ['MOOD'] = 'good'
os.makedirs('below_here', exist_ok=True)
os.chdir('below_here')
def count():
    for number in range(4):
        yield number * 10
numbers = count()
next(numbers)
before = random.random()
this.log('now')
print(list(numbers), random.random(), os.environ['MOOD'], os.path.basename(os.getcwd()))
"""


def test_generators_random_numbers_environment_and_directory_go_on(tmp_path: Path) -> None:
    undisturbed = ScriptedWorker(tmp_path)
    undisturbed.run(source(STORY))
    assert undisturbed.shown().startswith("[10, 20, 30] "), undisturbed.shown()
    worker = ScriptedWorker(tmp_path)
    worker.run(source(STORY), stop_after=1)
    worker.run(source(STORY), resume=worker.resume_from(0, ResumeMode.JOIN))
    assert worker.shown() == undisturbed.shown()

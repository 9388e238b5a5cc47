"""What belongs to a flow's state though no variable holds it."""

from __future__ import annotations

import decimal
import os
import random
import warnings
from pathlib import Path

import pytest

from jupyter_flows import snapshot


def test_the_process_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNAPSHOT_TEST", "before")
    with pandas.option_context("display.max_rows", 7), matplotlib.rc_context({"lines.linewidth": 9}):
        with warnings.catch_warnings(), decimal.localcontext() as context:
            warnings.simplefilter("error")
            context.prec = 5
            random.seed(3)
            numpy.random.seed(3)
            state = snapshot.ProcessState.now()
            manifest = snapshot.save({"state/process": state}, chunks := snapshot.MemoryChunks(), {})
            assert manifest.missing == ()
            expected = random.random(), numpy.random.rand()
        monkeypatch.setenv("SNAPSHOT_TEST", "after")
        monkeypatch.setenv("SNAPSHOT_NEW", "1")
        monkeypatch.chdir("/")
        pandas.set_option("display.max_rows", 8)
        matplotlib.rcParams["lines.linewidth"] = 1
        with warnings.catch_warnings(), decimal.localcontext():
            loaded = snapshot.load(manifest, chunks, {})["state/process"]
            assert loaded.put_back() == ()
            assert (random.random(), numpy.random.rand()) == expected
            assert os.environ["SNAPSHOT_TEST"] == "before"
            assert "SNAPSHOT_NEW" not in os.environ
            assert Path.cwd() == tmp_path
            assert pandas.get_option("display.max_rows") == 7
            assert matplotlib.rcParams["lines.linewidth"] == 9
            assert decimal.getcontext().prec == 5
            with pytest.raises(UserWarning):
                warnings.warn("now an error", stacklevel=1)

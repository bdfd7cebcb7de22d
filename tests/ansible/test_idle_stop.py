"""When the program that powers an idle host off does so."""

import importlib.util
import os
import subprocess
import time
from pathlib import Path

import pytest

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"


@pytest.fixture
def power(monkeypatch):
    """The program, with the switch taken away: power.main(...), and power.words it would run."""
    path = ANSIBLE / "roles/idle_stop/files/idle_stop.py"
    spec = importlib.util.spec_from_file_location("idle_stop", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.words = []

    def run(words, check):
        module.words.append(words)
        return subprocess.CompletedProcess(words, 7)

    monkeypatch.setattr(module.subprocess, "run", run)
    return module


@pytest.fixture
def written(tmp_path):
    """written(name, minutes): a file that was written so many minutes ago; its path."""

    def write(name, minutes):
        path = tmp_path / name
        path.touch()
        then = time.time() - minutes * 60
        os.utime(path, (then, then))
        return str(path)

    return write


@pytest.mark.parametrize(
    ("started", "used", "off"), [(90, 90, True), (5, 90, False), (90, 5, False), (90, None, True)]
)
def test_only_an_idle_host_is_powered_off(power, written, started, used, off):
    files = ["/nonexistent" if used is None else written("log", used), written("old", 500)]
    code = power.main("60", written("start", started), *files)
    assert power.words == ([["systemctl", "poweroff", "--no-block"]] if off else [])
    assert code == (7 if off else 0)


def test_a_host_that_does_not_know_since_when_it_runs_stays(power, tmp_path, capsys):
    assert power.main("60", str(tmp_path / "missing")) == 1
    assert power.words == []
    assert "missing is missing" in capsys.readouterr().out

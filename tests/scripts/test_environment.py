"""The environment is made once for each lock, and refused where it can't be."""

import environment
import pytest
from machine import MachineError


@pytest.fixture
def made(tmp_path, monkeypatch):
    """How often the environment was made, in a folder of its own."""
    calls = []
    (tmp_path / "requirements.txt").write_text("a==1\n")
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv/installed")
    monkeypatch.setattr(environment, "_make", lambda: calls.append(1))
    return calls


def test_it_is_made_once_and_again_when_the_lock_changes(made, tmp_path):
    environment.ensure()
    environment.ensure()
    assert len(made) == 1
    (tmp_path / "requirements.txt").write_text("a==2\n")
    environment.ensure()
    assert len(made) == 2


def test_too_little_disk_is_refused_before_anything_is_made(made, monkeypatch):
    monkeypatch.setattr(environment, "NEEDED_BYTES", 10**18)
    with pytest.raises(MachineError, match="GB free and the environment takes"):
        environment.ensure()
    assert made == []


def test_an_interrupted_making_is_not_taken_for_done(made, monkeypatch):
    def fail():
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "_make", fail)
    with pytest.raises(KeyboardInterrupt):
        environment.ensure()
    assert not environment.STAMP.exists()


def test_an_old_python_is_refused_by_its_version(made, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 2))
    with pytest.raises(MachineError, match="3.11 or newer"):
        environment.ensure()

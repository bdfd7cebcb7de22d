"""Who holds a host's lock: a run of a playbook, and whether it still lives."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "ansible/roles/release/filter_plugins/owner.py"


@pytest.fixture
def owner():
    spec = importlib.util.spec_from_file_location("owner", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_owner_is_the_same_all_through_a_run_and_lives(owner):
    first = owner.release_owner("", "deploy", "600")
    assert first == owner.release_owner("", "deploy", 600)
    assert "@" in first["who"]
    assert owner.release_owner_is_gone(first) is False


def test_an_owner_whose_process_ended_is_gone(owner):
    machine, pid, started = owner.release_owner("ops", "deploy", 600)["token"].split(":", 2)
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert owner.release_owner_is_gone({"token": f"{machine}:{ended.pid}:{started}"}) is True
    assert owner.release_owner_is_gone({"token": f"{machine}:{pid}:0"}) is True


def test_an_owner_on_another_machine_is_never_taken_for_gone(owner):
    assert owner.release_owner_is_gone({"token": "f" * 16 + ":999999:1"}) is False
    assert owner.release_owner_is_gone("") is False


def test_two_playbooks_of_one_shell_are_two_owners(tmp_path):
    program = tmp_path / "ansible-playbook"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(FILE.parent)!r}); import owner, json\n"
        "print(json.dumps(owner.release_owner('', '', 1)['token']))\n"
    )
    line = f"{sys.executable} {program}; {sys.executable} {program}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first != second

"""What is done to this machine is noted and taken back; what can't be done is said in one line."""

import subprocess
import sys

import machine
import pytest
from machine import MachineError


@pytest.fixture(autouse=True)
def note_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "NOTE", tmp_path / "machine.json")


def without(monkeypatch, *programs):
    monkeypatch.setattr(
        machine.shutil, "which", lambda name: None if name in programs else f"/usr/bin/{name}"
    )


def test_notes_add_up(tmp_path):
    machine.note(packages=["a"])
    machine.note(dockerd=5)
    assert machine.noted() == {"packages": ["a"], "dockerd": 5}
    assert [path.name for path in tmp_path.iterdir()] == ["machine.json"]


def test_an_engine_that_answers_is_used_as_it_is(monkeypatch):
    monkeypatch.setattr(machine, "docker_answer", lambda: None)
    machine.ensure_docker()
    assert machine.noted() == {"packages": [], "dockerd": None}


def test_an_engine_that_refuses_this_user_is_named_with_the_next_step(monkeypatch):
    complaint = "permission denied while trying to connect to the Docker daemon socket"
    monkeypatch.setattr(machine, "docker_answer", lambda: complaint)
    with pytest.raises(MachineError, match="not to .*usermod -aG docker"):
        machine.ensure_docker()


def test_whoever_it_was_installed_for_joins_its_group_and_the_program_begins_again(monkeypatch):
    done = []
    monkeypatch.setattr(machine, "docker_answer", lambda: "permission denied")
    monkeypatch.setattr(machine.getpass, "getuser", lambda: "ada")
    monkeypatch.setattr(machine.subprocess, "run", lambda words, **_: done.append(words[-5:]))
    monkeypatch.setattr(machine.os, "execvp", lambda name, words: done.append(words))
    monkeypatch.setattr(machine.sys, "argv", ["scripts/up.py", "--data", "my texts"])
    machine.note(packages=["docker.io"])
    machine.ensure_docker()
    assert done[0] == ["usermod", "--append", "--groups", "docker", "ada"]
    assert done[1][:3] == ["sg", "docker", "-c"]
    assert done[1][3].endswith("scripts/up.py --data 'my texts'")


def test_without_apt_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(machine, "docker_answer", lambda: "there is no docker command")
    without(monkeypatch, "dockerd", "apt-get")
    with pytest.raises(MachineError, match="Install Docker, start it, and repeat"):
        machine.ensure_docker()


def test_without_root_and_sudo_the_user_is_told(monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    without(monkeypatch, "sudo")
    with pytest.raises(MachineError, match="needs root and there is no sudo"):
        machine.as_root(["apt-get", "update"])


def test_with_sudo_no_question_is_asked(monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    without(monkeypatch)
    assert machine.as_root(["dockerd"]) == ["sudo", "--non-interactive", "dockerd"]


def test_a_failed_installation_gives_apts_own_reason(monkeypatch):
    def run(words, **_):
        return subprocess.CompletedProcess(words, 100, "", "E: Unable to locate package nothing\n")

    monkeypatch.setattr(machine.subprocess, "run", run)
    monkeypatch.setattr(machine, "_installed", set)
    with pytest.raises(MachineError, match="Unable to locate package nothing"):
        machine.install_packages("nothing")


def test_only_packages_that_were_installed_here_are_removed(monkeypatch):
    called = []
    before, after = {"vim"}, {"vim", "docker.io", "containerd"}
    states = iter([before, after, after])
    monkeypatch.setattr(machine, "_installed", lambda: next(states))
    monkeypatch.setattr(machine, "_apt", called.append)
    machine.install_packages("docker.io")
    assert machine.noted()["packages"] == ["containerd", "docker.io"]
    machine.remove_packages()
    assert called[-1][-2:] == ["containerd", "docker.io"]
    assert machine.noted()["packages"] == []


def test_a_process_that_only_has_the_noted_number_is_left_alone():
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        machine.note(dockerd=other.pid)
        machine.stop_docker()
        assert other.poll() is None
        assert machine.noted()["dockerd"] is None
    finally:
        other.communicate(b"\n")

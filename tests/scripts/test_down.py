"""`make down` removes what is ours, and the engine only where nothing else needs it."""

import down
import pytest


@pytest.fixture
def engine(monkeypatch):
    """What docker would list, and what was done."""
    state = {"containers": [], "images": [], "done": []}

    def docker(*arguments):
        state["done"].append(" ".join(arguments))
        if arguments[0] == "ps":
            ours = any("label" in word for word in arguments)
            return [
                name for name in state["containers"] if name.startswith("frontdesk") or not ours
            ]
        if arguments[0] == "images":
            ours = "frontdesk/*" in arguments
            return [name for name in state["images"] if name.startswith("frontdesk/") or not ours]
        if arguments[0] == "rm":
            state["containers"].remove(arguments[-1])
        if arguments[0] == "rmi":
            state["images"].remove(arguments[-1])
        return []

    monkeypatch.setattr(down, "docker", docker)
    monkeypatch.setattr(down, "stop_docker", lambda: state["done"].append("stop"))
    monkeypatch.setattr(down, "remove_packages", lambda: state["done"].append("purge"))
    monkeypatch.setattr(down.subprocess, "run", lambda words, **_: state["done"].append(words[0]))
    monkeypatch.setattr(down, "noted", lambda: {"packages": ["docker.io"], "dockerd": 1})
    return state


def test_our_containers_and_images_go_and_others_stay(engine):
    engine["containers"] = ["frontdesk-local", "postgres"]
    engine["images"] = ["frontdesk/debian:trixie", "frontdesk/host:trixie", "postgres:17"]
    down.remove_hosts()
    assert engine["containers"] == ["postgres"]
    assert engine["images"] == ["postgres:17"]
    assert engine["done"].index("rmi frontdesk/host:trixie") < engine["done"].index(
        "rmi frontdesk/debian:trixie"
    )


def test_an_engine_that_others_use_stays(engine):
    engine["images"] = ["postgres:17"]
    down.remove_engine()
    assert "stop" not in engine["done"]
    assert "purge" not in engine["done"]


def test_an_engine_that_was_installed_here_and_is_unused_goes(engine):
    down.remove_engine()
    assert "stop" in engine["done"]
    assert "purge" in engine["done"]


def test_an_engine_that_does_not_answer_is_no_proof_that_nothing_is_left(monkeypatch, capsys):
    monkeypatch.setattr(down, "noted", lambda: {"packages": [], "dockerd": None})
    monkeypatch.setattr(down.shutil, "which", lambda _: "/usr/bin/docker")
    monkeypatch.setattr(down, "docker_answer", lambda: "no answer")
    assert down.main() == 1
    assert "nobody can tell whether a host is left" in capsys.readouterr().err

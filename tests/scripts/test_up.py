"""`make up` refuses in one line what it can't do, before it begins."""

import json
import socket
import subprocess

import environment
import pytest
import up
from machine import MachineError


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_data_that_is_not_there_is_refused_before_anything_is_made(monkeypatch, capsys):
    monkeypatch.setattr(environment, "ensure", lambda: pytest.fail("began"))
    assert up.main(["--data", "/nowhere/texts"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert (
        said.err.strip() == "There is no /nowhere/texts. Name a folder or a csv: make up DATA=..."
    )


def test_a_taken_port_is_refused_with_another_one(taken_port):
    with pytest.raises(MachineError, match=f"Port {taken_port} .*make up PORT={taken_port + 1}"):
        up.choose_port("frontdesk-nobody", taken_port)


@pytest.mark.parametrize("port", [0, 70000, -1])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(MachineError, match=f"Port {port} "):
        up.choose_port("frontdesk-nobody", port)


def docker_port(monkeypatch, said):
    answer = subprocess.CompletedProcess([], 0 if said else 1, said, "")
    monkeypatch.setattr(up.subprocess, "run", lambda *_, **__: answer)


def test_the_port_of_a_host_that_is_there_is_kept(monkeypatch):
    docker_port(monkeypatch, "127.0.0.1:9000\n")
    assert up.choose_port("frontdesk-local", None) == 9000
    assert up.choose_port("frontdesk-local", 9000) == 9000
    with pytest.raises(MachineError, match="answers at port 9000 and holds your releases"):
        up.choose_port("frontdesk-local", 9001)


def test_a_failed_stage_ends_it_with_its_name(tmp_path, capfd):
    with pytest.raises(MachineError, match=r"Training failed \(exit code 3\)"):
        up.command(["sh", "-c", "echo why >&2; exit 3"], tmp_path, "Training")
    assert "why" in capfd.readouterr().err


def test_a_url_that_does_not_answer_is_named(taken_port):
    with pytest.raises(MachineError, match=f"http://127.0.0.1:{taken_port} does not classify"):
        up.ask(f"http://127.0.0.1:{taken_port}", "text", seconds=1)


def test_the_example_is_short_and_sure(tmp_path):
    golden = [
        {"text": "short, unsure", "probability": 0.5},
        {"text": "short, sure\n", "probability": 0.9},
        {"text": "long " * 40, "probability": 0.99},
    ]
    (tmp_path / "bundle.json").write_text(json.dumps({"golden": golden}))
    assert up.example(tmp_path) == "short, sure"


def test_the_last_line_is_the_bare_url():
    stages = up.Stages()
    stages.run("Training", lambda: None)
    trained = {"accuracy": 0.9, "held_out_texts": 5, "training_texts": 40, "labels": ["a", "b"],
               "report": "b.report"}  # fmt: skip
    answer = {"label": "a", "probability": 0.8}
    lines = up.summary("http://127.0.0.1:1", trained, stages, "a text", answer).splitlines()
    assert lines[-1] == "http://127.0.0.1:1"
    assert "asked      a text" in lines
    assert "answered   a (80%)" in lines

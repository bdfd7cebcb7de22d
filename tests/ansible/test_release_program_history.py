"""The host's history: complete, in order, and not to be changed unnoticed."""

import importlib.util
import json
import subprocess

import audit
import diagnose
import overview
import pytest
import rollback
import watch
from layout import Layout, ReleaseError
from release_host import OWNER


def lines(layout):
    return layout.history.read_text().splitlines()


def test_an_event_says_who_why_and_of_what(host, layout):
    host.deploy()
    event = audit.history(layout)[-1]
    told = {name: event[name] for name in ("event", "release", "who", "reason", "commit", "model")}
    assert told == {"event": "deploy", "release": "r01", "who": "ops", "reason": "deploy",
                    "commit": "abc", "model": "m"}  # fmt: skip


@pytest.mark.parametrize(
    "tamper",
    [
        lambda held: [held[0].replace('"ops"', '"nobody"'), *held[1:]],
        lambda held: [held[0], *held[2:]],
        lambda held: [held[1], held[0], held[2]],
        lambda held: [held[0], held[1].replace('"after"', '"before"'), held[2]],
    ],
)
def test_a_line_that_was_changed_or_taken_out_shows(host, layout, tamper):
    for number in range(3):
        audit.record(layout, "deploy", f"r{number}", who="ops")
    assert audit.changed_by_hand(layout) is None
    layout.history.write_text("\n".join(tamper(lines(layout))) + "\n")
    assert audit.changed_by_hand(layout)


def test_a_host_whose_history_was_changed_warns(host, layout):
    host.deploy()
    host.deploy(model="new")
    layout.history.write_text("\n".join(lines(layout)).replace('"ops"', '"nobody"') + "\n")
    assert "was changed by hand before" in overview.as_text(overview.overview(layout))


def test_a_history_from_before_there_were_sums_is_taken_on(layout):
    layout.history.write_text('{"time": "2026-01-01T00:00:00Z", "event": "deploy"}\n')
    audit.record(layout, "deploy", "r02", who="ops")
    assert audit.changed_by_hand(layout) is None


def test_a_line_cut_off_by_a_crash_is_passed_over(layout):
    audit.record(layout, "deploy", "r01", who="ops")
    with layout.history.open("a") as stream:
        stream.write('{"cut\n')
    audit.record(layout, "deploy", "r02", who="ops")
    assert [event["release"] for event in audit.history(layout)] == ["r01", "r02"]
    assert audit.changed_by_hand(layout) is None


def test_a_long_history_is_continued_in_another_file_and_stays_whole(layout, monkeypatch):
    monkeypatch.setattr(audit, "LIMIT_BYTES", 300)
    for number in range(9):
        audit.record(layout, "deploy", f"r{number}", who="ops")
    held = sorted(path.name for path in layout.root.glob("history.jsonl*"))
    assert held == ["history.jsonl", "history.jsonl.1", "history.jsonl.2"]
    assert [event["release"] for event in audit.history(layout)] == [f"r{n}" for n in range(9)]
    assert audit.changed_by_hand(layout) is None


def test_a_history_takes_lines_and_nothing_else_where_the_file_system_can(tmp_path):
    path = tmp_path / "history"
    path.write_text("one\n")
    audit._append_only(path, "+a")
    try:
        attributes = subprocess.run(["lsattr", path], capture_output=True, text=True, check=False)
        with path.open("a") as stream:
            stream.write("two\n")
        if "a" in attributes.stdout.split(" ")[0]:
            with pytest.raises(PermissionError):
                path.write_text("other\n")
        assert path.read_text() == "one\ntwo\n"
    finally:
        audit._append_only(path, "-a")


def test_a_history_is_kept_where_a_minimal_debian_lacks_the_program_too(layout, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    audit.record(layout, "deploy", "r1", who="ops")
    assert [event["release"] for event in audit.history(layout)] == ["r1"]


def test_status_tells_the_fate_of_the_last_ten_releases_those_that_are_gone_too(host, layout):
    for number in range(5):
        host.deploy(model=str(number))
    host.bad.add("r06")
    with pytest.raises(ReleaseError):
        host.deploy(model="5")
    rollback.rollback(layout, None, OWNER)
    host.deploy(model="6")
    watch.give_up(layout, "r07", "Too slow.")
    fates = {each["id"]: each["fate"] for each in overview.fates(audit.history(layout))}
    assert list(fates.items()) == [("r07", "bad"), ("r06", "refused"), ("r05", "rolled_back"),
                                   ("r04", "good"), ("r03", "good"), ("r02", "good"),
                                   ("r01", "good")]  # fmt: skip
    text = overview.as_text(overview.overview(layout))
    assert "r06  refused" in text
    assert "Too slow." in text
    assert "by ops" in text


@pytest.fixture
def logged(host, layout, monkeypatch):
    """What a host with one release tells of itself."""
    host.deploy()
    monkeypatch.setattr(diagnose, "_output", lambda words: f"{words[0]}\n")
    return json.dumps(diagnose.diagnose(layout))


@pytest.fixture
def keep(run, root, tmp_path):
    """keep(said) -> the folder that is written of what a host said, which is the only one."""

    def call(said):
        program = root / "ansible/roles/release/files/diagnostics.py"
        line = 'printf %s "$1" | python3 "$2" "$3" one'
        done = run("sh", "-c", line, "sh", json.dumps(said), program, tmp_path / "failed")
        (folder,) = (tmp_path / "failed").iterdir()
        assert done.stdout.strip() == str(folder)
        return folder

    return call


@pytest.mark.parametrize("with_its_refusal", [True, False])
def test_what_a_host_logged_is_kept_in_a_folder_that_is_named(logged, keep, with_its_refusal):
    refused = {"error": "no", "gate": {"passed": False}}
    if with_its_refusal:
        refused["logged"] = json.loads(logged)
    folder = keep({"refused": refused, "answer": "" if with_its_refusal else logged})
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "journal.txt").read_text() == "journalctl\n"
    assert "r01" in (folder / "status.txt").read_text()
    assert json.loads((folder / "gate.json").read_text()) == {"passed": False}
    assert json.loads((folder / "refusal.json").read_text()) == {"error": "no"}


@pytest.mark.parametrize(
    "answer",
    ['{"status.txt": "half', "[]", "no JSON", '{"changed": false, "error": "no settings"}'],
)
def test_what_a_program_says_that_has_no_logs_is_kept_as_it_is(keep, answer):
    folder = keep({"refused": {"error": "no"}, "answer": answer, "message": "", "journal": "last"})
    assert (folder / "host.txt").read_text() == answer
    assert (folder / "journal.txt").read_text() == "last"


@pytest.fixture
def program(layout, root, monkeypatch):
    """The program that Ansible calls, on this layout: program.main(words)."""
    path = root / "ansible/roles/release/files/host/__main__.py"
    spec = importlib.util.spec_from_file_location("frontdesk_release", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(Layout, "read", lambda path: layout)
    return module


@pytest.mark.parametrize("more", [[], ["--diagnose"]])
def test_a_refusal_tells_what_was_logged_where_that_is_asked_for(
    host, logged, program, capsys, more
):
    host.bad.add("r02")
    parts = [f"--{part}={digest}" for part, digest in host.release(model="2").parts.items()]
    words = ["deploy", "--id=r02", *parts, "--commit=c", '--model-card={"model_id": "m"}', *more]
    assert program.main(words) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["changed"], said["live"]) == (False, "r01")
    assert said.get("logged", {}).keys() == (json.loads(logged).keys() if more else set())


def test_a_host_whose_status_fails_still_tells_the_rest(host, layout, monkeypatch):
    host.deploy()
    monkeypatch.setattr(diagnose, "_output", lambda words: f"{words[0]}\n")
    (layout.root / "trial.json").write_text("7")
    told = diagnose.diagnose(layout)
    assert told["status.txt"].startswith("TypeError: ")
    assert told["journal.txt"] == "journalctl\n"

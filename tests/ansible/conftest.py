"""A host for the release program."""

import audit
import lease
import pytest
import slots
import store
import trial
from layout import Layout
from release_host import Host


@pytest.fixture
def layout(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "_append_only", lambda path, mode: None)  # nothing could remove it
    root = tmp_path / "opt"
    made = Layout(
        root, ("blue", "green"), tmp_path / "run", "nobody", 15, "http://x", 300, keep=3,
        access_log=tmp_path / "access.log", watch_error_percent=2, watch_p99_ms=1000,
        watch_interval_seconds=0,
    )  # fmt: skip
    for folder in (made.incoming, made.slot("blue"), made.slot("green")):
        folder.mkdir(parents=True)
    return made


@pytest.fixture
def host(layout, monkeypatch):
    host = Host(layout)
    for name in (
        "start",
        "stop",
        "keep_warm",
        "keep_watch",
        "is_watched",
        "is_current",
        "is_running",
        "gate",
        "ask_edge",
    ):
        monkeypatch.setattr(slots, name, getattr(host, name))
    monkeypatch.setattr(store, "_build_environment", lambda staging: None)
    monkeypatch.setattr(trial, "_schedule", lambda seconds: setattr(host, "returns_in", seconds))
    monkeypatch.setattr(trial, "_unschedule", lambda: setattr(host, "returns_in", None))
    monkeypatch.setattr(lease, "PATH", layout.root / "lease.json")
    return host

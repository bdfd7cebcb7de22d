"""The program that looks after a host's certificate, with openssl and without a host."""

import json
import stat
import time

import frontdesk_tls
import pytest
from authority import Authority

NAMES = ["www.example.org", "192.0.2.1"]


@pytest.fixture
def calls(monkeypatch):
    """What was said to systemd, which isn't here."""
    said = []
    original = frontdesk_tls.subprocess.run

    def run(words, **options):
        if words[0] == "systemctl":
            said.append(words[1])
            return original(["true"], **options)
        return original(words, **options)

    monkeypatch.setattr(frontdesk_tls.subprocess, "run", run)
    return said


@pytest.fixture
def settings(tmp_path, calls):
    """settings(**changes): what Ansible would write, as the program reads it."""
    (tmp_path / "provided").mkdir()

    def write(**changes):
        path = tmp_path / "settings.json"
        path.write_text(json.dumps({
            "mode": "self_signed", "names": NAMES, "root": str(tmp_path), "served_by": "nginx",
            "challenge_dir": str(tmp_path / "challenge"),
            "provided_dir": str(tmp_path / "provided"),
            "acme_server": "https://127.0.0.1:9/dir", "acme_email": "a@example.org",
            "acme_ca_path": "",
        } | changes))  # fmt: skip
        return frontdesk_tls.Settings.read(path)

    return write


def served(made):
    return (made.live / "certificate.pem").read_text()


def test_a_self_signed_certificate_is_made_once_and_verified(settings, calls):
    made = settings()
    assert frontdesk_tls.prepare(made) is True
    first = served(made)
    assert frontdesk_tls.prepare(made) is frontdesk_tls.renew(made) is False
    assert served(made) == first
    assert calls == ["is-active", "reload"]
    said = frontdesk_tls.status(made)
    assert (said["source"], said["names"]) == ("self_signed", NAMES)
    assert 89 < said["days"] <= 90
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.live.iterdir()}
    assert modes == {"certificate.pem": 0o644, "key.pem": 0o600, "about.json": 0o644}


@pytest.mark.parametrize("reason", ["names", "life"])
def test_it_is_made_anew_for_other_names_and_in_the_last_third_of_its_life(settings, reason):
    made = settings()
    frontdesk_tls.prepare(made)
    first = served(made)
    if reason == "names":
        made = settings(names=[*NAMES, "example.org"])
    else:
        about = json.loads((made.live / "about.json").read_text())
        now = time.time()
        aged = about | {"not_before": int(now - 61 * 86_400), "not_after": int(now + 29 * 86_400)}
        (made.live / "about.json").write_text(json.dumps(aged))
    assert frontdesk_tls.renew(made) is True
    assert served(made) != first
    assert len(list((made.root / "pairs").iterdir())) == 1
    assert not list(made.root.glob(".*"))


def test_without_names_it_is_made_for_the_host_itself(settings):
    made = settings(names=[])
    frontdesk_tls.prepare(made)
    assert {"localhost", "127.0.0.1", "::1"} < set(frontdesk_tls.status(made)["names"])


def test_a_given_pair_is_taken_and_a_wrong_one_leaves_it(settings):
    made = settings(mode="provided")
    authority = Authority("Root")
    authority.issue(made.provided_dir, NAMES)
    assert frontdesk_tls.prepare(made) is True
    assert frontdesk_tls.prepare(made) is False
    first = served(made)
    assert first == (made.provided_dir / "certificate.pem").read_text()
    for wrong in ({"names": ["example.org"]}, {"names": NAMES, "days": -1}):
        authority.issue(made.provided_dir, **wrong)
        with pytest.raises(frontdesk_tls.TlsError):
            frontdesk_tls.prepare(made)
    other = Authority("Root").issue(made.root / "other", NAMES)
    (made.provided_dir / "key.pem").write_text(other[1].read_text())
    with pytest.raises(frontdesk_tls.TlsError):
        frontdesk_tls.prepare(made)
    assert served(made) == first


def test_a_server_that_is_asked_has_a_placeholder_until_it_answers(settings, monkeypatch, calls):
    made = settings(mode="acme", names=NAMES[:1])
    assert frontdesk_tls.prepare(made) is True
    assert frontdesk_tls.prepare(made) is False
    assert frontdesk_tls.status(made)["source"] == "self_signed"
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(OSError, match="lego"):
        frontdesk_tls.renew(made)
    assert frontdesk_tls.status(made)["source"] == "self_signed"


def test_a_server_that_does_not_take_the_new_pair_keeps_the_one_before(settings, monkeypatch):
    made = settings()
    frontdesk_tls.prepare(made)
    first, other = served(made), settings(names=["example.org"])

    def refuse(_):
        raise frontdesk_tls.TlsError("not taken")

    with monkeypatch.context() as patched:
        patched.setattr(frontdesk_tls, "_reload", refuse)
        with pytest.raises(frontdesk_tls.TlsError, match="not taken"):
            frontdesk_tls.renew(other)
    assert served(made) == first
    assert frontdesk_tls.renew(other) is True  # tried again
    assert served(made) != first
    assert len(list((made.root / "pairs").iterdir())) == 1


def test_settings_that_are_missing_are_told_in_one_line(tmp_path, capsys):
    assert frontdesk_tls.main("status", str(tmp_path / "none.json")) == 1
    assert capsys.readouterr().err.count("\n") == 1

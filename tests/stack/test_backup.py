"""What a host can't be made again from is saved, encrypted, and brought back onto a wiped host."""

import json
import urllib.request

import pytest

pytestmark = pytest.mark.timeout(900)
FINGERPRINT = (
    "openssl x509 -noout -fingerprint -sha256 -in /var/lib/frontdesk-tls/live/certificate.pem"
)
FEEDBACK = "/var/lib/frontdesk/feedback.jsonl"


@pytest.fixture
def key(host):
    """(what a backup is encrypted to, what it is read with)."""
    host.shell("apt-get install --quiet --quiet --yes age >/dev/null 2>&1")
    said = host.shell("age-keygen 2>/dev/null").split()
    return said[said.index("key:") + 1], said[-1]


def ask(host, path, asked):
    data = json.dumps(asked).encode()
    request = urllib.request.Request(
        f"http://{host.address}{path}", data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - HTTP
        return json.load(answer)


def facts(host):
    """What has to be the same before and after."""
    status = host.status()
    return {
        "live": status["live"]["id"],
        "mark": status["live"]["mark"],
        "warnings": status["warnings"],
        "history": host.shell("cat /opt/frontdesk/history.jsonl"),
        "feedback": host.shell(f"cat {FEEDBACK}"),
        "owner": host.shell(f"stat --format '%U %G %a' {FEEDBACK}"),
        "certificate": host.shell(FINGERPRINT),
        "key": host.shell("stat --format '%U %a' -L /var/lib/frontdesk-tls/live/key.pem"),
    }


def refused(host, words, **given):
    done = host.play("restore.yml", check=False, **given)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert words in said
    assert given["backup_identity"] not in said


def test_a_wiped_host_serves_again_what_it_served(host, key, tmp_path):
    recipient, identity = key
    label = ask(host, "/v1/classify", {"text": "where is my parcel?"})
    ask(host, "/v1/feedback", {"request_id": label["request_id"], "label": "delivery"})
    host.play("deploy.yml", tls_mode="self_signed")
    before = facts(host)
    assert before["warnings"] == []
    host.play("backup.yml", backup_dir=str(tmp_path), backup_recipient=recipient)
    (archive,) = tmp_path.glob("*.age")
    assert archive.read_bytes().startswith(b"age-encryption.org/v1")
    assert host.shell("find /tmp /var/tmp -name '*.frontdesk-backup'") == ""
    given = {"backup_archive": str(archive), "backup_identity": identity,
             "tls_mode": "self_signed"}  # fmt: skip

    refused(host, "a backup is restored onto a host that holds nothing", **given)
    assert facts(host) == before
    host.play("remove.yml")

    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    damaged = tmp_path / "damaged"
    damaged.write_bytes(data)
    refused(host, "is damaged, or not for this key", **given | {"backup_archive": str(damaged)})
    assert host.shell("find /opt/frontdesk /var/lib/frontdesk-restore 2>/dev/null || true") == ""

    host.play("restore.yml", **given)
    after = facts(host)
    assert after == before
    assert host.shell("find /var/lib/frontdesk-restore 2>/dev/null || true") == ""
    host.play("deploy.yml")  # plain again
    again = ask(host, "/v1/classify", {"text": "where is my parcel?"})
    assert again["results"] == label["results"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"backup_archive": "/nowhere", "backup_identity": "AGE-SECRET-KEY-1A"}, "is no file"),
        ({"backup_archive": "/etc/hostname", "backup_identity": "A"}, "is no secret key of age"),
    ],
)
def test_a_restore_that_lacks_something_is_refused(host, given, words):
    done = host.play("restore.yml", check=False, **given)
    assert done.returncode != 0
    assert words in " ".join(done.stdout.split())


def test_a_backup_for_nobody_is_refused(host):
    done = host.play("backup.yml", check=False)
    assert done.returncode != 0
    assert "backup_recipient is ''" in " ".join(done.stdout.split())

"""A host that nobody asks anything powers itself off, and serves again when it is started."""

import json
import subprocess
import urllib.request

import pytest

pytestmark = pytest.mark.timeout(600)
USED = ["/var/log/frontdesk/requests.log", "/opt/frontdesk/history.jsonl",
        "/run/lock/frontdesk-release.json", "/run/idle-stop"]  # fmt: skip
# More often within seconds than a timer ever does: systemd counts
LOOK = "systemctl reset-failed idle-stop.service; systemctl start idle-stop.service"


def classify(host):
    request = urllib.request.Request(
        f"http://{host.address}/v1/classify",
        json.dumps({"text": "where is my parcel?"}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - HTTP
        return json.load(answer)["results"][0]["label"]


def state(host):
    words = ["docker", "inspect", "--format", "{{.State.Status}}", host.name]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def age(host, paths):
    """Let it be two hours since these files were written."""
    host.shell(f"touch --no-create --date '2 hours ago' {' '.join(paths)}")


@pytest.fixture
def watched(host):
    """The host, looking every minute whether it was used within the hour."""
    subprocess.run(["docker", "update", "--restart", "no", host.name], check=True)
    host.play("configure.yml", "--tags", "idle_stop", idle_stop_minutes=60)
    host.shell(LOOK)
    yield host
    if state(host) != "running":
        host.power_on()
    subprocess.run(["docker", "update", "--restart", "unless-stopped", host.name], check=True)
    host.play("configure.yml", "--tags", "idle_stop")
    assert host.shell("find /etc/systemd /usr/local/lib -name '*idle*'") == ""


def test_a_host_that_nobody_uses_powers_off_and_serves_when_it_is_started(watched):
    assert watched.shell("systemctl is-active idle-stop.timer").strip() == "active"
    for used in USED:  # each alone is enough to stay
        age(watched, USED)
        watched.shell(f"touch {used}; {LOOK}")
    age(watched, USED)
    assert classify(watched) == "delivery"
    watched.shell(LOOK)
    assert state(watched) == "running"

    age(watched, USED)
    watched.shell(f"{LOOK} --no-block")
    subprocess.run(["docker", "wait", watched.name], check=True, timeout=90)
    watched.power_on()
    age(watched, set(USED) - {"/run/idle-stop"})  # what was before the start is long ago
    watched.shell(LOOK)
    assert classify(watched) == "delivery"
    assert state(watched) == "running"

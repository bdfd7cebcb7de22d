"""What the Testinfra tests share. They know the host from outside: nothing here reads a role."""

import json
import shlex
from typing import NamedTuple

import pytest


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self):
        return json.loads(self.body)


@pytest.fixture
def ask(host):
    """Ask the site through Nginx, from the host itself: ask(path, *curl options) -> Answer."""

    def ask_site(path, *options):
        words = ["curl", "--silent", "--show-error", "--include", "--max-time", "20", *options]
        done = host.run(shlex.join([*words, f"http://127.0.0.1{path}"]))
        assert done.rc == 0, done.stderr
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        status, *lines = head.split("\n")
        headers = (line.split(": ", 1) for line in lines)
        return Answer(int(status.split()[1]), {name.lower(): text for name, text in headers}, body)

    return ask_site


@pytest.fixture
def live_slot(host):
    """The name of the slot that serves."""
    target = host.file("/opt/frontdesk/live").linked_to
    return target.rsplit("/", 1)[1]


@pytest.fixture
def inside(host):
    """Run a shell line as the classifier would: its user, its sandbox, its namespaces.

    A third instance of the unit, with nothing of it changed but what it starts.
    """
    folder = "/run/systemd/system/classifier@probe.service.d"

    def run(line):
        host.check_output(f"mkdir -p {folder}")
        override = [
            "[Unit]", "ConditionPathExists=",
            "[Service]", "Type=oneshot", "Restart=no", "WorkingDirectory=/", "EnvironmentFile=",
            "ExecStart=", f"ExecStart=/bin/sh -c {shlex.quote(line)}",
        ]  # fmt: skip
        host.check_output(f"printf '%s\\n' {shlex.join(override)} > {folder}/probe.conf")
        host.check_output("systemctl daemon-reload")
        since = host.check_output("date +%s.%N")
        host.run("systemctl start classifier@probe.service")
        return host.check_output(
            f"journalctl _SYSTEMD_UNIT=classifier@probe.service --since @{since} --output cat"
        )

    yield run
    host.check_output(f"rm -rf {folder}")
    host.check_output("systemctl stop classifier@probe.socket classifier@probe.service")
    host.run("systemctl reset-failed classifier@probe.service")
    host.check_output("systemctl daemon-reload")


@pytest.fixture
def live_service(host, live_slot):
    return host.service(f"classifier@{live_slot}.service")

"""What independent tools say of a deployed host, and an answer to each of their remarks."""

import re
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1800)]
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends"


@pytest.fixture(scope="module")
def waivers():
    return yaml.safe_load(Path(__file__).with_name("lynis_waivers.yml").read_text())


@pytest.fixture(scope="module")
def upgraded(host):
    """The host as SSH would reach it, after a night: its own security upgrades have run."""
    host.shell("apt-get --quiet --quiet update; unattended-upgrade")
    host.shell(f"{INSTALL} lynis ssh-audit >/dev/null 2>&1; ssh-keygen -A; systemctl start ssh")
    yield host
    host.shell("systemctl stop ssh; rm /etc/ssh/ssh_host_*")


def test_security_upgrades_leave_nothing_to_do(upgraded):
    assert "-security" not in upgraded.shell("apt list --upgradable 2>&1")


def test_lynis_gives_75_and_every_remark_has_an_answer(upgraded, waivers, root):
    left_out = [name for name, waiver in waivers.items() if not waiver.get("counts", True)]
    profile = "".join(f"skip-test={name}\\n" for name in left_out)
    upgraded.shell(
        f"printf '{profile}' > /etc/lynis/custom.prf; cd /tmp; "
        "lynis audit system --quick --no-colors > /tmp/lynis.txt 2>&1 || true"
    )
    report = upgraded.shell("cat /var/log/lynis-report.dat")
    (index,) = re.findall(r"^hardening_index=(\d+)", report, re.MULTILINE)
    remarks = re.findall(r"^(?:warning|suggestion)\[\]=([^|]+)\|([^|]*)", report, re.MULTILINE)
    note = root / "build/proof"
    note.mkdir(parents=True, exist_ok=True)
    (note / "lynis.txt").write_text(f"index {index}\n" + "\n".join(map(": ".join, remarks)) + "\n")
    assert [remark for remark in remarks if remark[0] not in waivers] == []
    assert int(index) >= 75


def test_every_waiver_says_why(waivers):
    assert [name for name, waiver in waivers.items() if len(waiver["why"]) < 20] == []


def test_ssh_audit_finds_no_failure(upgraded):
    found = upgraded.shell("ssh-audit --no-colors 127.0.0.1 || true")
    assert "(kex) sntrup761x25519-sha512@openssh.com" in found
    assert [line for line in found.splitlines() if "[fail]" in line] == []

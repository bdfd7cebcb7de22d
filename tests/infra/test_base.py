import re

import pytest


@pytest.mark.parametrize(
    "name", ["ca-certificates", "curl", "logrotate", "nginx-light", "python3-venv"]
)
def test_package_is_installed(host, name):
    assert host.package(name).is_installed


@pytest.mark.parametrize("name", ["gcc", "python3-pip", "apache2"])
def test_package_is_not_on_the_host(host, name):
    assert not host.package(name).is_installed


def test_every_unit_is_well(host):
    failed = host.run("systemctl list-units --failed --plain --no-legend")
    assert failed.stdout == "", failed.stdout


def test_only_the_web_server_and_a_wanted_ssh_listen(host):
    wanted = {"80"} | ({"22"} if host.service("ssh").is_enabled else set())
    lines = host.check_output("ss --no-header --listening --tcp --udp --numeric").splitlines()
    listeners = {tuple(line.split()[4].rsplit(":", 1)) for line in lines}
    assert {port for address, port in listeners if address != "127.0.0.1"} == wanted
    assert {port for address, port in listeners if address == "127.0.0.1"} == {"9180"}  # metrics


def test_the_application_listens_on_no_port(host):
    listeners = host.check_output("ss --no-header --listening --tcp --processes").splitlines()
    assert listeners
    assert not [line for line in listeners if "gunicorn" in line or "python" in line]


def test_logs_are_rotated(host):
    assert host.service("logrotate.timer").is_enabled
    assert host.file("/etc/logrotate.d/nginx").exists


def test_the_firewall_drops_what_this_host_does_not_serve(host):
    rules = host.check_output("nft list chain inet frontdesk input")
    assert "policy drop;" in rules
    opened = {
        port
        for line in re.findall(r"tcp dport (?:{ ([^}]+) }|(\d+)) accept", rules)
        for port in "".join(line).split(", ")
    }
    assert opened == {"80"} | ({"22"} if host.service("ssh").is_running else set())
    assert host.service("frontdesk-firewall").is_enabled


def test_sshd_lets_in_only_keys_and_offers_only_strong_algorithms(host):
    keys = host.run("ls /etc/ssh/ssh_host_*_key").stdout
    key = "" if keys else "-h /tmp/key-of-a-test"
    if key:
        host.check_output("rm -f /tmp/key-of-a-test*")
        host.check_output("ssh-keygen -q -t ed25519 -N '' -f /tmp/key-of-a-test")
    lines = host.check_output(f"mkdir -p /run/sshd; /usr/sbin/sshd -T {key}").splitlines()
    said = dict(line.split(" ", 1) for line in lines if " " in line)
    wanted = {
        "permitrootlogin": "no", "passwordauthentication": "no", "x11forwarding": "no",
        "kbdinteractiveauthentication": "no", "authenticationmethods": "publickey",
        "allowtcpforwarding": "no", "allowagentforwarding": "no", "maxauthtries": "3",
        "logingracetime": "30", "maxstartups": "10:30:60", "loglevel": "VERBOSE",
    }  # fmt: skip
    assert {name: said[name] for name in wanted} == wanted
    offered = [said[name] for name in ("kexalgorithms", "ciphers", "macs", "hostkeyalgorithms")]
    weak = re.compile(r"nistp|sha1|group1|cbc|3des|dss|ssh-rsa|hmac-(?!sha2-\d+-etm)|umac")
    assert [each for each in offered if weak.search(each)] == []


def test_security_upgrades_install_themselves_within_their_minutes(host):
    said = host.check_output("apt-config dump")
    origins = re.findall(r'^Unattended-Upgrade::Origins-Pattern:: "(.*)";', said, re.MULTILINE)
    assert len(origins) == 2
    assert all("-security" in origin for origin in origins)
    assert "Unattended-Upgrade::Allowed-Origins" not in said
    assert 'APT::Periodic::Unattended-Upgrade "1";' in said
    assert re.search(r'Automatic-Reboot-Time "0[34]:\d\d";', said)
    assert host.service("apt-daily-upgrade.timer").is_running


def test_the_journal_is_kept_within_bounds(host):
    said = host.check_output("systemd-analyze cat-config systemd/journald.conf")
    assert re.search(r"^SystemMaxUse=500M$", said, re.MULTILINE)


def test_the_kernel_is_told_how_to_behave(host):
    text = host.file("/etc/sysctl.d/60-frontdesk.conf").content_string
    wanted = dict(line.split(" = ") for line in text.splitlines() if " = " in line)
    assert wanted["kernel.kptr_restrict"] == "2"
    if host.run("systemd-detect-virt --container").rc:  # a container's kernel is its machine's
        assert {name: str(host.sysctl(name)) for name in wanted} == wanted


def test_what_no_host_of_this_kind_needs_is_not_loaded_and_nothing_is_left_of_a_crash(host):
    refused = host.file("/etc/modprobe.d/60-frontdesk.conf").content_string
    assert {"dccp", "sctp", "usb-storage"} <= set(
        re.findall(r"^install (\S+) /bin/true$", refused, re.M)
    )
    said = host.check_output("systemd-analyze cat-config systemd/coredump.conf")
    assert re.search("^Storage=none$", said, re.MULTILINE)
    assert host.check_output("su -s /bin/sh -c 'ulimit -H -c' www-data") == "0"

"""Who is let in: the rules, and whom they would shut out."""

import access
import pytest
from networks import not_networks

WANTED = {
    "ssh": True, "ssh_root": False, "ssh_users": [], "ssh_forwarding": False, "ssh_from": [],
    "firewall": True, "open_ports": [443, 80],
}  # fmt: skip


def rules(ports=(22,), **changes):
    text = access.firewall_rules(WANTED | changes, list(ports))
    return [line.strip() for line in text.splitlines() if "dport" in line]


def test_what_the_host_serves_is_open_and_the_rest_is_dropped():
    assert "tcp dport { 22 } accept" in rules()
    assert "tcp dport { 80, 443 } accept" in rules()
    assert "policy drop" in access.firewall_rules(WANTED, [22])


def test_a_host_without_sshd_opens_no_port_for_it():
    assert not [line for line in rules(ports=()) if " 22" in line]


def test_ssh_is_open_to_the_given_networks_only():
    opened = rules(ports=(22, 2222), ssh_from=["203.0.113.0/24", "2001:db8::/32"])
    assert "ip saddr 203.0.113.0/24 tcp dport { 22, 2222 } accept" in opened
    assert "ip6 saddr 2001:db8::/32 tcp dport { 22, 2222 } accept" in opened
    assert "tcp dport { 22, 2222 } accept" not in opened


@pytest.mark.parametrize(
    ("session", "changes", "named"),
    [
        (("root", "192.0.2.1", 22), {}, "access_ssh_root is false"),
        (("admin", "192.0.2.1", 22), {"ssh_users": ["deploy"]}, "access_ssh_users has no admin"),
        (("admin", "192.0.2.1", 22), {"ssh_from": ["203.0.113.0/24"]}, "does not hold 192.0.2.1"),
        (("admin", "2001:db8::1", 22), {"ssh_from": ["192.0.2.0/24"]}, "does not hold 2001:db8::1"),
    ],
)
def test_who_would_be_locked_out_is_told_by_which_variable(session, changes, named):
    assert named in access.lockout(WANTED | changes, session)


@pytest.mark.parametrize(
    ("session", "changes"),
    [
        (None, {"ssh_from": ["203.0.113.0/24"], "ssh_users": ["deploy"]}),  # it needs no SSH
        (("root", "192.0.2.1", 22), {"ssh_root": True}),
        (("root", "192.0.2.1", 22), {"ssh": False}),
        (("admin", "192.0.2.1", 22), {"ssh_from": ["192.0.2.0/24"], "ssh_users": ["admin"]}),
        (("admin", "::ffff:192.0.2.1", 22), {"ssh_from": ["192.0.2.0/24"]}),
        (("admin", "fe80::1%eth0", 22), {"ssh_from": ["fe80::/10"]}),
        (("admin", "127.0.0.1", 22), {"ssh_from": ["203.0.113.0/24"]}),  # a tunnel of an agent
    ],
)
def test_who_still_comes_in_is_not_refused(session, changes):
    assert access.lockout(WANTED | changes, session) == ""


def test_what_is_no_network_is_told():
    given = ["203.0.113.0/24", "2001:db8::/32", "192.0.2.7", "203.0.113.7/24", "home", "1.2.3.4/33"]
    assert not_networks(given) == ["203.0.113.7/24", "home", "1.2.3.4/33"]

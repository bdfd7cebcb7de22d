"""What was changed by hand on a host: a check names each change, one deploy repairs them."""

import re

import pytest
from hosts import changes

pytestmark = pytest.mark.timeout(900)
UNITS = "/etc/systemd/system"
APP = "/opt/frontdesk/live/release/app"
# What was done, and the pattern of the lines by which a check must name it
BY_HAND = {
    "a file: the page": (f"echo HACKED >> {APP}/web/index.html", "app/web/index.html"),
    "a file: the unit": (f"echo Nice=5 >> {UNITS}/classifier@.service", r"^-Nice=5$"),
    "a file: the settings": ("sed -i 's/\"keep\": 5/\"keep\": 1/' /etc/frontdesk/release.json",
                             '^-  "keep": 1'),
    "a file: Nginx": ("sed -i 's/server_tokens off/server_tokens on/' /etc/nginx/nginx.conf",
                      "^-    server_tokens on"),
    "a file: an override": (f"mkdir -p {UNITS}/classifier@.service.d; printf "
                            "'[Service]\\nPrivateNetwork=no\\n' > "
                            f"{UNITS}/classifier@.service.d/hand.conf", "classifier@.service.d"),
    "a unit: Nginx": ("systemctl stop nginx.service", r"^--- before: nginx.service$"),
    # With what would bring it back by itself
    "a unit: the socket that serves": ("systemctl stop classifier-sockets.path "
                                       "classifier@$(basename $(readlink "
                                       "/opt/frontdesk/live)).socket",
                                       r"^--- before: classifier@(blue|green).socket$"),
    "a file: who may come in": ("echo PermitRootLogin yes > "
                                "/etc/ssh/sshd_config.d/00-frontdesk.conf",
                                "^-PermitRootLogin yes"),
    "a file: the kernel": ("echo kernel.sysrq = 1 >> /etc/sysctl.d/60-frontdesk.conf",
                           "^-kernel.sysrq = 1"),
    "the firewall": ("nft flush ruleset", "The kernel does not hold the rules"),
    "a mode: the code": (f"chmod 666 {APP}/gunicorn.conf.py", "app/gunicorn.conf.py"),
    "a mode: the program": ("chmod 666 /usr/local/lib/frontdesk/release.pyz",
                            "^--- before: /usr/local/lib/frontdesk/release.pyz"),
    "a mode: a slot": ("chmod 777 /opt/frontdesk/slots/blue",
                       r"^--- before: /opt/frontdesk/slots/blue\n(.*\n){2}-    mode: '0777'$"),
    "a mode: a unit": (f"chmod 660 {UNITS}/classifier@.socket",
                       r"^--- before: .*/classifier@.socket\n(.*\n){2}-    mode: '0660'$"),
}  # fmt: skip


def test_changes_by_hand_are_named_by_a_check_and_repaired_by_one_deploy(host):
    for line, _ in BY_HAND.values():
        host.shell(line)
    named = host.play("deploy.yml", "--check", "--diff").stdout
    unnamed = [
        change for change, (_, pattern) in BY_HAND.items()
        if not re.search(pattern, named, re.MULTILINE)
    ]  # fmt: skip
    assert unnamed == []
    assert "Nginx does not lead" in host.play("status.yml").stdout

    host.play("deploy.yml")
    assert host.status()["warnings"] == []
    assert "HACKED" not in host.shell("curl --silent http://127.0.0.1/")
    assert host.shell("find /etc/systemd/system -name hand.conf") == ""
    assert "policy drop" in host.shell("nft list chain inet frontdesk input")
    assert changes(host.play("deploy.yml").stdout) == 0

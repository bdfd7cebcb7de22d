"""Forty things of a deployed host are broken, one by one: a check notices and names each of them.

Each is put right again by hand before the next, so that a check sees one at a time.
"""

import re
from dataclasses import dataclass

import pytest
from hosts import changes

pytestmark = [pytest.mark.prove, pytest.mark.timeout(3600)]
UNITS = "/etc/systemd/system"
RELEASE = "/opt/frontdesk/live/release"
KEPT = "/root/before"
NOTICED = 38


@dataclass
class Mutation:
    """What is done to the host, how it is undone, and what a check must say of it."""

    name: str
    do: str
    undo: str
    says: str


def edited(path, says=None, line="# by hand"):
    kept = f"cp --archive $(readlink -f {path}) {KEPT}"
    return Mutation(f"edited: {path}", f"{kept}; echo '{line}' >> {path}",
                    f"cp --archive {KEPT} $(readlink -f {path})", says or path)  # fmt: skip


def removed(path, says=None):
    return Mutation(f"removed: {path}", f"mv {path} {KEPT}", f"mv {KEPT} {path}", says or path)


def opened(path, says=None):
    mode = f"stat --dereference --format %a {path}"
    return Mutation(f"writable for all: {path}", f"{mode} > {KEPT}; chmod a+w {path}",
                    f"chmod $(cat {KEPT}) {path}", says or path)  # fmt: skip


def given_away(path):
    owner = f"stat --format %U:%G {path}"
    return Mutation(f"given away: {path}", f"{owner} > {KEPT}; chown nobody:nogroup {path}",
                    f"chown $(cat {KEPT}) {path}", path)  # fmt: skip


def stopped(unit, says=None):
    return Mutation(
        f"stopped: {unit}", f"systemctl stop {unit}", f"systemctl start {unit}", says or unit
    )


def disabled(unit, says=None):
    return Mutation(f"disabled: {unit}", f"systemctl --quiet disable {unit}",
                    f"systemctl --quiet enable {unit}", says or unit)  # fmt: skip


def added(path, says=None):
    folder = path.rsplit("/", 1)[0]
    hold = f"mkdir -p {folder}; printf '[Service]\\nNice=5\\n' > {path}"
    undo = f"rm {path}; rmdir --ignore-fail-on-non-empty {folder}"
    return Mutation(f"added: {path}", hold, undo, says or folder)


USER = r"classifier's user.*\n([-+@ ].*\n|\n)*changed:"
PROGRAM = r"Copy the release program.*\n(diff .*\n)*changed:"
NGINX = r"before: nginx\.service\n"
MUTATIONS = [
    *(edited(f"{UNITS}/{unit}") for unit in (
        "classifier@.service", "classifier@.socket", "classifier-warm.service",
        "classifier-sockets.path", "classifier-sockets.service", "nginx.service.d/override.conf",
        "frontdesk-firewall.service")),
    edited("/etc/nginx/nginx.conf"),
    edited("/etc/frontdesk/release.json"),
    edited("/etc/frontdesk/api_keys"),
    edited("/usr/local/lib/frontdesk/release.pyz", PROGRAM),
    edited("/etc/frontdesk-access/rules.nft"),
    edited("/etc/ssh/sshd_config.d/00-frontdesk.conf"),
    edited("/etc/apt/apt.conf.d/60frontdesk"),
    edited("/etc/systemd/journald.conf.d/60-frontdesk.conf"),
    edited("/etc/sysctl.d/60-frontdesk.conf"),
    edited(f"{RELEASE}/app/web/index.html", "app/web/index.html"),
    edited(f"{RELEASE}/app/classifier/serving/predict.py", "app/classifier/serving/predict.py"),
    edited(f"{RELEASE}/model/vocabulary.txt", "model/vocabulary.txt"),
    edited(f"{RELEASE}/model/bundle.json", "model/bundle.json"),
    edited(f"{RELEASE}/release.env", "release.env"),
    removed(f"{UNITS}/classifier@.service"),
    removed("/etc/frontdesk/api_keys"),
    removed(f"{UNITS}/nginx.service.d/override.conf"),
    removed(f"{RELEASE}/app/gunicorn.conf.py", "app/gunicorn.conf.py"),
    removed("/opt/frontdesk/slots/blue/http.sock"),
    removed("/etc/ssh/sshd_config.d/00-frontdesk.conf"),
    opened(f"{UNITS}/classifier@.service"),
    opened("/etc/frontdesk/api_keys"),
    opened("/opt/frontdesk/slots/green"),
    opened("/usr/local/lib/frontdesk/release.pyz"),
    opened(f"{RELEASE}/app/classifier/serving/routes.py", "app/classifier/serving/routes.py"),
    opened("/etc/ssh/sshd_config.d/00-frontdesk.conf"),
    given_away("/etc/nginx/nginx.conf"),
    stopped("nginx.service", NGINX),
    stopped("classifier-sockets.path"),
    disabled("nginx.service", NGINX),
    disabled("classifier-warm.service"),
    added(f"{UNITS}/classifier@.service.d/hand.conf"),
    added(f"{UNITS}/nginx.service.d/hand.conf", "nginx.service.d/hand.conf"),
    Mutation("the user may log in", "usermod --shell /bin/bash frontdesk",
             "usermod --shell /usr/sbin/nologin frontdesk", USER),
    Mutation("the firewall is gone", "nft delete table inet frontdesk",
             "systemctl restart frontdesk-firewall.service", "kernel does not hold the rules"),
]  # fmt: skip


def test_a_check_notices_what_was_broken_and_names_it(host):
    assert len(MUTATIONS) >= 40
    assert changes(host.play("deploy.yml", "--check", "--diff").stdout) == 0
    unnoticed = []
    for mutation in MUTATIONS:
        host.shell(mutation.do)
        done = host.play("deploy.yml", "--check", "--diff", check=False)
        host.shell(f"{mutation.undo}; rm --force {KEPT}")
        said = done.stdout + done.stderr
        found = changes(said) > 0 and re.search(mutation.says, said)
        print(f"{'noticed ' if found else 'UNNOTICED'} {mutation.name}", flush=True)
        unnoticed += [] if found else [mutation.name]
    assert changes(host.play("deploy.yml", "--check", "--diff").stdout) == 0
    assert len(MUTATIONS) - len(unnoticed) >= NOTICED * len(MUTATIONS) / 40, unnoticed

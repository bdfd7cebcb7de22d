"""Several hosts for tests, reached over SSH, so that one can be out of reach and serve on."""

import json
import subprocess
import time

from hosts import Host

HAND = "/etc/systemd/system/classifier@.service.d"
SSH = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"


class Fleet:
    """fleet.play(playbook, **variables), fleet.lives()."""

    def __init__(self, names, folder):
        self._folder, self._key = folder, folder / "key"
        self._inventory, self._log = folder / "inventory.json", folder / "play.log"
        self.hosts = [Host(name, self._inventory) for name in names]
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._key], check=True)
        public = self._key.with_suffix(".pub").read_bytes()
        for host in self.hosts:
            host.shell("install -d -m 0700 /root/.ssh; ssh-keygen -A; systemctl start ssh.service")
            host.send(public, "/root/.ssh/authorized_keys")

    def start(self, playbook, **variables):
        """Begin a play on all hosts; `end` waits for it."""
        hosts = {
            host.name: {
                "ansible_host": host.address, "ansible_user": "root",
                "ansible_ssh_private_key_file": str(self._key), "ansible_ssh_common_args": SSH,
            }
            for host in self.hosts
        }  # fmt: skip
        self._inventory.write_text(json.dumps({"all": {"children": {"app": {"hosts": hosts}}}}))
        host = self.hosts[0]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                host.command(playbook, **variables), stdout=log, stderr=log, **host.surroundings
            )

    def end(self, play):
        """(exit code, output) of a play, once it is over."""
        return play.wait(timeout=900), self._log.read_text()

    def play(self, playbook, **variables):
        """(exit code, output) of a play on all hosts."""
        return self.end(self.start(playbook, **variables))

    def lives(self):
        """The release that each host serves, by name."""
        return {host.name: live(host) for host in self.hosts}


def live(host):
    return host.shell("basename $(readlink /opt/frontdesk/live/release)").strip()


def wait_for_a_move(host, before, play):
    """Return as soon as the host serves another release than before, or the play is over."""
    moved = f"{host.name} did not move from {before}"
    _wait(lambda: play.poll() is not None or live(host) != before, 600, moved)


def wait_for_a_return(host, to, seconds):
    _wait(lambda: live(host) == to, seconds, f"{host.name} did not return to {to}")


def _wait(condition, seconds, complaint):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{complaint} within {seconds} s")
        time.sleep(0.1)


def let_no_candidate_start(host):
    """What runs runs on; `let_candidates_start` undoes it."""
    host.shell(f"mkdir -p {HAND}; printf '[Service]\\nExecStartPre=/bin/false\\n' > {HAND}/a.conf; "
               "systemctl daemon-reload")  # fmt: skip


def let_candidates_start(host):
    host.shell(f"rm -r {HAND}; systemctl daemon-reload")


def cut_off(host):
    """Let nobody in over SSH, and end who is in; what runs runs on."""
    host.shell("systemctl stop ssh.service; pkill -9 sshd || true")


def let_in(host):
    host.shell("systemctl start ssh.service")


def take_down(host):
    """Out of reach for all: no new connection is taken, those that are there are answered."""
    host.shell("systemctl stop nginx.service")
    cut_off(host)


def bring_up(host):
    host.shell("systemctl start nginx.service")
    let_in(host)

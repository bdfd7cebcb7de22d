"""A host for tests: a container of this machine's Docker Engine, deployed as any other host."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"
PROGRAM = ["python3", "/usr/local/lib/frontdesk/release.pyz"]


def write_inventory(path, name, **variables):
    """An inventory of one Docker host that plays may make, deploy to, and remove."""
    variables = {
        "ansible_connection": "community.docker.docker",
        "ansible_user": "root",
    } | variables
    children = {"app": {"children": {"docker_hosts": {"hosts": {name: variables}}}}}
    path.write_text(json.dumps({"all": {"children": children}}))
    return path


def remove_leftover(name):
    """Remove what a run that was cut off left under this name: a container keeps its ports."""
    _run(["docker", "rm", "--force", "--volumes", name], check=False)  # there may be none


def changes(said):
    """How many tasks changed something on all hosts together, as the recap of a play tells it."""
    counts = re.findall(r"^\S+ +: ok=\d+ +changed=(\d+) ", said, re.MULTILINE)
    assert counts, said
    return sum(map(int, counts))


class Host:
    """host.play(playbook, **variables), host.shell(line), host.address, host.status()."""

    def __init__(self, name, inventory, **variables):
        self.name, self.inventory, self._variables = name, inventory, variables

    def with_inventory(self, inventory):
        """The same host as another inventory has it."""
        return Host(self.name, inventory, **self._variables)

    def command(self, playbook, *options, **variables):
        """The words of an ansible-playbook call on this host."""
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        given = json.dumps(self._variables | variables)
        return [program, "--inventory", str(self.inventory), playbook, *options,
                "--extra-vars", given]  # fmt: skip

    @property
    def surroundings(self):
        """What a process that runs such a call is started with."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "NO_COLOR": "1", "PATH": path}
        return {"cwd": ANSIBLE, "env": environment, "stdin": subprocess.DEVNULL}

    def play(self, playbook, *options, check=True, **variables):
        return _run(self.command(playbook, *options, **variables), check, **self.surroundings)

    def restart(self):
        """Take the power from the host, and give it back; return when it runs again."""
        _run(["docker", "kill", self.name])
        self.power_on()

    def power_on(self):
        """Start the host; return when it runs."""
        _run(["docker", "start", self.name])
        words = ["docker", "exec", self.name, "systemctl", "is-system-running", "--wait"]
        deadline = time.monotonic() + 60
        while (said := _run(words, check=False).stdout.strip()) not in ("running", "degraded"):
            assert time.monotonic() < deadline, said  # in its first moments systemd has no bus
            time.sleep(0.1)

    def shell(self, line):
        return _run(["docker", "exec", self.name, "sh", "-ec", line]).stdout

    def weak_points(self):
        """What gixy finds in the whole configuration that Nginx runs with, as it prints it."""
        dump = _run(["docker", "exec", self.name, "nginx", "-T"]).stdout
        program = str(Path(sys.executable).with_name("gixy"))
        done = subprocess.run(
            [program, "-"], input=dump, capture_output=True, text=True, check=False, timeout=60
        )
        assert "Total issues" in done.stdout, done.stderr
        return done.stdout if done.returncode else ""

    def status(self):
        return json.loads(_run(["docker", "exec", self.name, *PROGRAM, "status", "--json"]).stdout)

    def send(self, data, path):
        """Write bytes to a file of the host."""
        line = f"umask 077; cat > {path}"
        words = ["docker", "exec", "--interactive", self.name, "sh", "-ec", line]
        subprocess.run(words, input=data, check=True, timeout=60)

    def release_model(self, digest):
        """Have the host release what lies under this digest, with env and app of today."""
        path = "/opt/frontdesk/live/release/release.json"
        parts = json.loads(self.shell(f"cat {path}"))["parts"] | {"model": digest}
        words = ["deploy", "--id=by-hand", *(f"--{part}={value}" for part, value in parts.items())]
        done = _run(["docker", "exec", self.name, *PROGRAM, *words], check=False)
        return json.loads(done.stdout)

    @property
    def address(self):
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return _run(["docker", "inspect", "--format", form, self.name]).stdout.strip()


def _run(words, check=True, **options):
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=900, **options
    )
    if check:
        assert done.returncode == 0, f"{words}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done

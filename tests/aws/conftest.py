"""One test cloud for all tests here; each test begins with an empty account."""

import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from lifecycle import account, waiting
from lifecycle.command import main
from testcloud.server import Cloud

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"
SSH_CIDR = "203.0.113.7/32"


@pytest.fixture(scope="session")
def running_cloud():
    made = Cloud()
    yield made
    made.close()


@pytest.fixture
def cloud(running_cloud, monkeypatch):
    running_cloud.reset()
    for name, value in running_cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    yield running_cloud
    running_cloud.reset()


@pytest.fixture
def client(cloud):
    return cloud.client("ec2")


class Playbook:
    """Runs provision.yml against the test cloud, from an inventory and a key folder of its own."""

    def __init__(self, cloud, folder):
        self.cloud, self.folder, self.process = cloud, folder, None
        self.inventory = folder / "inventory"
        shutil.copytree(ANSIBLE / "inventory/ec2", self.inventory)
        (folder / "keys").mkdir()

    def __call__(self, *options, playbook="provision.yml", skip="reach", check=True,
                 ssh_cidr=SSH_CIDR, environment=(), **settings):  # fmt: skip
        """The finished process; the test cloud has no hosts to reach, so nothing waits for them.

        Names in `environment` are set beside those of the test cloud, or unset with None.
        """
        given = {"ec2_instance_key_dir": self.folder / "keys", "ec2_instance_ssh_cidr": ssh_cidr,
                 "release_diagnostics_dir": self.folder / "failed"}  # fmt: skip
        given |= {f"ec2_instance_{name}": value for name, value in settings.items()}
        words = ["ansible-playbook", playbook, "--inventory", self.inventory,
                 "--skip-tags", skip, *options]  # fmt: skip
        words += [w for k, v in given.items() if v is not None for w in ("-e", f"{k}={v}")]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        surroundings = {**os.environ, **self.cloud.environment, "PATH": path, "NO_COLOR": "1",
                        **dict(environment)}  # fmt: skip
        self.process = subprocess.Popen(
            [str(word) for word in words], cwd=ANSIBLE, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={name: value for name, value in surroundings.items() if value is not None},
        )  # fmt: skip
        out, _ = self.process.communicate(timeout=300)
        done = subprocess.CompletedProcess(words, self.process.returncode, out)
        if check:
            assert done.returncode == 0, out[-6000:]
        return done

    def kill(self):
        """At once, with all that it started: its workers have sessions of their own."""
        for pid in reversed(_family(self.process.pid)):
            os.kill(pid, signal.SIGKILL)


def _family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


@pytest.fixture
def provision(cloud, tmp_path):
    return Playbook(cloud, tmp_path)


@pytest.fixture(scope="session")
def clients():
    """Made once: making a client takes longer than any call here."""
    return {}


@pytest.fixture
def impatience(monkeypatch, clients):
    """The same attempts with a tenth of the time: what is bounded here is bounded there."""
    patience = account.PATIENCE.merge(account.Config(read_timeout=0.5, connect_timeout=0.5))
    monkeypatch.setattr(account, "PATIENCE", patience)
    clients.clear()  # those that are patient
    yield
    clients.clear()


@pytest.fixture
def ec2(cloud, tmp_path, monkeypatch, capsys, clients):
    """Runs a verb of scripts/ec2.py in this process: (exit code, stdout, stderr)."""
    inventory = tmp_path / "stacks"
    shutil.copytree(ANSIBLE / "inventory/ec2", inventory)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.02)
    make = boto3.session.Session.client

    def client(self, service, **options):
        key = (service, self.region_name)
        return clients.get(key) or clients.setdefault(key, make(self, service, **options))

    monkeypatch.setattr(boto3.session.Session, "client", client)

    def run(verb, *words, typed=None, interrupt_after=None):
        keyboard = io.StringIO(typed or "")
        keyboard.isatty = lambda: typed is not None
        monkeypatch.setattr(sys, "stdin", keyboard)
        begun = len(cloud.calls)

        def interrupt(_):
            if interrupt_after and len(cloud.calls) - begun == interrupt_after:
                signal.raise_signal(signal.SIGINT)

        cloud.on_call = interrupt
        # Whoever runs the tests in the background has them ignore it
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            code = main([verb, "--inventory", str(inventory), *words])
        finally:
            signal.signal(signal.SIGINT, before)
            cloud.on_call = None
        return code, *capsys.readouterr()

    run.inventory = inventory
    return run

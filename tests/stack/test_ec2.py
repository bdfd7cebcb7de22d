"""A stack on EC2 through its whole life: hosts that are real, in a cloud that is not AWS."""

import json
import re
import shutil
import time
import urllib.request

import pytest
from hosts import ANSIBLE, Host, remove_leftover, write_inventory
from seeding import everything
from testcloud.corrections import Below
from testcloud.machines import Machines, docker
from testcloud.server import Cloud

BASE = "frontdesk-testcloud-base"


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    remove_leftover(BASE)
    written = write_inventory(tmp_path_factory.mktemp("base") / "inventory.yml", BASE)
    host = Host(BASE, written)
    host.play("provision.yml")
    image = docker("inspect", "--format", "{{.Image}}", BASE)
    host.play("remove.yml")
    yield Machines(image)
    Machines.remove_all()


@pytest.fixture(scope="module")
def cloud(machines):
    made = Cloud()
    made.reset()
    Below.machines = machines
    yield made
    Below.machines = None
    made.close()


class Stack:
    """Plays and verbs on the host `main` of an inventory of its own, announced with their times."""

    def __init__(self, run, root, cloud, folder, bundle):
        self._run, self._root, self.key = run, root, folder / "frontdesk-main"
        self._inventory = folder / "inventory"
        shutil.copytree(ANSIBLE / "inventory/ec2", self._inventory)
        (folder / "bin").mkdir()
        ssh = folder / "bin/ssh"  # hosts of a test are not for the user's own known_hosts
        options = f"-o UserKnownHostsFile={folder / 'known_hosts'}"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
        ssh.chmod(0o755)
        self._host = Host("main", self._inventory, ec2_instance_key_dir=str(folder),
                          ec2_instance_ssh_cidr="198.18.255.254/32",
                          release_bundle_dir=str(bundle))  # fmt: skip
        path = self._host.surroundings["env"]["PATH"]
        self._environment = cloud.environment | {
            "PATH": f"{folder / 'bin'}:{path}", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp")
        }  # fmt: skip

    def play(self, what, playbook, *options, **variables):
        """The play's tasks that changed something."""
        words = self._host.command(playbook, *options, **variables)
        done = self._run.long(what, *words, folder=ANSIBLE, timeout=900, **self._environment)
        return sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))

    def verb(self, *words):
        """What a verb says as data."""
        done = self._run.long(
            " ".join(words), "python", self._root / "scripts/ec2.py", *words, "--json",
            "--inventory", self._inventory, timeout=300, **self._environment,
        )  # fmt: skip
        return json.loads(done.stdout)

    def smoke(self, bundle):
        """What the run that is meant for AWS says as data, and as talk."""
        done = self._run.long(
            "EC2: the smoke run", "python", self._root / "scripts/ec2.py", "smoke", "--yes",
            "--json", "--ssh-cidr", "198.18.255.254/32", "--bundle", bundle, timeout=900,
            **self._environment,
        )  # fmt: skip
        return json.loads(done.stdout), done.stderr

    def shell(self, line):
        done = self._run("python", self._root / "scripts/ec2.py", "ssh", "--inventory",
                         self._inventory, "--key", self.key, "--", line,
                         **self._environment)  # fmt: skip
        return done.stdout


def classify(address, seconds=30):
    """The answer, as soon as there is one: a host that was just started is still coming up."""
    data = json.dumps({"text": "where is my parcel?"}).encode()
    request = urllib.request.Request(
        f"http://{address}/v1/classify", data, {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - HTTP
                return json.load(answer)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.fixture
def stack(run, root, cloud, tmp_path, sample_bundle):
    return Stack(run, root, cloud, tmp_path, sample_bundle)


def test_a_stack_lives_from_nothing_to_nothing(cloud, machines, stack):
    before = everything(cloud)
    stack.play("EC2: from nothing to serving", "deploy.yml")
    (made,) = stack.verb("status")
    first = classify(made["address"])
    assert machines.killed_for_memory(made["instance"]) == 0
    assert first["release_id"] == made["release"]
    assert stack.shell("hostname").strip() == made["instance"]

    stack.verb("stop")
    started = stack.verb("start")
    assert started["address"] != made["address"]
    assert classify(started["address"])["results"] == first["results"]
    assert stack.play("EC2: deploying again, at another address", "deploy.yml") == 0

    assert stack.verb("resize", "t3.small")["was"] == "t3.nano"
    (resized,) = stack.verb("status")
    assert resized["type"] == "t3.small"
    assert classify(resized["address"])["release_id"] == made["release"]

    image = stack.verb("image", "--pin", "--yes")["image"]
    cloud.client("ec2").terminate_instances(InstanceIds=[made["instance"]])
    stack.play("EC2: provisioning from the image", "provision.yml")
    (again,) = stack.verb("status")
    assert again["instance"] != made["instance"]
    assert cloud.ec2.get_instance(again["instance"]).image_id == image
    assert classify(again["address"])["release_id"] == made["release"]

    rows = stack.verb("teardown", "--yes")
    assert {row["result"] for row in rows} == {"removed"}
    assert everything(cloud) == before
    assert Machines.names() == []
    assert machines.failures == []


@pytest.mark.prove
def test_an_instance_that_nobody_uses_stops_itself(cloud, machines, stack):
    stack.play("EC2: from nothing to a host", "provision.yml")
    stack.play("EC2: its idle stop", "configure.yml", "--tags", "idle_stop",
               idle_stop_minutes=1)  # fmt: skip
    (made,) = stack.verb("status")
    deadline = time.monotonic() + 300  # the timer looks every minute
    while stack.verb("status")[0]["state"] == "running" and time.monotonic() < deadline:
        time.sleep(5)
    (ended,) = stack.verb("status")
    assert (ended["instance"], ended["state"]) == (made["instance"], "stopped")
    stack.verb("teardown", "--yes")
    assert Machines.names() == []
    assert machines.failures == []


@pytest.mark.prove
def test_the_smoke_run_goes_from_nothing_to_nothing(cloud, machines, stack, sample_bundle):
    before = everything(cloud)
    done, talk = stack.smoke(sample_bundle)
    assert done["of"] == f"NOT AWS, but {cloud.url}"
    assert done["label"] == "delivery"
    assert (done["left"], done["removed"]) == (0, 6)
    assert f"A separate look finds nothing left of {done['stack']}" in talk
    assert everything(cloud) == before
    assert Machines.names() == []

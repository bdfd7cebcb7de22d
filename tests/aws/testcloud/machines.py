"""Machines below the instances: systemd containers with sshd and cloud-init on their own network.

What they are not: no metadata service, no security groups, no kernel of their own, no volumes.
"""

import io
import json
import subprocess
import tarfile
import threading
from pathlib import Path

LABEL = "org.frontdesk.testcloud"
NETWORK = "frontdesk-testcloud"
REPOSITORY = "frontdesk/testcloud"
# Addresses of the range for tests (RFC 2544): public ones from the start of it, Docker's own apart
SUBNET, PRIVATE, GATEWAY = "198.18.0.0/16", "198.18.254.0/24", "198.18.255.254"
# Memory by size in MB, and what of it a kernel and AWS's own services would take
MEMORY = {"nano": 512, "micro": 1024, "small": 2048, "medium": 4096}
KERNEL = 112


def docker(*words, check=True, **options):
    done = subprocess.run(
        ["docker", *words], capture_output=True, check=False, timeout=300, **options
    )
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.decode().strip()}")
    return done.stdout.decode().strip()


class Machines:
    """One machine for each instance; `base` is the image of a Docker host to build theirs from."""

    def __init__(self, base):
        self.failures = []
        self._one_at_a_time = threading.Lock()
        self.remove_all()
        docker("build", "--network", "host", "--build-arg", f"BASE={base}", "--tag",
               f"{REPOSITORY}:base", str(Path(__file__).with_name("image")))  # fmt: skip
        docker("network", "create", "--subnet", SUBNET, "--ip-range", PRIVATE, "--gateway", GATEWAY,
               "--label", LABEL, NETWORK)  # fmt: skip
        cgroups = docker("info", "--format", "{{.CgroupVersion}}")
        self._cgroup_mode = "rw" if cgroups == "2" else "ro"

    @staticmethod
    def remove_all():
        """Machines, their images and their network, also those that a cut-off run left."""
        for container in docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}").split():
            docker("rm", "--force", "--volumes", container)
        for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).split():
            if not image.endswith(":base"):  # kept as a cache, as those of the Docker hosts are
                docker("rmi", "--force", image)
        for network in docker("network", "ls", "--quiet", "--filter", f"label={LABEL}").split():
            docker("network", "rm", network)

    @staticmethod
    def names():
        return docker("ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}").split()

    def bring(self, instance, state):
        """Let the machine be as the instance is to be; False where it can't."""
        work = {"running": self._start, "stopped": self._stop, "terminated": self._remove}[state]
        return self._try(work, instance)

    def restart(self, instance):
        def work(instance):
            docker("restart", _name(instance.id))
            self._give_address(instance)

        return self._try(work, instance)

    def save(self, instance_id, image_id):
        return self._try(docker, "commit", _name(instance_id), f"{REPOSITORY}:{image_id}")

    def _try(self, work, *arguments):
        """Whether it worked; what waits for it must not hang, so a failure is noted and told."""
        try:
            with self._one_at_a_time:
                work(*arguments)
        except (RuntimeError, subprocess.TimeoutExpired, KeyError) as error:
            self.failures.append(str(error))
            return False
        return True

    @staticmethod
    def killed_for_memory(instance_id):
        """How many processes the machine's kernel ended since its memory was all used."""
        events = "cat /sys/fs/cgroup/memory.events || cat /sys/fs/cgroup/memory/memory.oom_control"
        told = docker("exec", _name(instance_id), "sh", "-c", events)
        return int(dict(line.split() for line in told.splitlines())["oom_kill"])

    @staticmethod
    def wait_for_end(instance):
        """Return when the machine has stopped, whoever stopped it."""
        subprocess.run(["docker", "wait", _name(instance.id)], capture_output=True, check=False)

    @staticmethod
    def forget(image_id):
        docker("rmi", f"{REPOSITORY}:{image_id}", check=False)  # public ones were never saved

    def _start(self, instance):
        name = _name(instance.id)
        if name not in self.names():
            self._make(instance)
        memory = f"{MEMORY[instance.instance_type.split('.')[1]] - KERNEL}m"
        docker("update", "--memory", memory, "--memory-swap", memory, name)
        docker("start", name)
        self._give_address(instance)

    @staticmethod
    def _give_address(instance):
        """A machine's public address lives as long as it runs, as its network does."""
        address = f"{instance.nics[0].public_ip}/32"
        docker("exec", _name(instance.id), "ip", "addr", "add", address, "dev", "eth0")

    def _make(self, instance):
        tag = f"{REPOSITORY}:{instance.image_id}"
        image = tag if docker("images", "--quiet", tag) else f"{REPOSITORY}:base"
        cgroups = f"/sys/fs/cgroup:/sys/fs/cgroup:{self._cgroup_mode}"
        docker("create", "--name", _name(instance.id), "--hostname", instance.id, "--label", LABEL,
               "--network", NETWORK, "--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN",
               "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
               "--cgroupns", "host", "--volume", cgroups, "--tmpfs", "/run", "--tmpfs", "/run/lock",
               "--tmpfs", "/tmp:exec", image)  # fmt: skip
        docker("cp", "-", f"{_name(instance.id)}:/", input=_seed(instance))

    @staticmethod
    def _stop(instance):
        docker("stop", "--time", "30", _name(instance.id))

    @staticmethod
    def _remove(instance):
        # It may never have run
        docker("rm", "--force", "--volumes", _name(instance.id), check=False)


def _name(instance_id):
    return f"{NETWORK}-{instance_id}"


def _seed(instance):
    """What cloud-init reads at the first boot, as an archive; a new id makes any boot the first."""
    key = instance.ec2_backend.key_pairs[instance.key_name].material_public.decode()
    given = instance.user_data.decode() if instance.user_data else ""
    files = {"meta-data": json.dumps({"instance-id": instance.id, "local-hostname": instance.id,
                                      "public-keys": [key.strip()]}),
             "user-data": given}  # fmt: skip
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"var/lib/cloud/seed/nocloud/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()

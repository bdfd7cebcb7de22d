"""Remove everything that `make up` made outside the checkout, and say what was removed."""

import shutil
import subprocess
import sys

from machine import (
    LABEL,
    MachineError,
    as_root,
    docker_answer,
    ensure_docker,
    noted,
    remove_packages,
    say,
    stop_docker,
)  # fmt: skip


def docker(*arguments: str) -> list[str]:
    """The lines that a docker command prints; MachineError with its complaint."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"`docker {' '.join(arguments[:2])}` failed: {done.stderr.strip()}")
    return done.stdout.split()


def remove_hosts() -> None:
    """Remove the containers that carry our label, and our images."""
    for container in docker("ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}"):
        say(f"Removing the container {container}")
        docker("rm", "--force", "--volumes", container)
    images = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "frontdesk/*")
    for image in sorted(images, reverse=True):  # host images before the base below them
        say(f"Removing the image {image}")
        docker("rmi", image)


def remove_engine() -> None:
    """Stop the engine that was started here; remove it if it was installed here and is unused."""
    installed_here = "docker.io" in noted()["packages"]
    foreign = docker("ps", "--all", "--quiet") + docker("images", "--quiet")
    if foreign:
        say(f"The Docker Engine stays: it holds {len(foreign)} containers and images of others")
        return
    if noted()["dockerd"]:
        say("Stopping the Docker Engine that was started here")
        stop_docker()
    if installed_here:
        remove_packages()
        for folder in ("/var/lib/docker", "/var/lib/containerd"):
            subprocess.run(as_root(["rm", "-rf", folder]), check=True)


def main() -> int:
    try:
        if noted()["packages"] or noted()["dockerd"]:
            ensure_docker()  # what it holds can be found and removed only while it runs
        if shutil.which("docker"):
            if complaint := docker_answer():
                raise MachineError(
                    f"Docker does not answer ({complaint}), so nobody can tell whether a host is "
                    "left in it. Start it, and repeat."
                )
            remove_hosts()
            remove_engine()
    except MachineError as error:
        say(str(error))
        return 1
    say("Nothing of Frontdesk is left outside this folder. The folder itself is yours to remove.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

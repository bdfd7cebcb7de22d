"""A host of one's own: real SSH with a key, a user with sudo, and nothing but an inventory file."""

import json
import subprocess

import pytest
from hosts import remove_leftover

NAME = "frontdesk-own-host"


def in_container(*words):
    done = subprocess.run(
        ["docker", "exec", NAME, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def own_host(run, root, inventory, tmp_path):
    """The address of a Debian machine on which sshd and the user admin wait, and its key."""
    remove_leftover(NAME)
    made = inventory("docker_hosts", NAME, docker_host_debian_release="bookworm")
    ansible = root / "ansible"
    run.long("making a host of one's own", "ansible-playbook", "--inventory", made, "provision.yml",
             folder=ansible)  # fmt: skip
    key = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    public = key.with_suffix(".pub").read_text().strip()
    in_container("sh", "-ec", f"""
        useradd --create-home --shell /bin/bash admin
        echo 'admin ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/admin
        install -d -m 0700 -o admin -g admin /home/admin/.ssh
        echo '{public}' > /home/admin/.ssh/authorized_keys
        chown admin:admin /home/admin/.ssh/authorized_keys
        ssh-keygen -A
        systemctl enable --now ssh.service
    """)  # fmt: skip
    address = in_container("hostname", "-I").split()[0]
    known = tmp_path / "known_hosts"
    known.write_text(f"{address} {in_container('cat', '/etc/ssh/ssh_host_ed25519_key.pub')}\n")
    yield {"ansible_host": address, "ansible_user": "admin",
           "ansible_ssh_private_key_file": str(key),
           "ansible_ssh_common_args": f"-o UserKnownHostsFile={known}"}  # fmt: skip
    run(
        "ansible-playbook",
        "--inventory",
        inventory("docker_hosts", NAME),
        "remove.yml",
        folder=ansible,
    )


@pytest.mark.timeout(900)
def test_a_host_of_ones_own_is_deployed_over_ssh(run, root, own_host, inventory, sample_bundle):
    written = inventory("app", "own", **own_host)
    words = ["ansible-playbook", "--inventory", written, "deploy.yml",
             "--extra-vars", f"release_bundle_dir={sample_bundle}"]  # fmt: skip
    run.long("deploying to it over SSH", *words, folder=root / "ansible", timeout=600)

    again = run.long("deploying once more", *words, folder=root / "ansible")
    assert "changed=0 " in again.stdout

    url = f"http://{own_host['ansible_host']}/v1/classify"
    question = json.dumps({"text": "I want to send the kettle back and get my money back"})
    asked = run("curl", "--silent", "--fail", url, "--json", question)
    assert json.loads(asked.stdout)["results"][0]["label"] == "returns"

    run.long(
        "verifying it over SSH", "pytest", "-q", "--rootdir", root, root / "tests/infra",
        "--ansible-inventory", written, "--hosts", "ansible://own", "--sudo",
    )  # fmt: skip

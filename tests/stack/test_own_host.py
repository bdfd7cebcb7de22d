"""A host of one's own: real SSH with a key, a user with sudo, and nothing but an inventory file."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from hosts import changes, remove_leftover

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
    assert changes(again.stdout) == 0

    url = f"http://{own_host['ansible_host']}/v1/classify"
    question = json.dumps({"text": "I want to send the kettle back and get my money back"})
    asked = run("curl", "--silent", "--fail", url, "--json", question)
    assert json.loads(asked.stdout)["results"][0]["label"] == "returns"

    run.long(
        "verifying it over SSH", "pytest", "-q", "--rootdir", root, root / "tests/infra",
        "--ansible-inventory", written, "--hosts", "ansible://own", "--sudo",
        "-k", "not test_controls or sshd",  # what SSH makes no difference to, Molecule looks at
    )  # fmt: skip

    nobody_is_locked_out(run, root, own_host, inventory)


def nobody_is_locked_out(run, root, own_host, inventory):
    """Settings that would shut out who deploys are refused, or taken back."""
    drop_in = "/etc/ssh/sshd_config.d/00-frontdesk.conf"
    written = inventory("app", "own", **own_host)
    played = ["ansible-playbook", "--inventory", written]
    before = in_container("cat", drop_in), in_container("nft", "list", "ruleset")

    def holds_what_it_held():
        return (in_container("cat", drop_in), in_container("nft", "list", "ruleset")) == before

    refused = {"access_ssh_from": ["203.0.113.0/24"]}, {"access_ssh_users": ["deploy"]}
    for settings in refused:
        done = run(*played, "access.yml", "-e", json.dumps(settings), folder=root / "ansible",
                   check=False)  # fmt: skip
        assert done.returncode != 0
        assert f"You would be locked out: {next(iter(settings))}" in done.stdout + done.stderr
        assert holds_what_it_held()

    # A client that takes no other host key than those that the settings do away with
    in_container("rm", drop_in)
    in_container("systemctl", "reload", "ssh.service")
    bare = in_container("nft", "list", "ruleset")
    old = own_host["ansible_ssh_common_args"] + " -o HostKeyAlgorithms=ecdsa-sha2-nistp256"
    known = Path(old.split()[1].removeprefix("UserKnownHostsFile="))
    ecdsa = in_container("cat", "/etc/ssh/ssh_host_ecdsa_key.pub")
    known.write_text(known.read_text() + f"{own_host['ansible_host']} {ecdsa}\n")
    written = inventory("app", "own", **own_host | {"ansible_ssh_common_args": old})
    done = run(*played, "configure.yml", "--tags", "access", folder=root / "ansible", check=False)
    assert done.returncode != 0
    assert "what was before is back" in " ".join(done.stdout.split())
    assert in_container("sh", "-c", f"ls {drop_in} 2>&1 || true").endswith(
        "No such file or directory"
    )
    assert in_container("nft", "list", "ruleset") == bare

    # Whoever is cut off before the proof leaves the host to itself
    files = root / "ansible/roles/access/files"
    settings = {
        "ssh": True, "ssh_root": False, "ssh_users": [], "ssh_forwarding": False, "ssh_from": [],
        "firewall": True, "open_ports": [81], "proof_seconds": 3,
        "firewall_unit": (files / "frontdesk-firewall.service").read_text(),
        "revert_unit": (files / "frontdesk-access-revert.service").read_text(),
        "revert_program": (files / "revert.sh").read_text(),
    }  # fmt: skip
    run("ansible", "all", "--inventory", written, "--become", "--module-path",
        root / "ansible/roles/access/library", "--module-name", "access",
        "--args", json.dumps(settings), folder=root / "ansible")  # fmt: skip
    assert "tcp dport 81 accept" in in_container("nft", "list", "ruleset")
    deadline = time.monotonic() + 15
    while in_container("nft", "list", "ruleset") != bare:
        assert time.monotonic() < deadline, "the host keeps what nobody has proved"
        time.sleep(0.2)
    assert in_container("sh", "-c", f"ls {drop_in} 2>&1 || true").endswith(
        "No such file or directory"
    )

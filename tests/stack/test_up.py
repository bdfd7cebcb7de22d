"""`make up`, from texts to a URL that classifies, and what a second one leaves alone."""

import json
import socket
import sys

import pytest
from hosts import changes, remove_leftover

NAME = "frontdesk-up"


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def up(run, root, inventory, sample_bundle):
    """up(port, *options): scripts/up.py on a host of its own, which is removed at the end."""
    remove_leftover(NAME)
    written = inventory("docker_hosts", NAME, ansible_connection="community.docker.docker",
                        ansible_user="root")  # fmt: skip

    def call(port, *options, **more):
        return run(sys.executable, "scripts/up.py", "--port", port, "--inventory", written,
                   "--host", NAME, "--bundle", sample_bundle, *options,
                   timeout=600, **more)  # fmt: skip

    yield call
    run("ansible-playbook", "--inventory", written, "remove.yml", folder=root / "ansible")


@pytest.mark.timeout(900)
def test_up_prints_a_url_that_classifies_and_a_second_up_changes_nothing(run, up, free_port):
    first = up(free_port)
    url = first.stdout.splitlines()[-1]
    assert url == f"http://127.0.0.1:{free_port}"
    for line in ("asked ", "answered ", "accuracy ", "took ", "next "):
        assert f"\n{line}" in first.stdout
    asked = run(
        "curl",
        "--silent",
        "--fail",
        f"{url}/v1/classify",
        "--json",
        '{"text": "where is my parcel?"}',
    )
    assert json.loads(asked.stdout)["results"][0]["label"] == "delivery"

    second = up(free_port)
    assert changes(second.stderr) == 0
    assert second.stdout.splitlines()[-1] == url

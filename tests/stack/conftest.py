"""What the tests on real hosts share: a Docker Engine, hosts and inventories."""

import json

import machine
import pytest
import versions
from hosts import Host, remove_leftover, write_inventory


@pytest.fixture(scope="session", autouse=True)
def docker_engine():
    complaint = machine.docker_answer()
    assert complaint is None, f"No Docker Engine answers ({complaint}). Use: make test"


@pytest.fixture(scope="session")
def host(sample_bundle, tmp_path_factory):
    """A deployed host that all tests of releases share; each leaves it serving."""
    name = "frontdesk-release"
    remove_leftover(name)
    written = write_inventory(
        tmp_path_factory.mktemp("host") / "inventory.yml",
        name,
        docker_host_debian_release="bookworm",
        app_requests_at_once=1024,  # that this machine stalls for a moment is no loss of a release
    )
    made = Host(name, written, release_bundle_dir=str(sample_bundle))
    made.play("deploy.yml")
    yield made
    made.play("remove.yml")


@pytest.fixture(scope="session")
def second(sample_bundle, tmp_path_factory):
    """A bundle that gives each text another label."""
    target = tmp_path_factory.mktemp("second") / "bundle"
    return versions.changed_bundle(sample_bundle, target, versions.rotate_labels)


@pytest.fixture
def inventory(tmp_path):
    """Write an inventory: inventory(group, host, **variables) -> its path."""

    def write(group, host, **variables):
        path = tmp_path / "inventory.yml"
        hosts = {host: variables}
        nested = {"hosts": hosts} if group == "app" else {"children": {group: {"hosts": hosts}}}
        path.write_text(json.dumps({"all": {"children": {"app": nested}}}))
        return path

    return write

"""What the tests on real hosts share: a Docker Engine, and a bundle of the sample data."""

import json
import sys

import machine
import pytest


@pytest.fixture(scope="session", autouse=True)
def docker_engine():
    complaint = machine.docker_answer()
    assert complaint is None, f"No Docker Engine answers ({complaint}). Use: make test"


@pytest.fixture(scope="session")
def sample_bundle(run, root):
    """A bundle of the sample data; trained once, and again only when data or code change."""
    bundle = root / "build/sample-bundle"
    run.long(
        "training on the sample data",
        sys.executable, "-m", "classifier", "train", "sample_data", "--output", bundle,
        folder=root / "service",
    )  # fmt: skip
    return bundle


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

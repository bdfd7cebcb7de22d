"""The run that is meant for AWS, as far as it goes without hosts: tests/stack has the rest."""

import pytest
from lifecycle.settings import ANSIBLE
from seeding import everything
from testcloud.server import Fault


@pytest.fixture
def smoke(cloud, run, root, tmp_path):
    """A run of an inventory of its own, with something to deploy that it never gets to."""
    (tmp_path / "bundle").mkdir()

    def smoked(*words):
        return run("python", root / "scripts/ec2.py", "smoke", "--bundle", tmp_path / "bundle",
                   "--ssh-cidr", "203.0.113.7/32", *words, check=False,
                   **cloud.environment)  # fmt: skip

    return smoked


def test_a_run_without_a_model_costs_nothing(cloud, ec2, tmp_path):
    code, _, err = ec2("smoke", "--yes", "--bundle", str(tmp_path / "none"))
    assert code == 1
    assert "Train one: make train, or --bundle" in err
    assert cloud.actions() == ["sts:GetCallerIdentity"]


def test_price_and_place_are_told_before_anything_is_made(cloud, smoke):
    done = smoke()
    said = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert "together 0.0120 $/h" in said
    assert f"NOT AWS, but {cloud.url} Nothing was done: nobody is there to ask." in said
    assert {a.split(":")[1][:3] for a in cloud.actions()} <= {"Get", "Des", "Lis"}


def test_a_run_that_fails_leaves_nothing(cloud, smoke):
    before = everything(cloud)
    cloud.faults.append(Fault("RunInstances", code="InsufficientInstanceCapacity", times=9))
    done = smoke("--yes")
    said = " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert "A separate look finds nothing left of smoke-" in said
    assert "The run failed, and nothing is left. deploy.yml failed" in said
    assert "ec2:CreateSecurityGroup" in cloud.actions()
    assert everything(cloud) == before
    assert list((ANSIBLE.parent / "build/smoke").glob("*")) == []

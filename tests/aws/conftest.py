"""One test cloud for all tests here; each test begins with an empty account."""

import boto3
import pytest
from testcloud.server import REGION, Cloud


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
    running_cloud.faults.clear()


@pytest.fixture
def client(cloud):
    return boto3.client("ec2", region_name=REGION)

"""The test cloud refuses what AWS refuses, where moto alone would not."""

import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from testcloud.corrections import Pace
from testcloud.server import IMAGES, REGION, Fault

IMAGE = IMAGES["debian-13-amd64-20261101-2300"][0]


def launch(client, **options):
    given = {"ImageId": IMAGE, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    return client.run_instances(**given | options)["Instances"][0]["InstanceId"]


def state(client, instance):
    found = client.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return found["State"]["Name"]


def settled(client, instance, wanted):
    deadline = time.monotonic() + 5
    while state(client, instance) != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    return state(client, instance)


def refusal(action, **options):
    with pytest.raises(ClientError) as caught:
        action(**options)
    return caught.value.response["Error"]["Code"]


def test_an_instance_passes_through_its_states(client):
    Pace.seconds = 1.5
    instance = launch(client)
    assert state(client, instance) == "pending"
    assert settled(client, instance, "running") == "running"
    client.stop_instances(InstanceIds=[instance])
    assert state(client, instance) == "stopping"
    assert settled(client, instance, "stopped") == "stopped"
    client.terminate_instances(InstanceIds=[instance])
    assert state(client, instance) == "shutting-down"
    assert settled(client, instance, "terminated") == "terminated"
    assert refusal(client.start_instances, InstanceIds=[instance]) == "IncorrectInstanceState"


def test_one_token_launches_once(client):
    assert launch(client, ClientToken="a") == launch(client, ClientToken="a")
    assert launch(client, ClientToken="a") != launch(client, ClientToken="b")


def test_a_running_instance_can_not_be_resized(client):
    instance = launch(client)
    settled(client, instance, "running")
    kind = {"InstanceType": {"Value": "t3.small"}, "InstanceId": instance}
    assert refusal(client.modify_instance_attribute, **kind) == "IncorrectInstanceState"


def test_a_protected_instance_can_not_be_terminated(client):
    instance = launch(client)
    client.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    assert refusal(client.terminate_instances, InstanceIds=[instance]) == "OperationNotPermitted"
    client.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    client.terminate_instances(InstanceIds=[instance])


def test_a_group_in_use_can_not_be_deleted(client):
    group = client.create_security_group(GroupName="g", Description="d")["GroupId"]
    instance = launch(client, SecurityGroupIds=[group])
    assert refusal(client.delete_security_group, GroupId=group) == "DependencyViolation"
    client.terminate_instances(InstanceIds=[instance])
    settled(client, instance, "terminated")
    client.delete_security_group(GroupId=group)


def test_an_address_in_use_can_not_be_released_and_survives_a_stop(client):
    instance = launch(client)
    settled(client, instance, "running")
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "a", "Value": "b"}]}]
    given = client.allocate_address(Domain="vpc", TagSpecifications=tags)
    client.associate_address(InstanceId=instance, AllocationId=given["AllocationId"])
    in_use = refusal(client.release_address, AllocationId=given["AllocationId"])
    assert in_use == "InvalidIPAddress.InUse"
    client.stop_instances(InstanceIds=[instance])
    settled(client, instance, "stopped")
    client.start_instances(InstanceIds=[instance])
    found = client.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["PublicIpAddress"] == given["PublicIp"]


def test_an_image_has_one_name_and_tags_its_snapshots(client):
    instance = launch(client)
    tags = [{"ResourceType": kind, "Tags": [{"Key": "a", "Value": "b"}]}
            for kind in ("image", "snapshot")]  # fmt: skip
    client.create_image(InstanceId=instance, Name="name", TagSpecifications=tags)
    again = refusal(client.create_image, InstanceId=instance, Name="name")
    assert again == "InvalidAMIName.Duplicate"
    filters = [{"Name": "tag:a", "Values": ["b"]}]
    assert len(client.describe_snapshots(Filters=filters)["Snapshots"]) == 1


def impatient(retries=0):
    config = Config(read_timeout=0.3, retries={"total_max_attempts": retries + 1})
    return boto3.client("ec2", region_name=REGION, config=config)


@pytest.mark.parametrize(
    ("line", "error"), [("dropped", ConnectionClosedError), ("silent", ReadTimeoutError)]
)
def test_a_line_breaks_on_demand(cloud, line, error):
    cloud.faults.append(Fault("DescribeVpcs", line=line, seconds=1))
    with pytest.raises(error):
        impatient().describe_vpcs()


def test_a_lost_answer_was_still_carried_out(cloud):
    cloud.faults.append(Fault("AllocateAddress", line="lost"))
    impatient(retries=1).allocate_address(Domain="vpc")
    assert len(cloud.ec2.addresses) == 2


def test_every_call_is_recorded_and_refused_on_demand(cloud, client):
    cloud.faults.append(Fault("DescribeVpcs", code="UnauthorizedOperation", status=403, skip=1))
    client.describe_vpcs()
    assert refusal(client.describe_vpcs) == "UnauthorizedOperation"
    boto3.client("sts", region_name=REGION).get_caller_identity()
    assert cloud.actions() == ["ec2:DescribeVpcs", "ec2:DescribeVpcs", "sts:GetCallerIdentity"]

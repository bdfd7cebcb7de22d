"""Teardown takes all of a stack and nothing else, and says what it could not take."""

import json

import pytest
from lifecycle import teardown
from seeding import everything, launch, make_decoys, make_stack, tags
from testcloud.server import Fault


def rows(out, result):
    return [row["kind"] for row in json.loads(out) if row["result"] == result]


def test_everything_goes_and_a_second_teardown_finds_nothing(cloud, ec2):
    before = everything(cloud)
    make_stack(cloud)
    ec2("image", "--yes")
    code, out, err = ec2("teardown", "--yes", "--json")
    assert code == 0
    assert rows(out, "left") == []
    assert {"instance", "address", "image", "snapshot", "security group", "key pair", "role",
            "instance profile"} <= set(rows(out, "removed"))  # fmt: skip
    assert everything(cloud) == before
    assert "Nothing is left of main" in err
    assert ec2("teardown", "--yes", "--json")[:2] == (0, "[]\n")


def test_strangers_that_nearly_match_are_left_alone(cloud, ec2):
    look = make_decoys(cloud)
    decoys = look()
    assert len(decoys) >= 20
    make_stack(cloud)
    assert ec2("teardown", "--yes")[0] == 0
    assert look() == decoys


def test_a_role_of_our_name_without_our_tag_is_left_alone(cloud, ec2):
    cloud.client("iam").create_role(RoleName="frontdesk-main", AssumeRolePolicyDocument="{}")
    assert ec2("teardown", "--yes")[0] == 0
    assert [role.name for role in cloud.iam.roles.values()] == ["frontdesk-main"]


def test_leaked_addresses_and_several_instances_go_as_well(cloud, ec2):
    before = everything(cloud)
    make_stack(cloud)
    ours = {"frontdesk-stack": "main"}
    launch(cloud.client("ec2"), ours)
    for _ in range(3):
        cloud.client("ec2").allocate_address(
            Domain="vpc", TagSpecifications=tags(ours, "elastic-ip")
        )
    assert ec2("teardown", "--yes")[0] == 0
    assert everything(cloud) == before


def test_an_address_of_ours_on_a_strangers_instance_is_left_there_and_named(
    cloud, ec2, monkeypatch
):
    monkeypatch.setattr(teardown, "PASSES", 2)
    client = cloud.client("ec2")
    make_stack(cloud)
    stranger = launch(client, {})
    client.get_waiter("instance_running").wait(InstanceIds=[stranger], WaiterConfig={"Delay": 1})
    given = client.allocate_address(
        Domain="vpc", TagSpecifications=tags({"frontdesk-stack": "main"}, "elastic-ip")
    )
    client.associate_address(InstanceId=stranger, AllocationId=given["AllocationId"])
    code, out, _ = ec2("teardown", "--yes", "--json")
    assert code == 3
    assert rows(out, "left") == ["address"]
    assert cloud.ec2.get_instance(stranger).public_ip == given["PublicIp"]


def test_what_still_depends_is_tried_again(cloud, ec2):
    before = everything(cloud)
    make_stack(cloud)
    cloud.faults.append(Fault("DeleteSecurityGroup", code="DependencyViolation", times=5))
    assert ec2("teardown", "--yes")[0] == 0
    assert everything(cloud) == before


def test_what_can_not_be_removed_is_listed_with_the_reason(cloud, ec2, monkeypatch):
    monkeypatch.setattr(teardown, "PASSES", 3)
    make_stack(cloud)
    cloud.faults.append(Fault("ReleaseAddress", code="UnauthorizedOperation", status=403, times=99))
    code, out, err = ec2("teardown", "--yes", "--json")
    left = [row for row in json.loads(out) if row["result"] == "left"]
    assert code == 3
    assert [row["kind"] for row in left] == ["address"]
    assert "UnauthorizedOperation" in left[0]["reason"]
    assert "Nothing is left" not in err


def test_a_kind_that_nobody_foresaw_is_found_by_the_separate_look(cloud, ec2, monkeypatch):
    monkeypatch.setattr(teardown, "PASSES", 2)
    vpc = cloud.client("ec2").create_vpc(
        CidrBlock="10.9.0.0/16", TagSpecifications=tags({"frontdesk-stack": "main"}, "vpc")
    )["Vpc"]["VpcId"]
    code, out, _ = ec2("teardown", "--yes", "--json")
    assert code == 3
    assert [row["id"] for row in json.loads(out)] == [vpc]


def test_a_protected_instance_stops_it_before_anything_goes(cloud, ec2):
    make_stack(cloud)
    before = everything(cloud)
    assert ec2("protect")[0] == 0
    code, _, err = ec2("teardown", "--yes")
    assert code == 1
    assert "is protected, and nothing was removed" in err
    assert everything(cloud) == before
    assert ec2("unprotect")[0] == 0
    assert ec2("teardown", "--yes")[0] == 0


@pytest.mark.parametrize(("typed", "code"), [("main\n", 0), ("yes\n", 1), (None, 1)])
def test_it_asks_for_the_stacks_name(cloud, ec2, typed, code):
    make_stack(cloud)
    before = everything(cloud)
    assert ec2("teardown", typed=typed)[0] == code
    assert (everything(cloud) == before) == (code == 1)


def test_a_dry_run_tells_the_plan_and_changes_nothing(cloud, ec2):
    make_stack(cloud)
    before = everything(cloud)
    code, out, _ = ec2("teardown", "--dry-run", "--json")
    assert code == 0
    assert len(json.loads(out)) == 7
    assert everything(cloud) == before


@pytest.mark.parametrize(("expiry", "goes"), [("2020-01-31", True), ("2999-01-31", False),
                                              ("never", False), ("soon", False)])  # fmt: skip
def test_expired_takes_only_what_is_past_its_day(cloud, ec2, expiry, goes):
    make_stack(cloud, expiry=expiry)
    before = everything(cloud)
    assert ec2("teardown", "--expired", "--yes")[0] == 0
    assert (everything(cloud) != before) == goes


def test_what_an_expired_stack_left_without_its_instance_goes_as_well(cloud, ec2):
    before = everything(cloud)
    identity = make_stack(cloud, expiry="2020-01-31")
    cloud.client("ec2").terminate_instances(InstanceIds=[identity])
    _, out, err = ec2("status", "--json")
    (row,) = json.loads(out)
    assert (row["state"], row["expiry"]) == ("none", "2020-01-31")
    assert "main expired on 2020-01-31" in err
    assert ec2("teardown", "--expired", "--yes")[0] == 0
    assert everything(cloud) == before
    assert ec2("teardown", "--expired", "--yes")[:2] == (0, "")


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.prove)])
def test_an_interrupt_anywhere_leaves_what_a_repetition_removes(cloud, ec2, step):
    before = everything(cloud)
    make_stack(cloud)
    interrupted = 0
    while (code := ec2("teardown", "--yes", interrupt_after=interrupted + 1)[0]) == 130:
        interrupted += step
    assert code == 0
    assert interrupted > 8
    assert everything(cloud) == before

"""The playbook makes one of everything, as it should be, and nothing twice."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ANSIBLE, SSH_CIDR, Playbook
from seeding import everything
from testcloud.server import Fault

NAME = "frontdesk-main"
TAGS = {"Name": NAME, "frontdesk-stack": "main", "frontdesk-owner": "ada",
        "frontdesk-expiry": "2027-01-31"}  # fmt: skip


@pytest.fixture(scope="module")
def stack(running_cloud, tmp_path_factory):
    """A stack with all options on, from nothing."""
    running_cloud.reset()
    playbook = Playbook(running_cloud, tmp_path_factory.mktemp("stack"))
    playbook.options = {"elastic_ip": True, "session_manager": True, "owner": "ada",
                        "expiry": "2027-01-31"}  # fmt: skip
    playbook.first = playbook(**playbook.options)
    return playbook


def recap(done):
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", done.stdout.split("RECAP")[1])}


def tags_of(resource):
    return {tag["key"]: tag["value"] for tag in resource.get_tags()}


def only(found):
    assert len(found) == 1
    return next(iter(found))


def alive(cloud):
    return [i for i in cloud.ec2.all_instances() if i.state not in ("terminated", "shutting-down")]


def group(cloud):
    every = [g for groups in cloud.ec2.groups.values() for g in groups.values()]
    return only([g for g in every if g.name == NAME])


def test_the_instance_is_hardened_and_of_the_newest_official_image(stack):
    instance = only(alive(stack.cloud))
    assert instance.image_id == "ami-0d13000000000002a"
    assert instance.metadata_options.http_tokens == "required"
    assert instance.metadata_options.http_put_response_hop_limit == 1
    volume = only([v for v in stack.cloud.ec2.volumes.values() if v.attachment])
    assert (volume.encrypted, volume.volume_type, volume.size) == (True, "gp3", 8)
    assert instance.public_ip == only(stack.cloud.ec2.addresses).public_ip


def test_everything_carries_the_tags(stack):
    cloud = stack.cloud
    volumes = [volume for volume in cloud.ec2.volumes.values() if volume.attachment]
    made = [*alive(cloud), *volumes, *cloud.ec2.addresses, group(cloud),
            *cloud.ec2.key_pairs.values()]  # fmt: skip
    assert [tags_of(each) for each in made] == [TAGS] * 5
    iam = cloud.client("iam")
    role = iam.get_role(RoleName=NAME)["Role"]["Tags"]
    profile = iam.get_instance_profile(InstanceProfileName=NAME)["InstanceProfile"]["Tags"]
    assert [{tag["Key"]: tag["Value"] for tag in each} for each in (role, profile)] == [TAGS] * 2


def test_everything_that_can_be_is_tagged_as_it_is_made(stack):
    """A run that dies between two calls leaves nothing that teardown can't find."""
    makers = [call for call in stack.cloud.calls
              if re.match("Create|Allocate|Import|Run", call.action)
              and call.action != "CreateTags"]  # fmt: skip
    assert len(makers) >= 6
    untagged = [str(call) for call in makers if "frontdesk-stack" not in call.parameters.values()]
    assert untagged == []


def test_ssh_is_open_to_one_address_and_the_web_to_all(stack):
    found = stack.cloud.client("ec2").describe_security_groups(GroupNames=[NAME])
    rules = only(found["SecurityGroups"])["IpPermissions"]
    allowed = {(rule["FromPort"], net) for rule in rules for net in (
        *(each["CidrIp"] for each in rule["IpRanges"]),
        *(each["CidrIpv6"] for each in rule["Ipv6Ranges"]))}  # fmt: skip
    everybody = {(port, net) for port in (80, 443) for net in ("0.0.0.0/0", "::/0")}
    assert allowed == {(22, SSH_CIDR), *everybody}


def test_the_role_may_be_taken_by_ec2_alone_and_allows_session_manager_alone(stack):
    role = only(stack.cloud.iam.roles.values())
    trust = json.loads(role.assume_role_policy_document)["Statement"]
    assert [each["Principal"] for each in trust] == [{"Service": "ec2.amazonaws.com"}]
    actions = json.loads(role.policies[NAME])["Statement"][0]["Action"]
    assert {action.split(":")[0] for action in actions} == {"ssm", "ssmmessages"}
    assert role.managed_policies == {}


def test_a_second_run_changes_nothing(stack):
    assert recap(stack.first)["changed"] > 5
    other = {"disk_gb": 20, "cpu_credits": "standard"}  # for one that is to be made
    again = stack(**stack.options, **other)
    assert recap(again)["changed"] == 0
    told = " ".join(again.stdout.split())
    assert "disk, 8 GB gp3" in told
    assert "beyond what the type earns: 0.05 $ per vCPU and hour, 0.1000 $/h at most" in told
    assert "together 0.0120 $/h" in told


def test_the_image_is_pinned_for_the_next_launch(stack):
    pin = json.loads((stack.inventory / ".state/main.json").read_text())
    assert pin == {"account": "123456789012", "region": "eu-central-1",
                   "image_id": "ami-0d13000000000002a"}  # fmt: skip


def user_data(cloud):
    """What the one launch was given, once a shell can read it."""
    (launch,) = [call for call in cloud.calls if call.action == "RunInstances"]
    given = base64.b64decode(launch.parameters["UserData"]).decode()
    subprocess.run(["sh", "-n"], input=given, text=True, check=True)
    return given


def test_where_port_22_may_be_shut_the_host_fetches_the_agent_of_session_manager(stack):
    assert (
        "https://s3.eu-central-1.amazonaws.com/amazon-ssm-eu-central-1/latest/debian_amd64/"
        "amazon-ssm-agent.deb"
    ) in user_data(stack.cloud)


def test_a_check_tells_what_was_changed_by_hand_and_nothing_else(stack):
    only([rule for rule in group(stack.cloud).ingress_rules if rule.from_port == 22]).from_port = 23
    assert recap(stack("--check", **stack.options))["changed"] == 1


def test_the_inventory_asks_for_the_tag_that_the_role_sets():
    wiring = yaml.safe_load((ANSIBLE / "group_vars/all.yml").read_text())
    plugin = yaml.safe_load((ANSIBLE / "inventory/ec2/aws_ec2.yml").read_text())
    key = wiring["ec2_instance_tag_keys"]["stack"]
    assert plugin["filters"]["tag-key"] == key
    assert plugin["hostnames"] == [f"tag:{key}"]


# What AWS asks for without a call of that name, and what the mending of a stack needs
IMPLIED = {"ec2:CreateTags", "iam:PassRole", "iam:TagRole", "iam:TagInstanceProfile",
           "ssmmessages:OpenDataChannel"}  # fmt: skip
FREE = {"sts:GetCallerIdentity"}  # everybody may
VERBS = ["status", "cost", "stop", "start", "reboot", "resize t3.small", "image --yes --keep 1",
         "image --yes --keep 1", "protect", "unprotect", "ssh", "session",
         "teardown --yes"]  # fmt: skip
# What AWS's own command line tool asks for in a session: its plugin goes on with it where the line
# broke, and ends it
AWS_TOOL = """#!/usr/bin/env python
import sys, boto3
assert sys.argv[1:3] == ["ssm", "start-session"], sys.argv
given = dict(zip(sys.argv[3::2], sys.argv[4::2], strict=True))
ssm = boto3.client("ssm", region_name=given["--region"])
session = ssm.start_session(Target=given["--target"])["SessionId"]
ssm.resume_session(SessionId=session)
ssm.terminate_session(SessionId=session)
"""


def test_the_policies_allow_what_the_whole_life_of_a_stack_calls_and_nothing_else(stack, run, root):
    changed = stack(**stack.options, ssh_cidr="203.0.113.8/32")
    assert recap(changed)["changed"] == 1
    script = [root / "scripts/ec2.py"]
    where = ["--inventory", stack.inventory]
    tools = stack.folder / "bin"
    tools.mkdir()
    for name, text in {"aws": AWS_TOOL, "ssh": "#!/bin/sh\n"}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    for verb in VERBS:
        run("python", *script, *verb.split(), *where, **stack.cloud.environment, PATH=path)
    stack("--tags", "plan", spot=True)
    done = run("python", *script, "policy", *where, **stack.cloud.environment)
    statements = json.loads(done.stdout)["Statement"]
    allowed = {action for each in statements for action in as_list(each["Action"])}
    called = set(stack.cloud.actions()) - FREE
    assert called - allowed == set()
    assert allowed - called - IMPLIED == set()


def as_list(value):
    return [value] if isinstance(value, str) else value


def test_a_key_a_subnet_and_a_processor_of_ones_own_are_taken(cloud, provision, client):
    vpc = client.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = client.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", provision.folder / "own"]
    subprocess.run(words, check=True)
    public = provision.folder / "own.pub"
    provision(public_key_path=public, cpu_credits="standard", subnet_id=subnet, type="t4g.nano",
              session_manager=True, ssh_cidr=None)  # fmt: skip
    (pair,) = cloud.ec2.key_pairs.values()
    assert pair.material_public.decode().split()[:2] == public.read_text().split()[:2]
    assert list(provision.folder.glob("keys/*")) == []
    (launch,) = [call for call in cloud.calls if call.action == "RunInstances"]
    assert launch.parameters["CreditSpecification.CpuCredits"] == "standard"
    assert (launch.parameters["SubnetId"], group(cloud).vpc_id) == (subnet, vpc)
    assert only(alive(cloud)).image_id == "ami-0d13000000000002b"
    assert "/debian_arm64/amazon-ssm-agent.deb" in user_data(cloud)
    assert [rule.from_port for rule in group(cloud).ingress_rules if rule.from_port == 22] == []


def test_a_spot_instance_is_launched_once_with_its_tags_and_below_the_limit(cloud, provision, ec2):
    options = {"spot": True, "max_hourly_cost": 0.1104}
    first = provision(**options)
    assert "t3.nano (x86_64) on spot: 0.0040 $/h now in the dearest zone" in first.stdout
    assert "together 0.0100 $/h" in first.stdout
    instance = only(alive(cloud))
    volume = only([v for v in cloud.ec2.volumes.values() if v.attachment])
    assert instance.lifecycle == "spot"
    assert tags_of(instance) == tags_of(volume) == {**TAGS, "frontdesk-owner": "ops",
                                                    "frontdesk-expiry": "never"}  # fmt: skip
    assert (instance.metadata_options.http_tokens, volume.encrypted) == ("required", True)
    (launch,) = [call.parameters for call in cloud.calls if call.action == "RunInstances"]
    market = "InstanceMarketOptions.SpotOptions."
    assert launch[f"{market}SpotInstanceType"] == "one-time"
    assert launch[f"{market}MaxPrice"] == "0.0044"  # the limit less disk and address

    second = provision(**options)
    assert recap(second)["changed"] == 0
    assert f"is there, {instance.id}" in second.stdout
    for verb in ("stop", "stop --dry-run", "resize t3.small"):
        code, out, err = ec2(*verb.split())
        assert (code, out) == (1, "")
        assert f"{instance.id} is a spot instance, which can't be stopped or resized." in err
    costs = {row["what"]: row["hour"] for row in json.loads(ec2("cost", "--json")[1])}
    assert costs["t3.nano on spot, running"] in (0.003, 0.004)  # of the zone that it is in
    assert ec2("teardown", "--yes")[0] == 0
    assert alive(cloud) == []


def test_prices_are_awss_own_where_its_list_answers(cloud, provision):
    cloud.price_list = {"t3.nano": 0.02, "gp3": 0.073, "VPCPublicIPv4Address": 0.004}
    said = " ".join(provision("--tags", "plan").stdout.split())
    assert "together 0.0248 $/h, 18.10 $/month" in said
    assert "prices of AWS's price list of 20" in said.replace("''", "'")
    assert "at most 0.1248 $/h when it is busy all the time, limit 0.1500 $/h" in said
    cloud.price_list["t3.nano"] = 0.05
    refused = provision("--tags", "plan", check=False)
    assert refused.returncode != 0
    assert (
        "costs 0.1548 $/h in eu-central-1, processor time that it may buy included, above "
        "ec2_instance_max_hourly_cost=0.15. Take a smaller type, set ec2_instance_cpu_credits to "
        "standard, or raise the limit."
    ) in " ".join(refused.stdout.split())


SLOW = Fault("GetProducts", line="slow", seconds=2, times=9)
SILENT = Fault("GetProducts", line="silent", seconds=60, times=9)
DROPPED = Fault("GetProducts", line="dropped", times=9)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param(SLOW, "no answer in 5 s", id="slow"),
        pytest.param(SILENT, "ReadTimeoutError", id="silent", marks=pytest.mark.prove),
        pytest.param(DROPPED, "ConnectionClosedError", id="dropped", marks=pytest.mark.prove),
        pytest.param(None, "AccessDeniedException", id="not allowed", marks=pytest.mark.prove),
    ],
)
def test_without_the_price_list_the_table_holds_and_says_so(cloud, provision, fault, why):
    if fault:
        cloud.price_list = {"t3.nano": 0.02, "gp3": 0.073, "VPCPublicIPv4Address": 0.004}
        cloud.faults.append(Fault(**vars(fault)))
    began = time.monotonic()
    said = " ".join(provision("--tags", "plan").stdout.split()).replace("''", "'")
    assert time.monotonic() - began < 30
    assert "together 0.0120 $/h" in said
    assert f"the table of 2025-06-01, since AWS's price list could not be read: {why}" in said


# As soon as AWS did what it was asked for, whether it makes something or only tells
KILLED_AT = [
    "RunInstances",
    *(pytest.param(action, marks=pytest.mark.prove) for action in (
        "GetCallerIdentity", "DescribeInstances", "GetProducts", "DescribeImages",
        "DescribeKeyPairs", "ImportKeyPair", "DescribeSecurityGroups", "CreateSecurityGroup",
        "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress",
        "AuthorizeSecurityGroupEgress", "GetRole", "CreateRole", "PutRolePolicy",
        "GetInstanceProfile", "CreateInstanceProfile", "AddRoleToInstanceProfile",
        "DescribeAddresses", "AllocateAddress", "AssociateAddress")),
]  # fmt: skip


@pytest.mark.parametrize("action", KILLED_AT)
def test_a_killed_run_repeated_gives_one_of_everything_and_leaks_nothing(
    cloud, provision, run, root, action
):
    before = everything(cloud)
    options = {"elastic_ip": True, "session_manager": True}
    cloud.faults.append(Fault(action, line="lost"))  # done at AWS, but nobody hears of it
    cloud.on_call = lambda call: provision.kill() if call.action == action else None
    assert provision(check=False, **options).returncode < 0  # killed, so the call was made
    cloud.on_call = None
    provision(**options)
    kinds = sorted(kind for kind, _ in everything(cloud) - before)
    assert kinds == ["address", "group", "instance", "key", "profile", "role", "volume"]
    run("python", root / "scripts/ec2.py", "teardown", "--yes", "--inventory",
        provision.inventory, **cloud.environment)  # fmt: skip
    assert everything(cloud) == before


def test_a_check_on_nothing_tells_the_plan_and_makes_nothing(cloud, provision):
    done = provision("--check")
    assert recap(done)["changed"] == 1
    assert "to be made" in done.stdout
    assert not [each for each in cloud.calls if not re.match("Describe|Get|List", each.action)]
    assert list(provision.folder.glob("keys/*")) == []


def test_a_check_of_a_deploy_on_nothing_tells_the_plan_alone(provision):
    done = provision("--check", playbook="deploy.yml", skip="")
    assert "to be made" in done.stdout
    assert recap(done)["changed"] == 1


def test_keys_and_certificates_may_lie_in_the_inventory(provision):
    (provision.inventory / "keys").mkdir()
    for name in ("desk.key", "desk.crt", "mine.pem", "keys/mine"):
        (provision.inventory / name).write_text("-----BEGIN")
    for _ in range(2):
        provision(key_dir=provision.inventory)
    assert (provision.inventory / NAME).exists()

"""The two policies give no more than needed, as far as can be told without AWS."""

import json
import warnings
from types import SimpleNamespace

import pytest
from lifecycle.policy import operator_policy
from lifecycle.stack import ANSIBLE, ROLE, stacks

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import parliament  # warns of its own imports

ACCOUNT = "123456789012"


def policy(name):
    if name == "instance":
        return json.loads((ROLE / "files/instance_policy.json").read_text())
    return operator_policy(stacks(ANSIBLE / "inventory/ec2")[0], ACCOUNT)


def as_list(value):
    return [value] if isinstance(value, str) else value


def statements(name):
    return [SimpleNamespace(actions=as_list(each["Action"]), resources=as_list(each["Resource"]),
                            condition=each.get("Condition", {}), sid=each["Sid"])
            for each in policy(name)["Statement"]]  # fmt: skip


def is_answered_elsewhere(mismatch):
    """Parliament looks at each statement alone; a launch needs several, each with its condition."""
    kind = mismatch["required_format"].rsplit(":", 1)[1].split("/")[0]
    return any(
        mismatch["action"] in each.actions and any(f":{kind}/" in arn for arn in each.resources)
        for each in statements("operator")
    )


@pytest.mark.parametrize("name", ["operator", "instance"])
def test_parliament_finds_nothing(name):
    findings = parliament.analyze_policy_string(json.dumps(policy(name))).findings
    left = [
        (each.issue, detail)
        for each in findings
        for detail in (each.detail if isinstance(each.detail, list) else [each.detail])
        if each.issue != "RESOURCE_MISMATCH" or not is_answered_elsewhere(detail)
    ]
    assert left == []


@pytest.mark.parametrize("name", ["operator", "instance"])
def test_every_action_is_named(name):
    assert [a for each in statements(name) for a in each.actions if "*" in a or "?" in a] == []


def test_only_looking_is_allowed_everywhere():
    everywhere = [a for each in statements("operator") if each.resources == ["*"]
                  for a in each.actions]  # fmt: skip
    assert [
        a for a in everywhere if not a.startswith(("ec2:Describe", "iam:List", "pricing:Get"))
    ] == []


def test_what_changes_or_removes_asks_for_our_tag_or_our_name():
    ours = ("aws:ResourceTag/frontdesk-stack", "aws:RequestTag/frontdesk-stack")
    loose = [
        each.sid
        for each in statements("operator")
        if each.resources != ["*"]
        and not any(key in str(each.condition) for key in ours)
        and not all(arn.endswith("/frontdesk-main") for arn in each.resources)
    ]
    # A launch refers to these; tags are allowed on what is just being made alone
    assert loose == ["LaunchFromWhatIsThere", "MakeGroupsInANetwork", "TagWhatIsBeingMade"]


def test_the_role_can_be_passed_alone_and_to_ec2_alone():
    (passing,) = [each for each in statements("operator") if "iam:PassRole" in each.actions]
    assert passing.resources == [f"arn:aws:iam::{ACCOUNT}:role/frontdesk-main"]
    assert passing.condition == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}

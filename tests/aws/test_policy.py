"""The two policies give no more than needed, as far as can be told without AWS."""

import json
import warnings
from types import SimpleNamespace

import pytest
from lifecycle.policy import operator_policy
from lifecycle.settings import ANSIBLE, ROLE
from lifecycle.stack import stacks

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
    """Parliament looks at each statement alone; a launch needs several, each with its condition.

    That sessions can be named for a data channel, as AWS documents, is younger than its table.
    """
    if mismatch["action"] == "ssmmessages:OpenDataChannel":
        return True
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
    ours = [f"{kind}/frontdesk-stack" for kind in (
        "aws:ResourceTag", "aws:RequestTag", "ssm:resourceTag")]  # fmt: skip
    loose = [
        each.sid
        for each in statements("operator")
        if each.resources != ["*"]
        and not any(key in str(each.condition) for key in ours)
        and not all(arn.endswith("/frontdesk-main") for arn in each.resources)
    ]
    # A launch refers to these; tags are allowed on what is just being made alone; sessions are
    # opened with these documents, on instances of ours, and closed by whom they belong to
    assert loose == ["LaunchFromWhatIsThere", "MakeGroupsInANetwork", "TagWhatIsBeingMade",
                     "OpenThemForAShellOrForSsh", "KeepAndCloseOnesOwnSessions"]  # fmt: skip


def test_sessions_are_opened_on_ours_alone_and_only_ones_own_are_closed():
    (opening,) = [each for each in statements("operator") if each.sid == "OpenSessionsOnOurs"]
    assert opening.condition == {"StringEquals": {"ssm:resourceTag/frontdesk-stack": "main"}}
    (closing,) = [each for each in statements("operator") if "ssm:TerminateSession" in each.actions]
    assert [arn.split("session/")[1] for arn in closing.resources] == [
        "${aws:userid}-*", "${aws:username}-*"]  # fmt: skip


def test_nothing_but_the_note_of_a_resize_is_tagged_on_what_is_there():
    (tagging,) = [each for each in statements("operator") if "ec2:DeleteTags" in each.actions]
    keys = tagging.condition["ForAllValues:StringEquals"]["aws:TagKeys"]
    assert keys == ["frontdesk-resize"]
    # Without keys that holds, too, and a deletion that names none deletes all
    assert tagging.condition["Null"] == {"aws:TagKeys": "false"}


def test_the_role_can_be_passed_alone_and_to_ec2_alone():
    (passing,) = [each for each in statements("operator") if "iam:PassRole" in each.actions]
    assert passing.resources == [f"arn:aws:iam::{ACCOUNT}:role/frontdesk-main"]
    assert passing.condition == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}

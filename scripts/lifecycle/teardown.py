"""Back to nothing: all that carries the stack's tag, until a separate look finds none."""

from __future__ import annotations

import time

from botocore.exceptions import BotoCoreError, ClientError

from . import waiting
from .account import Account
from .changing import is_protected
from .errors import Ec2Error
from .explaining import explain
from .finding import Resource, described, find, instances
from .stack import Stack
from .waiting import say, wait_until

PASSES = 10
THROTTLED = ("RequestLimitExceeded", "Throttling", "ThrottlingException")
GONE_SUFFIXES = ("NotFound", "NotFound.Group", ".Unavailable", "NoSuchEntity", ".Unknown")


def refuse_protected(account: Account) -> None:
    for each in instances(account):
        if is_protected(account, each["InstanceId"]):
            raise Ec2Error(
                f"{each['InstanceId']} is protected, and nothing was removed. "
                "If it is to go: scripts/ec2.py unprotect"
            )


def tear_down(account: Account) -> list[dict]:
    """A row for each thing, with the result "removed", "left" or "unseen" and the reason for that.

    Unseen is what was removed when AWS no longer answered who would look whether it is gone.
    """
    refuse_protected(account)
    found: dict[Resource, None] = {}
    reasons: dict[Resource, str] = {}
    try:
        for turn in range(PASSES):
            if turn:
                time.sleep(waiting.POLL_SECONDS)
            there = find(account)
            if not there and not look_again(account.stack):
                break
            found |= dict.fromkeys(there)
            reasons, is_cut_off = _remove_all(account, there)
            if is_cut_off or (reasons and all(map(_is_not_allowed, reasons.values()))):
                break  # no repetition changes that now
        left = look_again(account.stack)
    except (ClientError, BotoCoreError) as error:
        if not found:
            raise
        unseen = f"removed, but nobody could look: {explain(error)}"
        return [_row("left" if each in reasons else "unseen", each, reasons.get(each, unseen))
                for each in found]  # fmt: skip
    if not left:
        account.stack.state_path.unlink(missing_ok=True)
    return [
        *(_row("removed", each, "") for each in found if each not in left),
        *(_row("left", each, reasons.get(each, "it is still there")) for each in left),
    ]


def _is_not_allowed(reason: str) -> bool:
    return "UnauthorizedOperation" in reason or "AccessDenied" in reason


def _row(result: str, each: Resource, reason: str) -> dict:
    return {"result": result, **each.row(), "reason": reason}


def look_again(stack: Stack) -> list[Resource]:
    """What is left, with clients of its own; and by the tag alone, whatever kind it is of."""
    account = Account(stack)
    left = find(account)
    known = {each.id for each in left}
    gone = {each["InstanceId"] for each in described(account, "instance")} - known
    pages = account.ec2.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "key", "Values": [stack.tag_keys["stack"]]},
                 {"Name": "value", "Values": [stack.stack]}]
    )  # fmt: skip
    for tag in pages.search("Tags[]"):
        if tag["ResourceId"] not in known | gone:
            left.append(Resource(tag["ResourceType"], tag["ResourceId"], tag["ResourceId"]))
    return left


def _remove_all(account: Account, found: list[Resource]) -> tuple[dict[Resource, str], bool]:
    """One pass: what was refused, each with the reason, and whether nothing more can be asked."""
    reasons: dict[Resource, str] = {}
    for number, each in enumerate(found):
        say(f"Removing {each}")
        try:
            REMOVERS[each.kind](account, each.id)
        except Ec2Error as error:  # it was waited for in vain, and the rest hangs on it
            reasons[each] = str(error)
            return reasons | dict.fromkeys(found[number + 1 :], "not tried after that"), True
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if code.endswith(GONE_SUFFIXES):
                continue
            reasons[each] = explain(error)
            say(f"  not yet: {reasons[each]}")
            if not code or code in THROTTLED:  # each was repeated already: a minute would pass
                return reasons | dict.fromkeys(found[number + 1 :], "not tried after that"), True
    return reasons, False


def _remove_instance(account: Account, identity: str) -> None:
    account.ec2.terminate_instances(InstanceIds=[identity])

    def look() -> str:
        found = account.ec2.describe_instances(InstanceIds=[identity])["Reservations"]
        return found[0]["Instances"][0]["State"]["Name"] if found else "terminated"

    wait_until(f"{identity} is terminated", look, {"terminated"})


def _remove_profile(account: Account, name: str) -> None:
    iam = account.iam
    profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    for role in profile["Roles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
    iam.delete_instance_profile(InstanceProfileName=name)


def _remove_role(account: Account, name: str) -> None:
    for policy in account.iam.list_role_policies(RoleName=name)["PolicyNames"]:
        account.iam.delete_role_policy(RoleName=name, PolicyName=policy)
    account.iam.delete_role(RoleName=name)


REMOVERS = {
    "instance": _remove_instance,
    "address": lambda account, each: account.ec2.release_address(AllocationId=each),
    "image": lambda account, each: account.ec2.deregister_image(ImageId=each),
    "snapshot": lambda account, each: account.ec2.delete_snapshot(SnapshotId=each),
    "volume": lambda account, each: account.ec2.delete_volume(VolumeId=each),
    "security group": lambda account, each: account.ec2.delete_security_group(GroupId=each),
    "key pair": lambda account, each: account.ec2.delete_key_pair(KeyPairId=each),
    "instance profile": _remove_profile,
    "role": _remove_role,
}

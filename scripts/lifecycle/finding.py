"""What carries a stack's tag: every kind that is ever made, asked for page by page."""

from __future__ import annotations

from dataclasses import dataclass, field

from .account import Account
from .errors import Ec2Error

GONE = ("terminated", "shutting-down")
# kind: (operation, list in the answer, key of the id), in the order in which they are removed
KINDS = {
    "instance": ("describe_instances", "Reservations[].Instances[]", "InstanceId"),
    "address": ("describe_addresses", "Addresses", "AllocationId"),
    "image": ("describe_images", "Images", "ImageId"),
    "snapshot": ("describe_snapshots", "Snapshots", "SnapshotId"),
    "volume": ("describe_volumes", "Volumes", "VolumeId"),
    "security group": ("describe_security_groups", "SecurityGroups", "GroupId"),
    "key pair": ("describe_key_pairs", "KeyPairs", "KeyPairId"),
}


@dataclass(frozen=True)
class Resource:
    kind: str
    id: str
    name: str
    expiry: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}" + (f" ({self.name})" if self.name != self.id else "")

    def row(self) -> dict:
        return {"kind": self.kind, "id": self.id, "name": self.name}


def described(account: Account, kind: str, **options: object) -> list[dict]:
    """All of a kind that carry the stack's tag, as AWS describes them."""
    operation, path, _ = KINDS[kind]
    asked = {"Filters": account.stack.filters} | options
    if account.ec2.can_paginate(operation):
        pages = account.ec2.get_paginator(operation).paginate(**asked)
        return list(pages.search(path if path.endswith("[]") else f"{path}[]"))
    return getattr(account.ec2, operation)(**asked)[path]


def find(account: Account) -> list[Resource]:
    """Everything of the stack, in the order in which it can be removed."""
    found = []
    for kind, (_, _, key) in KINDS.items():
        own = {"Owners": ["self"]} if kind == "image" else {}
        own |= {"OwnerIds": ["self"]} if kind == "snapshot" else {}
        for each in described(account, kind, **own):
            if kind != "instance" or _lives(each):
                tags = _tags(each)
                expiry = tags.get(account.stack.tag_keys["expiry"])
                found.append(Resource(kind, each[key], tags.get("Name", each[key]), expiry))
    return found + _identities(account)


def expiry(found: list[Resource]) -> str | None:
    """The last day of what is there; of instances where there are any, else of what they left.

    What bears no day is never to go, and "never" sorts behind all days.
    """
    deciding = [each for each in found if each.kind == "instance"] or found
    return max((each.expiry or "never" for each in deciding), default=None)


def instances(account: Account) -> list[dict]:
    return [each for each in described(account, "instance") if _lives(each)]


def instance(account: Account) -> dict:
    """The stack's one instance; Ec2Error where there is none or more than one."""
    found, stack = instances(account), account.stack
    tag = f"{stack.tag_keys['stack']}={stack.stack}"
    if not found:
        raise Ec2Error(
            f"No instance is tagged {tag} in {stack.region} (account {account.number}). "
            "Make one: ansible-playbook -i inventory/ec2 deploy.yml"
        )
    if len(found) > 1:
        ids = ", ".join(each["InstanceId"] for each in found)
        raise Ec2Error(f"Several instances are tagged {tag}: {ids}. Take the tag off all but one.")
    return found[0]


def _lives(described_instance: dict) -> bool:
    return described_instance["State"]["Name"] not in GONE


def _tags(described_resource: dict) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described_resource.get("Tags", [])}


def _identities(account: Account) -> list[Resource]:
    name, key = account.stack.name, account.stack.tag_keys["expiry"]
    iam, found = account.iam, []
    asked = {
        "instance profile": lambda: iam.get_instance_profile(InstanceProfileName=name)[
            "InstanceProfile"
        ],
        "role": lambda: iam.get_role(RoleName=name)["Role"],
    }
    for kind, ask in asked.items():
        try:
            there = ask()
        except iam.exceptions.NoSuchEntityException:
            continue  # an answer: there is none
        if account.stack.owns(there.get("Tags", [])):
            found.append(Resource(kind, name, name, _tags(there).get(key)))
    return found

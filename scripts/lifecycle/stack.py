"""What a stack is called and where it is: read from the inventory and Ansible's wiring."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from .errors import Ec2Error

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"
ROLE = ANSIBLE / "roles" / "ec2_instance"


@dataclass(frozen=True)
class Stack:
    """One host of an inventory's group ec2_hosts."""

    stack: str
    region: str
    state_path: Path
    name_prefix: str
    tag_keys: dict[str, str]

    @property
    def name(self) -> str:
        """What its security group, key pair, role, profile and instance are called."""
        return self.name_prefix + self.stack

    @property
    def filters(self) -> list[dict]:
        """EC2's filter for what carries its tag."""
        return [{"Name": f"tag:{self.tag_keys['stack']}", "Values": [self.stack]}]

    def owns(self, tags: list[dict]) -> bool:
        return {"Key": self.tag_keys["stack"], "Value": self.stack} in tags

    def pinned(self) -> dict:
        """{"account", "region", "image_id"} of the last provisioning; {} if there was none here."""
        if not self.state_path.exists():
            return {}
        try:
            pin = json.loads(self.state_path.read_text())
            if re.fullmatch(r"\d{12}", pin["account"]) and pin["image_id"].startswith("ami-"):
                return pin
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # told below, together with a file that is JSON but says something else
        raise Ec2Error(
            f"{self.state_path} is damaged. Remove it: the next provision.yml pins the image again."
        )

    def pin(self, account_number: str, image_id: str) -> None:
        """Let the next launch take this image."""
        pin = json.dumps({"account": account_number, "region": self.region, "image_id": image_id})
        self.state_path.parent.mkdir(exist_ok=True)
        temporary = self.state_path.with_suffix(".new")
        temporary.write_text(pin + "\n")
        temporary.replace(self.state_path)


def stacks(inventory: Path) -> list[Stack]:
    """All stacks of an inventory folder; Ec2Error where it is none."""
    try:
        hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
        plugin = yaml.safe_load((inventory / "aws_ec2.yml").read_text())
        names = list(hosts["all"]["children"]["app"]["children"]["ec2_hosts"]["hosts"])
        region = plugin["regions"][0]
    except (OSError, yaml.YAMLError, KeyError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise Ec2Error(
            f"{inventory} is no inventory of stacks ({reason}). Name a copy of "
            "ansible/inventory/ec2 with --inventory."
        ) from error
    wiring = yaml.safe_load((ANSIBLE / "group_vars/all.yml").read_text())
    for name in names:
        if not re.fullmatch(wiring["ec2_instance_stack_pattern"], str(name)):
            raise Ec2Error(
                f"The stack name '{name}' in {inventory} won't do: "
                "take 2 to 32 lower-case letters, digits and hyphens, beginning with a letter."
            )
    return [
        Stack(str(name), region, inventory / ".state" / f"{name}.json",
              wiring["ec2_instance_name_prefix"], wiring["ec2_instance_tag_keys"])
        for name in names
    ]  # fmt: skip


def choose(inventory: Path, wanted: str | None) -> Stack:
    """The wanted stack, or the only one."""
    known = {each.stack: each for each in stacks(inventory)}
    if wanted is None and len(known) == 1:
        return next(iter(known.values()))
    if wanted not in known:
        asked = f"no stack {wanted}" if wanted else "more than one stack"
        raise Ec2Error(f"{inventory} has {asked}: name one of {', '.join(known)} with --stack.")
    return known[wanted]

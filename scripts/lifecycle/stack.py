"""What a stack is called and where it is: read from the inventory and Ansible's wiring."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import settings
from .errors import Ec2Error


@dataclass(frozen=True)
class Stack:
    """One host of an inventory's group ec2_hosts."""

    stack: str
    region: str
    account: str  # the only one that it may be in; empty: any
    state_path: Path
    max_hourly_cost: float
    user: str | None  # as is the key: None leaves it to ssh
    key_path: Path | None
    name_prefix: str
    tag_keys: dict[str, str]
    port: int  # on which it serves
    tls_name: str | None  # what it is asked for over TLS; None where it has none, empty by address

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
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
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
        return [_stack(inventory, name, tell) for name, tell in settings.read(inventory).items()]
    except (TypeError, ValueError) as error:
        raise Ec2Error(
            f"A setting in {inventory} is of the wrong type ({error}). It is named by: "
            "ansible-playbook provision.yml --tags plan"
        ) from error


def _stack(inventory: Path, name: str, tell: Callable[[str], object]) -> Stack:
    if not re.fullmatch(str(tell("ec2_instance_stack_pattern")), name):
        raise Ec2Error(
            f"The stack name '{name}' in {inventory} won't do: "
            "take 2 to 32 lower-case letters, digits and hyphens, beginning with a letter."
        )
    region = tell("ec2_instance_region")
    if not region or not isinstance(region, str):
        raise Ec2Error(f"{inventory}/aws_ec2.yml names no region: write regions: [eu-central-1].")
    key = tell("ansible_ssh_private_key_file")
    names, is_encrypted = list(tell("nginx_server_names")), tell("app_is_encrypted")
    return Stack(
        name, region, str(tell("ec2_instance_account")),
        state_path=Path(tell("ec2_instance_state_dir")).expanduser() / f"{name}.json",
        max_hourly_cost=float(tell("ec2_instance_max_hourly_cost")),
        user=tell("ansible_user"),
        key_path=Path(key).expanduser() if key else None,
        name_prefix=tell("ec2_instance_name_prefix"),
        tag_keys=dict(tell("ec2_instance_tag_keys")),
        port=int(tell("nginx_tls_port" if is_encrypted else "nginx_listen_port")),
        tls_name=(names[0] if names else "") if is_encrypted else None,
    )  # fmt: skip


def choose(inventory: Path, wanted: str | None) -> Stack:
    """The wanted stack, or the only one."""
    known = {each.stack: each for each in stacks(inventory)}
    if wanted is None and len(known) == 1:
        return next(iter(known.values()))
    if wanted not in known:
        asked = f"no stack {wanted}" if wanted else "more than one stack"
        raise Ec2Error(f"{inventory} has {asked}: name one of {', '.join(known)} with --stack.")
    return known[wanted]

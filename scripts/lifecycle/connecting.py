"""A shell on the host: over SSH, or through Session Manager where port 22 is shut."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .account import Account
from .errors import Ec2Error
from .finding import instance

SECONDS = 10  # until a host that does not answer is given up


def ssh_words(account: Account, key: Path | None, arguments: list[str]) -> list[str]:
    """The command line of ssh; the host's key is remembered by the instance, not by its address."""
    found = _running(account)
    address = found.get("PublicIpAddress") or found.get("PrivateIpAddress")
    options = {"ConnectTimeout": SECONDS, "HostKeyAlias": found["InstanceId"],
               "StrictHostKeyChecking": "accept-new"}  # fmt: skip
    key, user = key or account.stack.key_path, account.stack.user
    return ["ssh", *(["-i", str(key)] if key else []),
            *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
            f"{user}@{address}" if user else address, *arguments]  # fmt: skip


def session_words(account: Account) -> list[str]:
    return ["aws", "ssm", "start-session", "--region", account.stack.region,
            "--target", _running(account)["InstanceId"]]  # fmt: skip


def become(words: list[str]) -> None:
    """Let that program take this one's place; Ec2Error where it is not installed."""
    if shutil.which(words[0]) is None:
        raise Ec2Error(f"There is no command {words[0]}. Install it, and repeat.")
    os.execvp(words[0], words)  # noqa: S606 - no shell is wanted


def _running(account: Account) -> dict:
    found = instance(account)
    if found["State"]["Name"] != "running":
        raise Ec2Error(
            f"{found['InstanceId']} is {found['State']['Name']}. Start it: scripts/ec2.py start"
        )
    return found

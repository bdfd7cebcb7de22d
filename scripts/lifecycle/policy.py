"""The least that an operator's policy has to allow, filled in for one stack."""

from __future__ import annotations

import json

from .settings import ROLE
from .stack import Stack


def operator_policy(stack: Stack, account_number: str) -> dict:
    text = (ROLE / "files/operator_policy.json").read_text()
    holes = {"ACCOUNT": account_number, "REGION": stack.region, "STACK": stack.stack,
             "NAME": stack.name, "TAG": stack.tag_keys["stack"],
             "RESIZE_TAG": stack.tag_keys["resize"]}  # fmt: skip
    for hole, value in holes.items():
        text = text.replace(f"<{hole}>", value)
    return json.loads(text)

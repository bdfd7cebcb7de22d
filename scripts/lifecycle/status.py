"""How a stack is: what AWS says of it, and what it says itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, date, datetime

from .account import Account
from .changing import is_protected
from .finding import instances
from .pricing import cost, total
from .waiting import say

COLUMNS = ("stack", "state", "type", "address", "release", "age_hours", "expiry", "protected",
           "hour", "month", "accrued")  # fmt: skip


def status(account: Account) -> list[dict]:
    """A row an instance; one without an instance where there is none."""
    costs = total(cost(account))
    rows = []
    for each in instances(account):
        tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
        address = each.get("PublicIpAddress")
        serving = address if each["State"]["Name"] == "running" else None
        age = datetime.now(UTC) - each["LaunchTime"]
        rows.append({
            "stack": account.stack.stack, "account": account.number,
            "region": account.stack.region, "instance": each["InstanceId"],
            "state": each["State"]["Name"], "type": each["InstanceType"], "address": address,
            "release": live_release(serving) if serving else None,
            "age_hours": round(age.total_seconds() / 3600, 1),
            "expiry": tags.get(account.stack.tag_keys["expiry"]),
            "protected": is_protected(account, each["InstanceId"]), **costs,
        })  # fmt: skip
    if len(rows) > 1:
        say(f"{len(rows)} instances carry the tag of {account.stack.stack}: take it off all but "
            "one, or tear the stack down.")  # fmt: skip
    return rows or [{"stack": account.stack.stack, "account": account.number,
                     "region": account.stack.region, "state": "none", **costs}]  # fmt: skip


def is_expired(expiry: str | None) -> bool:
    """Whether the day of an expiry tag has passed; what is no day never does."""
    try:
        return date.fromisoformat(expiry or "never") < datetime.now(UTC).date()
    except ValueError:
        return False


def live_release(address: str, seconds: float = 3) -> str | None:
    """The release that answers there; None where nothing does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/readyz", timeout=seconds) as answer:
            return json.load(answer).get("release_id")
    except (OSError, ValueError, urllib.error.URLError):
        return None

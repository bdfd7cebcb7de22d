"""How a stack is: what AWS says of it, and what it says itself."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from datetime import UTC, date, datetime

from .account import Account
from .changing import is_protected
from .finding import expiry, find, instances
from .pricing import cost, total
from .stack import Stack
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
            "release": live_release(account.stack, serving) if serving else None,
            "age_hours": round(age.total_seconds() / 3600, 1),
            "expiry": tags.get(account.stack.tag_keys["expiry"]),
            "protected": is_protected(account, each["InstanceId"]), **costs,
        })  # fmt: skip
    if len(rows) > 1:
        say(f"{len(rows)} instances carry the tag of {account.stack.stack}: take it off all but "
            "one, or tear the stack down.")  # fmt: skip
    return rows or [{"stack": account.stack.stack, "account": account.number,
                     "region": account.stack.region, "state": "none",
                     "expiry": expiry(find(account)), **costs}]  # fmt: skip


def is_expired(day: str | None) -> bool:
    """Whether the day of an expiry tag has passed; what is no day never does."""
    try:
        return date.fromisoformat(day or "never") < datetime.now(UTC).date()
    except ValueError:
        return False


def live_release(stack: Stack, address: str, seconds: float = 3) -> str | None:
    """The release that answers there; None where nothing does.

    Whose the certificate is does not matter for what is only shown.
    """
    try:
        with socket.create_connection((address, stack.port), timeout=seconds) as line:
            connection = http.client.HTTPConnection(stack.tls_name or address)
            connection.sock = _encrypted(line, stack.tls_name)
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return json.load(answer).get("release_id") if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None


def _encrypted(line: socket.socket, name: str | None) -> socket.socket:
    if name is None:
        return line
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(line, server_hostname=name or None)

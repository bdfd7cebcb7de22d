"""What a stack costs, by the table that the role plans with: US dollars, no traffic, no taxes."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import yaml

from .account import Account
from .errors import Ec2Error
from .finding import described, instances
from .settings import ROLE

HOURS_PER_MONTH = 730


class Prices:
    """The table of one region."""

    def __init__(self, region: str) -> None:
        table = yaml.safe_load((ROLE / "files/prices.yml").read_text())
        if region not in table["regions"]:
            raise Ec2Error(
                f"No prices are known for {region}, only for {', '.join(table['regions'])}. "
                "Add it to ansible/roles/ec2_instance/files/prices.yml."
            )
        self.date, self.address_hour = str(table["date"]), table["address_hour"]
        self._credits, self._processors = table["credits"], table["credit_processors"]
        self.architectures = table["architectures"]
        self.region, self.types = region, table["regions"][region]["hour"]
        self.disk_gb_hour = table["regions"][region]["disk_gb_month"] / HOURS_PER_MONTH
        self.snapshot_gb_hour = table["regions"][region]["snapshot_gb_month"] / HOURS_PER_MONTH

    def hour(self, instance_type: str) -> float:
        if instance_type not in self.types:
            raise Ec2Error(
                f"The instance type {instance_type} has no price in {self.region}; "
                f"known are {', '.join(self.types)}. "
                "Add it to ansible/roles/ec2_instance/files/prices.yml."
            )
        return self.types[instance_type]

    def credits_hour(self, instance_type: str) -> float:
        """What processor time costs at most, beyond what the type earns."""
        return self._credits.get(instance_type.partition(".")[0], 0) * self._processors

    def architecture(self, instance_type: str) -> str:
        self.hour(instance_type)
        return self.architectures[instance_type.partition(".")[0]]


def cost(account: Account, now: datetime | None = None) -> list[dict]:
    """A row a thing that costs: {what, id, hour, month, accrued}, in dollars.

    Accrued is a lower bound: of an instance its last run (on spot by the lowest price in it), of
    disks and snapshots their whole life, of a kept address the instance's life, since AWS does not
    tell when it was taken. What is unknown is None.
    """
    now, prices = now or datetime.now(UTC), Prices(account.stack.region)
    rows, first = [], now
    for each in instances(account):
        runs, hours = _last_run(each, now)
        market, hourly, least = _rates(account, each, prices.types.get(each["InstanceType"]))
        what = f"{each['InstanceType']}{market}, {each['State']['Name']}"
        accrued = None if least is None else least * hours
        rows.append(_row(what, each["InstanceId"], hourly if runs else 0, accrued))
        if runs and each.get("PublicIpAddress") and not _is_kept(account, each):
            price = prices.address_hour
            rows.append(_row("address", each["PublicIpAddress"], price, price * hours))
    for each in described(account, "volume"):
        first = min(first, each["CreateTime"])
        price = each["Size"] * prices.disk_gb_hour
        rows.append(_row(f"disk {each['Size']} GB", each["VolumeId"], price,
                         price * _hours(now - each["CreateTime"])))  # fmt: skip
    for each in described(account, "snapshot", OwnerIds=["self"]):
        price = each["VolumeSize"] * prices.snapshot_gb_hour
        rows.append(_row(f"snapshot {each['VolumeSize']} GB at most", each["SnapshotId"], price,
                         price * _hours(now - each["StartTime"])))  # fmt: skip
    for each in described(account, "address"):
        price = prices.address_hour
        rows.append(_row("kept address", each["PublicIp"], price, price * _hours(now - first)))
    return rows


def total(rows: list[dict]) -> dict:
    """The sums; None where a part of one is unknown."""
    columns = {key: [row[key] for row in rows] for key in ("hour", "month", "accrued")}
    return {key: None if None in column else round(sum(column), 4)
            for key, column in columns.items()}  # fmt: skip


def _row(what: str, identity: str, hourly: float | None, accrued: float | None) -> dict:
    month = None if hourly is None else hourly * HOURS_PER_MONTH
    return {"what": what, "id": identity, "hour": _rounded(hourly, 4),
            "month": _rounded(month, 2), "accrued": _rounded(accrued, 4)}  # fmt: skip


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


Rate = float | None  # None where the table has no price


def _rates(account: Account, instance: dict, on_demand: Rate) -> tuple[str, Rate, Rate]:
    """How it is called, what an hour costs now and at least cost since the launch."""
    if instance.get("InstanceLifecycle") != "spot":
        return ", price unknown" if on_demand is None else "", on_demand, on_demand
    pages = account.ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=[instance["InstanceType"]], ProductDescriptions=["Linux/UNIX"],
        AvailabilityZone=instance["Placement"]["AvailabilityZone"],
        StartTime=instance["LaunchTime"],
    )  # fmt: skip
    history = sorted((each["Timestamp"], float(each["SpotPrice"]))
                     for each in pages.search("SpotPriceHistory[]"))  # fmt: skip
    if not history:
        return " on spot (price unknown: as on demand)", on_demand, 0.0
    return " on spot", history[-1][1], min(price for _, price in history)


def _last_run(instance: dict, now: datetime) -> tuple[bool, float]:
    """Whether it costs now, and the hours of its last run."""
    if instance["State"]["Name"] in ("running", "pending"):
        return True, _hours(now - instance["LaunchTime"])
    ended = re.search(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", instance["StateTransitionReason"])
    if ended is None:
        return False, 0.0
    stopped = datetime.strptime(ended[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return False, max(0.0, _hours(stopped - instance["LaunchTime"]))


def _is_kept(account: Account, instance: dict) -> bool:
    kept = [each["PublicIp"] for each in described(account, "address")]
    return instance["PublicIpAddress"] in kept


def _hours(duration) -> float:
    return duration.total_seconds() / 3600

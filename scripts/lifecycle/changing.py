"""Start, stop, reboot, resize, protect: what is done to an instance that stays."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from .account import Account
from .errors import Ec2Error
from .explaining import explain
from .finding import described, instance
from .pricing import Prices
from .waiting import say, wait_until


def state(account: Account) -> str:
    return instance(account)["State"]["Name"]


def start(account: Account) -> dict:
    found = instance(account)
    now = found["State"]["Name"]
    if now == "stopping":
        wait_until("it has stopped", lambda: state(account), {"stopped"})
    if now in ("stopping", "stopped"):
        account.ec2.start_instances(InstanceIds=[found["InstanceId"]])
    wait_until("it runs", lambda: state(account), {"running"})
    _forget_resize(account, found)
    return {"instance": found["InstanceId"], "state": "running", "was": now,
            "address": instance(account).get("PublicIpAddress")}  # fmt: skip


def stoppable(account: Account) -> dict:
    """The instance; Ec2Error for one that AWS can't stop."""
    found = instance(account)
    if found.get("InstanceLifecycle") == "spot":
        raise Ec2Error(
            f"{found['InstanceId']} is a spot instance, which can't be stopped or resized. "
            "Tear it down, and provision what you need."
        )
    return found


def stop(account: Account) -> dict:
    found = stoppable(account)
    _forget_resize(account, found)
    return _stop(account, found)


def _stop(account: Account, found: dict) -> dict:
    now = found["State"]["Name"]
    if now == "pending":
        wait_until("it runs", lambda: state(account), {"running"})
    if now in ("pending", "running"):
        account.ec2.stop_instances(InstanceIds=[found["InstanceId"]])
    wait_until("it has stopped", lambda: state(account), {"stopped"})
    return {"instance": found["InstanceId"], "state": "stopped", "was": now}


def rebootable(account: Account) -> dict:
    """The instance; Ec2Error for one that does not run."""
    found = instance(account)
    if found["State"]["Name"] != "running":
        raise Ec2Error(
            f"{found['InstanceId']} is {found['State']['Name']} and can't be rebooted. "
            "Start it: scripts/ec2.py start"
        )
    return found


def reboot(account: Account) -> dict:
    found = rebootable(account)
    account.ec2.reboot_instances(InstanceIds=[found["InstanceId"]])
    return {"instance": found["InstanceId"], "state": "running", "was": "running"}


def check_resize(account: Account, instance_type: str) -> dict:
    """The instance, once it is known that it can become of that type."""
    found, prices = stoppable(account), Prices(account.stack.region)
    wanted, has = prices.architecture(instance_type), found["Architecture"]
    if wanted != has:
        raise Ec2Error(
            f"{instance_type} is {wanted} and {found['InstanceId']} is {has}: its disk would not "
            f"boot. Take another type, or tear down and provision with {instance_type}."
        )
    _refuse_above_limit(account, found, instance_type, prices)
    return found


def _refuse_above_limit(account: Account, found: dict, wanted: str, prices: Prices) -> None:
    """Ec2Error where it would cost more than the limit, and more than it does."""
    disks = sum(each["Size"] for each in described(account, "volume")) * prices.disk_gb_hour
    has, limit = found["InstanceType"], account.stack.max_hourly_cost
    buys = prices.credits_hour(has) > 0 and _buys_credits(account, found)

    def hourly(instance_type: str) -> float:
        bought = prices.credits_hour(instance_type) if buys else 0
        return prices.types.get(instance_type, 0) + bought + disks + prices.address_hour

    if hourly(wanted) > max(limit, hourly(has)):
        bought = ", processor time that it may buy included (ec2_instance_cpu_credits)"
        raise Ec2Error(
            f"{wanted} with its disk and an address costs up to {hourly(wanted):.4f} $/h"
            f"{bought if buys else ''}, above ec2_instance_max_hourly_cost={limit}. "
            "Take a smaller type, or raise the limit in the inventory."
        )


def _buys_credits(account: Account, found: dict) -> bool:
    answer = account.ec2.describe_instance_credit_specifications(InstanceIds=[found["InstanceId"]])
    return answer["InstanceCreditSpecifications"][0]["CpuCredits"] == "unlimited"


def plan_resize(account: Account, instance_type: str) -> dict:
    """What a resize will do, which for one of that type may be nothing."""
    found = check_resize(account, instance_type)
    steps = ["stop", "resize"] if found["InstanceType"] != instance_type else []
    if _ran(account, found) and (steps or found["State"]["Name"] != "running"):
        steps.append("start")
    return {"plan": ", ".join(steps) or "nothing: it is of that type",
            "instance": found["InstanceId"], "type": instance_type,
            "was": found["InstanceType"]}  # fmt: skip


def resize(account: Account, instance_type: str) -> dict:
    """Stop, change the type, and start if it ran; what fails on the way takes the old type back.

    A tag says meanwhile that it ran: what cuts this off is mended by a repetition.
    """
    found = check_resize(account, instance_type)
    identity, old, ran = found["InstanceId"], found["InstanceType"], _ran(account, found)
    go_on = f"Go on: scripts/ec2.py resize {instance_type}, or start"
    try:
        if old != instance_type:
            if ran:
                _note_resize(account, identity, instance_type)
            _stop(account, found)
            _set_type(account, identity, instance_type)
        if ran:
            start(account)
    except (ClientError, BotoCoreError, Ec2Error) as error:
        say(f"Taking {old} back: {explain(error)}")
        try:
            _take_back(account, old, starts=ran)
        except (ClientError, BotoCoreError, Ec2Error) as again:
            why = "" if explain(again) == explain(error) else f" ({explain(again)})"
            raise Ec2Error(
                f"{identity} may be stopped: {explain(error)} "
                f"Nor was {old} taken back{why}. {go_on}"
            ) from again
        raise Ec2Error(f"{identity} is {old} as before. {explain(error)}") from error
    except KeyboardInterrupt:
        say(f"{identity} may be stopped. {go_on}")
        raise
    return {"instance": identity, "type": instance_type, "was": old}


def _take_back(account: Account, old: str, *, starts: bool) -> None:
    found = instance(account)
    if found["InstanceType"] != old:  # what just failed need not be asked again
        _set_type(account, found["InstanceId"], old)
    if starts:
        start(account)


def _ran(account: Account, found: dict) -> bool:
    """Whether it runs, or did before a resize that was cut off and nobody stopped it since."""
    return found["State"]["Name"] in ("pending", "running") or _is_half_resized(account, found)


def _is_half_resized(account: Account, found: dict) -> bool:
    return account.stack.tag_keys["resize"] in {tag["Key"] for tag in found.get("Tags", [])}


def _note_resize(account: Account, identity: str, wanted: str) -> None:
    tag = {"Key": account.stack.tag_keys["resize"], "Value": wanted}
    account.ec2.create_tags(Resources=[identity], Tags=[tag])


def _forget_resize(account: Account, found: dict) -> None:
    if _is_half_resized(account, found):
        tag = {"Key": account.stack.tag_keys["resize"]}
        account.ec2.delete_tags(Resources=[found["InstanceId"]], Tags=[tag])


def _set_type(account: Account, identity: str, instance_type: str) -> None:
    account.ec2.modify_instance_attribute(
        InstanceId=identity, InstanceType={"Value": instance_type}
    )


def is_protected(account: Account, identity: str) -> bool:
    answer = account.ec2.describe_instance_attribute(
        InstanceId=identity, Attribute="disableApiTermination"
    )
    return answer["DisableApiTermination"]["Value"]


def set_protection(account: Account, wanted: bool) -> dict:
    identity = instance(account)["InstanceId"]
    account.ec2.modify_instance_attribute(
        InstanceId=identity, DisableApiTermination={"Value": wanted}
    )
    return {"instance": identity, "protected": wanted}

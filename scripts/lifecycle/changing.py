"""Start, stop, reboot, resize, protect: what is done to an instance that stays."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from .account import Account
from .errors import Ec2Error
from .explaining import explain
from .finding import instance
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
    now = found["State"]["Name"]
    if now == "pending":
        wait_until("it runs", lambda: state(account), {"running"})
    if now in ("pending", "running"):
        account.ec2.stop_instances(InstanceIds=[found["InstanceId"]])
    wait_until("it has stopped", lambda: state(account), {"stopped"})
    return {"instance": found["InstanceId"], "state": "stopped", "was": now}


def reboot(account: Account) -> dict:
    found = instance(account)
    if found["State"]["Name"] != "running":
        raise Ec2Error(
            f"{found['InstanceId']} is {found['State']['Name']} and can't be rebooted. "
            "Start it: scripts/ec2.py start"
        )
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
    return found


def resize(account: Account, instance_type: str) -> dict:
    """Stop, change the type, and start if it ran; what fails on the way takes the old type back."""
    found = check_resize(account, instance_type)
    identity, old = found["InstanceId"], found["InstanceType"]
    done = {"instance": identity, "type": instance_type, "was": old}
    if old == instance_type:
        return done
    ran = found["State"]["Name"] in ("pending", "running")
    stop(account)
    try:
        _set_type(account, identity, instance_type)
        if ran:
            start(account)
    except (ClientError, BotoCoreError) as error:
        say(f"Taking {old} back: {explain(error)}")
        if instance(account)["InstanceType"] != old:  # what just failed need not be asked again
            _set_type(account, identity, old)
        if ran:
            start(account)
        raise Ec2Error(f"{identity} is {old} as before. {explain(error)}") from error
    return done


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

"""An image of the host, and the old ones pruned."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from .account import Account
from .errors import Ec2Error
from .finding import described, instance
from .waiting import say, wait_until

KNOWN_SECONDS = 30  # in which what was just made is to be known everywhere at AWS


def prunable(account: Account, keep: int) -> list[dict]:
    """The stack's images beside the newest `keep`, and beside the one that it is launched from."""
    spared = {account.stack.pinned().get("image_id")}
    images = described(account, "image", Owners=["self"])
    newest = sorted(images, key=lambda each: (each["CreationDate"], each["Name"]), reverse=True)
    return [each for each in newest[keep:] if each["ImageId"] not in spared]


def make_image(account: Account, keep: int, *, reboot: bool, pin: bool) -> dict:
    """Make an image, wait for it, then remove older ones; a failed image removes nothing."""
    found, stack = instance(account), account.stack
    tags = [tag for tag in found["Tags"] if not tag["Key"].startswith("aws:")]
    image = account.ec2.create_image(
        InstanceId=found["InstanceId"], NoReboot=not reboot,
        Name=f"{stack.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
    )["ImageId"]  # fmt: skip
    begun = time.monotonic()
    ended = wait_until(f"{image} is whole", lambda: _state(account, image, begun),
                       {"available", "failed", "error"}, limit=3600)  # fmt: skip
    if ended != "available":
        raise Ec2Error(f"{image} failed at AWS; older images were kept. Repeat: ec2.py image")
    if pin:
        stack.pin(account.number, image)
    pruned = prunable(account, keep)
    for each in pruned:
        remove_image(account, each["ImageId"])
    return {"image": image, "of": found["InstanceId"], "pinned": pin,
            "pruned": [each["ImageId"] for each in pruned]}  # fmt: skip


def remove_image(account: Account, image: str) -> None:
    """Deregister it and delete its snapshots, which AWS would keep and bill."""
    found = account.ec2.describe_images(ImageIds=[image])["Images"]
    mappings = found[0].get("BlockDeviceMappings", []) if found else []
    say(f"Removing the image {image}")
    account.ec2.deregister_image(ImageId=image)
    for mapping in mappings:
        if "SnapshotId" in mapping.get("Ebs", {}):
            account.ec2.delete_snapshot(SnapshotId=mapping["Ebs"]["SnapshotId"])


def _state(account: Account, image: str, begun: float) -> str:
    """Its state, also where AWS does not know for a moment what was just made."""
    try:
        found = account.ec2.describe_images(ImageIds=[image])["Images"]
    except ClientError as error:
        is_young = time.monotonic() - begun < KNOWN_SECONDS
        if error.response["Error"]["Code"] != "InvalidAMIID.NotFound" or not is_young:
            raise
        found = []
    return found[0]["State"] if found else "not known yet"

"""An image of the host, and the old ones pruned."""

from __future__ import annotations

from datetime import UTC, datetime

from .account import Account
from .errors import Ec2Error
from .finding import described, instance
from .waiting import say, wait_until


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
    ended = wait_until(f"{image} is whole", lambda: _state(account, image),
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


def _state(account: Account, image: str) -> str:
    return account.ec2.describe_images(ImageIds=[image])["Images"][0]["State"]

#!/usr/bin/python
"""Launch one instance, on demand or on spot: amazon.aws.ec2_instance knows no spot.

It also repeats a launch that lacks capacity for minutes; here a refusal is known within one.
"""

from __future__ import annotations

import re
import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.exceptions import BotoCoreError, ClientError

SECONDS = 15  # in which what was just made is to be known everywhere at AWS
NOT_YET = r"\.NotFound|Invalid IAM Instance Profile"


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "spot_limit": {"type": "float"},  # dollars an hour; without it the launch is on demand
            "tags": {"type": "dict", "required": True},
            "launch": {"type": "dict", "required": True},  # in the words of EC2's RunInstances
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True)
    ec2 = module.client("ec2")
    tags = [{"Key": key, "Value": value} for key, value in module.params["tags"].items()]
    market = {"InstanceMarketOptions": spot(module.params["spot_limit"])}
    asked = {
        "MinCount": 1, "MaxCount": 1,
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags}
                              for kind in ("instance", "volume")],
        **(market if module.params["spot_limit"] is not None else {}),
        **module.params["launch"],
    }  # fmt: skip
    try:
        answer = patiently(lambda: ec2.run_instances(**asked))
        identity = answer["Instances"][0]["InstanceId"]
        patiently(lambda: ec2.describe_instances(InstanceIds=[identity]))
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg="Could not launch an instance")
    module.exit_json(changed=True, instance_id=identity)


def spot(limit: float | None) -> dict:
    """One-time: such a request ends with its instance, and launches nothing after a teardown.

    It bears no tag, since AWS goes on showing it for days after it ended.
    """
    bid = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate",
           "MaxPrice": f"{limit or 0:.4f}"}  # fmt: skip
    return {"MarketType": "spot", "SpotOptions": bid}


def patiently(ask):
    """The answer, also where AWS does not know for a moment what was just made."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return ask()
        except ClientError as error:
            if not re.search(NOT_YET, str(error)) or time.monotonic() > deadline:
                raise
            time.sleep(2)


if __name__ == "__main__":
    main()

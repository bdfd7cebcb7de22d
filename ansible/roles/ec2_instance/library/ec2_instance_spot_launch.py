#!/usr/bin/python
"""Launch one spot instance, which amazon.aws.ec2_instance can't, with its tags from the start."""

from __future__ import annotations

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.exceptions import BotoCoreError, ClientError


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "max_price": {"type": "float", "required": True},
            "tags": {"type": "dict", "required": True},
            # The rest, in the words of EC2's RunInstances
            "launch": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True)
    tags = [{"Key": key, "Value": value} for key, value in module.params["tags"].items()]
    # One-time: such a request ends with its instance, and nothing is launched after a teardown.
    # The request bears no tag, since AWS goes on showing it for days after it ended.
    market = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate",
              "MaxPrice": f"{module.params['max_price']:.4f}"}  # fmt: skip
    try:
        answer = module.client("ec2").run_instances(
            MinCount=1, MaxCount=1,
            InstanceMarketOptions={"MarketType": "spot", "SpotOptions": market},
            TagSpecifications=[{"ResourceType": kind, "Tags": tags}
                               for kind in ("instance", "volume")],
            **module.params["launch"],
        )  # fmt: skip
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg="Could not launch a spot instance")
    module.exit_json(changed=True, instance_id=answer["Instances"][0]["InstanceId"])


if __name__ == "__main__":
    main()

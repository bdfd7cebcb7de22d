#!/usr/bin/python
"""What a stack costs an hour: by AWS's price list where it answers in time, else by the table.

Disk and credits are those of the instance, where one is there.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import boto3
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PRICE_LIST_REGION = "us-east-1"  # it is kept there for all regions
IMPATIENCE = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
HOURS_PER_MONTH = 730


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "instance_type": {"type": "str", "required": True},
            "disk_gb": {"type": "int", "required": True},
            "cpu_credits": {"type": "str", "required": True},
            "credits_hour": {"type": "float", "default": 0},  # of a type that earns some: at most
            "instance_id": {"type": "str"},
            "spot": {"type": "bool", "default": False},
            "table": {"type": "dict", "required": True},
            "seconds": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    given = module.params
    unit, source = unit_prices(module)
    if unit["type"] is None:
        module.fail_json(
            msg=f"The instance type {given['instance_type']} has no price in {given['region']}: "
            "add it to roles/ec2_instance/files/prices.yml."
        )
    has = {"disk_gb": given["disk_gb"], "cpu_credits": given["cpu_credits"]}
    if given["instance_id"]:
        has |= there(module)
    buys = has["cpu_credits"] == "unlimited"
    hour = {
        "on_demand": unit["type"],
        "disk": unit["disk"] * has["disk_gb"] / HOURS_PER_MONTH,
        "address": unit["address"],
        "credits": given["credits_hour"] if buys else 0,
    }
    hour["type"] = spot_price(module) if given["spot"] else hour["on_demand"]
    total = hour["type"] + hour["disk"] + hour["address"]
    module.exit_json(
        changed=False, hour=hour, total=total, most=total + hour["credits"], source=source, **has
    )


def there(module: AnsibleAWSModule) -> dict:
    """What the instance has, whatever the settings say."""
    ec2, identity = module.client("ec2"), module.params["instance_id"]
    try:
        attached = [{"Name": "attachment.instance-id", "Values": [identity]}]
        disks = ec2.describe_volumes(Filters=attached)["Volumes"]
        has = {"disk_gb": sum(each["Size"] for each in disks)}
        if module.params["credits_hour"]:  # AWS refuses to tell it of other types
            answer = ec2.describe_instance_credit_specifications(InstanceIds=[identity])
            (has["cpu_credits"],) = (
                each["CpuCredits"] for each in answer["InstanceCreditSpecifications"]
            )
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg="Could not ask what the instance has")
    return has


def unit_prices(module: AnsibleAWSModule) -> tuple[dict, str]:
    """{"type", "disk", "address"} in dollars an hour or a GB-month, and whose prices these are."""
    answer: dict[str, object] = {}

    def ask() -> None:
        try:
            answer["prices"] = listed(module)
        except ClientError as error:
            answer["why"] = error.response["Error"]["Code"]
        except (BotoCoreError, LookupError, ValueError) as error:
            answer["why"] = type(error).__name__

    # Looking up a name knows no timeout: a thread can be left behind
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(module.params["seconds"])
    if "prices" in answer:
        return answer["prices"], f"AWS's price list of {datetime.now(UTC):%Y-%m-%d}"
    table = module.params["table"]
    why = answer.get("why", f"no answer in {module.params['seconds']:.0f} s")
    prices = {"type": table["hour"].get(module.params["instance_type"]),
              "disk": table["disk_gb_month"], "address": table["address_hour"]}  # fmt: skip
    return prices, f"the table of {table['date']}, since AWS's price list could not be read: {why}"


def listed(module: AnsibleAWSModule) -> dict:
    """The same, as AWS lists them now; LookupError or ValueError where it reads otherwise."""
    client = boto3.client("pricing", region_name=PRICE_LIST_REGION, config=IMPATIENCE)
    machine = {"instanceType": module.params["instance_type"], "operatingSystem": "Linux",
               "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}  # fmt: skip
    asked = {
        "type": ("AmazonEC2", machine, "BoxUsage:"),
        "disk": ("AmazonEC2", {"volumeApiName": "gp3"}, "EBS:VolumeUsage.gp3"),
        "address": ("AmazonVPC", {"group": "VPCPublicIPv4Address"}, "PublicIPv4:InUseAddress"),
    }
    prices = {}
    for name, (service, fields, usage) in asked.items():
        fields["regionCode"] = module.params["region"]
        filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value}
                   for field, value in fields.items()]  # fmt: skip
        answer = client.get_products(ServiceCode=service, Filters=filters)["PriceList"]
        products = [json.loads(each) for each in answer]
        (prices[name],) = {
            dollars(product) for product in products
            if usage in product["product"]["attributes"]["usagetype"]
        }  # fmt: skip
    return prices


def dollars(product: dict) -> float:
    """The one price of a product on demand."""
    (term,) = product["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    return float(dimension["pricePerUnit"]["USD"])


def spot_price(module: AnsibleAWSModule) -> float:
    """What the type costs now in the dearest zone of the region, in dollars an hour."""
    wanted = module.params["instance_type"]
    try:
        history = module.client("ec2").describe_spot_price_history(
            InstanceTypes=[wanted], ProductDescriptions=["Linux/UNIX"], StartTime=datetime.now(UTC)
        )["SpotPriceHistory"]
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg="Could not ask for spot prices")
    if not history:
        module.fail_json(
            msg=f"There is no spot price of {wanted} in {module.params['region']}: take another "
            "type, or set ec2_instance_spot to false."
        )
    return max(float(each["SpotPrice"]) for each in history)


if __name__ == "__main__":
    main()

"""amazon.aws.aws_ec2 with an end to its patience, which is several minutes otherwise."""

from ansible.errors import AnsibleError
from ansible_collections.amazon.aws.plugins.inventory.aws_ec2 import InventoryModule as AwsEc2
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = """
name: aws_ec2_in_time
short_description: amazon.aws.aws_ec2, answered or given up within seconds
description: Takes the options of amazon.aws.aws_ec2 that stand here; what they mean is told there.
extends_documentation_fragment:
  - inventory_cache
  - constructed
  - amazon.aws.boto3
  - amazon.aws.common.plugins
  - amazon.aws.region.plugins
  - amazon.aws.assume_role.plugins
options:
  regions: {description: See there., type: list, elements: str, default: []}
  hostnames: {description: See there., type: list, elements: raw, default: []}
  allow_duplicated_hosts: {description: See there., type: bool, default: false}
  filters: {description: See there., type: dict, default: {}}
  include_filters: {description: See there., type: list, elements: dict, default: []}
  exclude_filters: {description: See there., type: list, elements: dict, default: []}
  strict_permissions: {description: See there., type: bool, default: true}
  use_contrib_script_compatible_sanitization: {description: See there., type: bool, default: false}
  use_contrib_script_compatible_ec2_tag_keys: {description: See there., type: bool, default: false}
  hostvars_prefix: {description: See there., type: str}
  hostvars_suffix: {description: See there., type: str}
  use_ssm_inventory: {description: See there., type: bool, default: false}
  route53_enabled: {description: See there., type: bool, default: false}
  route53_excluded_zones: {description: See there., type: list, elements: str, default: []}
  route53_hostnames: {description: See there., type: list, elements: str, default: []}
"""

PATIENCE = Config(connect_timeout=3, read_timeout=7, retries={"total_max_attempts": 2})


class InventoryModule(AwsEc2):
    NAME = "aws_ec2_in_time"

    def parse(self, *arguments, **options):
        """Say in one line what AWS refused, and know no address: who needs one can't do without.

        Ansible itself would try the file as three other kinds of inventory, with five lines each.
        """
        try:
            super().parse(*arguments, **options)
        except (AnsibleError, BotoCoreError, ClientError) as error:
            said = " ".join(str(error).split())
            self.display.warning(f"No instance's address is known: {said}")

    def client(self, *arguments, **options):
        return super().client(*arguments, config=PATIENCE, **options)

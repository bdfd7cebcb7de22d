"""Stacks made call by call, as the playbook leaves them, and strangers that nearly match."""

import json

from testcloud.server import IMAGES

IMAGE = IMAGES["debian-13-amd64-20261101-2300"][0]
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "ssm:UpdateInstanceInformation", "Resource": "*"}]})  # fmt: skip
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q"
# tags that are not frontdesk-stack=main
NEAR = [
    {"frontdesk-stack": "main2"}, {"frontdesk-stack": "Main"}, {"frontdesk-stack": "mai"},
    {"frontdesk-stack": "main "}, {"frontdesk-stack": ""}, {"Frontdesk-stack": "main"},
    {"frontdesk_stack": "main"}, {"frontdesk-stacks": "main"}, {"stack": "main"},
    {"frontdesk-owner": "main"}, {"Name": "frontdesk-main"}, {},
]  # fmt: skip


def tags(values, *kinds):
    pairs = [{"Key": key, "Value": value} for key, value in values.items()]
    return [{"ResourceType": kind, "Tags": pairs} for kind in kinds] if pairs else []


def launch(client, values, **options):
    given = {"ImageId": IMAGE, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
             "TagSpecifications": tags(values, "instance", "volume"),
             "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {
                 "VolumeSize": 8, "VolumeType": "gp3", "Encrypted": True,
                 "DeleteOnTermination": True}}]}  # fmt: skip
    return client.run_instances(**given | options)["Instances"][0]["InstanceId"]


def make_stack(cloud, stack="main", expiry="never"):
    """One of everything; the instance's id."""
    ec2, iam, name = cloud.client("ec2"), cloud.client("iam"), f"frontdesk-{stack}"
    values = {"Name": name, "frontdesk-stack": stack, "frontdesk-owner": "ada",
              "frontdesk-expiry": expiry}  # fmt: skip
    pairs = [{"Key": key, "Value": value} for key, value in values.items()]
    ec2.import_key_pair(KeyName=name, PublicKeyMaterial=KEY.encode(),
                        TagSpecifications=tags(values, "key-pair"))  # fmt: skip
    group = ec2.create_security_group(GroupName=name, Description="d",
                                      TagSpecifications=tags(values, "security-group"))  # fmt: skip
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Tags=pairs)
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=POLICY)
    iam.create_instance_profile(InstanceProfileName=name, Tags=pairs)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    instance = launch(ec2, values, KeyName=name, SecurityGroupIds=[group["GroupId"]],
                      IamInstanceProfile={"Name": name})  # fmt: skip
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags(values, "elastic-ip"))
    ec2.associate_address(InstanceId=instance, AllocationId=address["AllocationId"])
    return instance


def make_decoys(cloud):
    """Twenty strangers of every kind; a function that tells all of them that are there."""
    ec2, iam = cloud.client("ec2"), cloud.client("iam")
    for number, near in enumerate(NEAR):
        launch(ec2, near)
        if number < 2:
            ec2.allocate_address(Domain="vpc", TagSpecifications=tags(near, "elastic-ip"))
            ec2.create_security_group(GroupName=f"frontdesk-main-{number}", Description="d",
                                      TagSpecifications=tags(near, "security-group"))  # fmt: skip
            ec2.import_key_pair(KeyName=f"frontdesk-main{number}", PublicKeyMaterial=KEY.encode(),
                                TagSpecifications=tags(near, "key-pair"))  # fmt: skip
    # By name they are ours, by tag not
    iam.create_role(RoleName="frontdesk-main-2", AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName="frontdesk-main-2")
    return lambda: everything(cloud)


def everything(cloud):
    """(kind, id, state) of all there is in the account and can be billed or found."""
    backend = cloud.ec2
    groups = [g for each in backend.groups.values() for g in each.values() if g.name != "default"]
    gone = ("terminated", "shutting-down")
    return {
        *(("instance", i.id) for i in backend.all_instances() if i.state not in gone),
        *(("volume", each) for each in backend.volumes),
        *(("address", each.allocation_id) for each in backend.addresses),
        *(("group", each.id) for each in groups),
        *(("key", each.id) for each in backend.key_pairs.values()),
        *(("image", each.id) for each in backend.amis.values()
          if each.owner_id == backend.account_id),
        *(("snapshot", each.id) for each in backend.snapshots.values()
          if "frontdesk-stack" in {tag["key"] for tag in each.get_tags()}),
        *(("role", each.name) for each in cloud.iam.roles.values()),
        *(("profile", each.name) for each in cloud.iam.instance_profiles.values()),
    }  # fmt: skip

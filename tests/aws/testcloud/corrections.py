"""Where moto forgives or lacks what AWS does not: corrected here, once a process.

These reach into moto's internals, so another minor version of moto is refused.
"""

import copy
import functools
import itertools
import threading

import moto
from moto.ec2 import utils
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import (
    amis,
    elastic_block_store,
    elastic_ip_addresses,
    iam_instance_profile,
    instances,
    security_groups,
    tags,
)
from moto.ec2.models import elastic_network_interfaces as interfaces
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.key_pairs import KeyPairs
from moto.ec2.responses.spot_instances import SpotInstances

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64,
         "stopped": 80}  # fmt: skip
ADDRESSES = (f"198.18.{high}.{low}" for high, low in itertools.product(range(256), range(1, 255)))
NO_TOKEN = "ABCDE"  # noqa: S105 - what moto calls a launch without a token
GONE = ("terminated", "shutting-down")


class Pace:
    """How long a change of an instance's state takes, in seconds."""

    seconds = 0.05


class Market:
    """What a spot instance of any type costs in each zone, in dollars an hour, now and always."""

    prices = ("0.0030", "0.0040")


class Below:
    """What the instances run on (`machines.Machines`); None where they are mere records."""

    machines = None


def apply():
    """Correct moto once; a repeated call changes nothing."""
    if not moto.__version__.startswith("5.2."):
        raise RuntimeError(f"moto {moto.__version__}: these corrections were made for 5.2")
    if not getattr(instances.Instance, "corrected", False):
        instances.Instance.corrected = True
        for correct in (_states, _launches, _dependencies, _images, _addresses, _tags, _spot):
            correct()


def _replace(owner, name):
    """Decorate a function that is given the original as well, and put it in its place."""

    def put(replacement):
        setattr(owner, name, functools.partialmethod(replacement, getattr(owner, name)))
        return replacement

    return put


def _enter(instance, transient, final):
    """Let an instance pass through a state into another one."""
    instance._state = instances.InstanceState(transient, CODES[transient])
    turn = instance.turn = object()

    def settle():
        machines, reached = Below.machines, final
        if machines and not machines.bring(instance, final):
            reached = "terminated"  # as AWS ends what it can't launch
        if instance.turn is turn:  # nothing else was asked of it meanwhile
            instance._state = instances.InstanceState(reached, CODES[reached])
            if machines and reached == "running":
                _watch(instance)

    _later(settle)


def _watch(instance):
    """A guest that shuts itself down ends the instance's run, as the instance says."""
    turn = instance.turn

    def wait():
        Below.machines.wait_for_end(instance)
        if instance.turn is turn and instance.state == "running":
            ends = instance.instance_initiated_shutdown_behavior == "terminate"
            instance.terminate() if ends or instance.lifecycle == "spot" else instance.stop()

    _later(wait)


def _later(work):
    timer = threading.Timer(Pace.seconds, work)
    timer.daemon = True
    timer.start()


def _expect(instance, *states, action):
    if instance.state not in states:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {action}.",
        )


def _states():
    @_replace(instances.Instance, "start")
    def start(self, original):
        _expect(self, "stopped", "running", "pending", action="started")
        before = original(self)
        if before.name == "stopped":
            _enter(self, "pending", "running")
        for address in self.ec2_backend.addresses:  # moto forgets it while stopped
            if address.instance is self:
                self.nics[0].public_ip = address.public_ip
        return before

    @_replace(instances.Instance, "stop")
    def stop(self, original):
        _expect(self, "running", "pending", "stopping", "stopped", action="stopped")
        if self.lifecycle == "spot":
            raise EC2ClientError(
                "UnsupportedOperation",
                f"You can't stop the Spot Instance '{self.id}' because it is associated with a "
                "one-time Spot Instance request.",
            )
        before = original(self)
        if before.name != "stopped":
            _enter(self, "stopping", "stopped")
        return before

    @_replace(instances.Instance, "terminate")
    def terminate(self, original):
        if self.state in GONE:
            return copy.copy(self._state)
        before = original(self)
        for address in self.ec2_backend.addresses:  # AWS disassociates it
            if address.instance is self:
                address.instance = address.eni = address.association_id = None
        _enter(self, "shutting-down", "terminated")
        return before

    @_replace(instances.Instance, "reboot")
    def reboot(self, original):
        _expect(self, "running", action="rebooted")
        original(self)
        if Below.machines:
            self.turn = object()
            _later(lambda: (Below.machines.restart(self), _watch(self)))

    @_replace(instances.InstanceBackend, "modify_instance_attribute")
    def modify(self, original, instance_id, key, value):
        instance = self.get_instance(instance_id)
        if key == "instance_type":
            _expect(instance, "stopped", action="resized")
        if key == "disable_api_termination":
            value = str(value).lower() == "true"
        return original(self, instance_id, key, value)


def _tags():
    @_replace(tags.TagBackend, "describe_tags")
    def describe(self, original, filters=None):
        """AWS forgets the tags of what was deleted; moto does not."""
        groups = [group for each in self.groups.values() for group in each]
        there = {*self.volumes, *groups, *(key.id for key in self.key_pairs.values()),
                 *(address.allocation_id for address in self.addresses), *self.amis,
                 *self.snapshots}  # fmt: skip
        forgets = ("vol-", "sg-", "key-", "eipalloc-", "ami-", "snap-")
        return [
            tag
            for tag in original(self, filters)
            if not tag["resource_id"].startswith(forgets) or tag["resource_id"] in there
        ]

    @_replace(KeyPairs, "delete_key_pair")
    def delete_key_pair(self, original):
        """moto knows key pairs by their names alone."""
        wanted = self._get_param("KeyPairId")
        for name, pair in list(self.ec2_backend.key_pairs.items()):
            if pair.id == wanted:
                self.ec2_backend.delete_key_pair(name)
        return original(self)


def _launches():
    @_replace(InstanceResponse, "run_instances")
    def launch(self, original):
        answer = original(self)
        wanted = self._get_param("CreditSpecification", {}).get("CpuCredits", "unlimited")
        for each in answer.result.instances:
            self.ec2_backend.get_instance(each.id).cpu_credits = wanted
        return answer

    @_replace(InstanceResponse, "describe_instance_credit_specifications")
    def credit_specifications(self, original):
        """moto says standard of all."""
        answer = original(self)
        for each in answer.result["InstanceCreditSpecifications"]:
            each["CpuCredits"] = self.ec2_backend.get_instance(each["InstanceId"]).cpu_credits
        return answer

    @_replace(instances.InstanceBackend, "run_instances")
    def run(self, original, *arguments, **options):
        tokens = self.__dict__.setdefault("launches", {})
        token = options.get("client_token")
        if token != NO_TOKEN and token in tokens:
            return tokens[token]
        reservation = tokens[token] = original(self, *arguments, **options)
        for instance in reservation.instances:
            _enter(instance, "pending", "running")
        return reservation

    @_replace(
        iam_instance_profile.IamInstanceProfileAssociationBackend, "associate_iam_instance_profile"
    )
    def associate(self, original, instance_id, *arguments, **options):
        """Called at each launch, also for one that was done already by its token."""
        there = self.iam_instance_profile_associations.get(instance_id)
        return there or original(self, instance_id, *arguments, **options)


def _spot():
    @_replace(SpotInstances, "describe_spot_price_history")
    def history(self, original):
        answer = original(self)
        answer.result["SpotPriceHistory"] = [
            {"InstanceType": self._get_param("InstanceTypes", ["?"])[0], "SpotPrice": price,
             "AvailabilityZone": f"{self.region}{zone}", "ProductDescription": "Linux/UNIX",
             "Timestamp": "2026-01-02T00:00:00Z"}
            for zone, price in zip("ab", Market.prices, strict=True)
            if self._get_param("AvailabilityZone") in (None, f"{self.region}{zone}")
        ]  # fmt: skip
        return answer


def _dependencies():
    @_replace(security_groups.SecurityGroupBackend, "delete_security_group")
    def delete(self, original, name=None, group_id=None):
        users = [
            instance
            for instance in self.all_instances()
            if instance.state not in ("terminated",)
            and any(group_id in (group.id, group.name) for group in instance.security_groups)
        ]
        if users:
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        return original(self, name, group_id)


def _images():
    @_replace(amis.AmiBackend, "create_image")
    def create(self, original, instance_id, name, description, *, tag_specifications):
        if any(image.name == name and image.owner_id == self.account_id
               for image in self.amis.values()):  # fmt: skip
            raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use")
        by_kind = {each["ResourceType"]: each for each in tag_specifications}
        snapshot_tags = by_kind.pop("snapshot", {"Tags": []})["Tags"]
        kept = list(by_kind.values())
        image = original(self, instance_id, name, description, tag_specifications=kept)
        image.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in snapshot_tags})
        image.state = "pending"

        def settle():
            kept = not Below.machines or Below.machines.save(instance_id, image.id)
            image.state = "available" if kept else "failed"

        _later(settle)
        return image

    @_replace(amis.AmiBackend, "deregister_image")
    def deregister(self, original, ami_id):
        original(self, ami_id)
        if Below.machines:
            Below.machines.forget(ami_id)

    @_replace(elastic_block_store.Volume, "__init__")
    def volume(self, original, *arguments, **options):
        original(self, *arguments, **options)
        self.multi_attach_enabled = False


def _addresses():
    for module, name in ((elastic_ip_addresses, "random_ip"), (interfaces, "random_public_ip")):
        setattr(module, name, lambda: next(ADDRESSES))
    for table in (utils.EC2_RESOURCE_TO_PREFIX, utils.EC2_PREFIX_TO_RESOURCE):
        for key, value in list(table.items()):
            if key == "vpc-elastic-ip":
                table["elastic-ip"] = value
            if value == "vpc-elastic-ip":
                table[key] = "elastic-ip"

    @_replace(elastic_ip_addresses.ElasticAddressBackend, "release_address")
    def release(self, original, address=None, allocation_id=None):
        if allocation_id and self.address_by_allocation([allocation_id])[0].association_id:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {allocation_id} is in use.")
        return original(self, address, allocation_id)

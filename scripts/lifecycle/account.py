"""Who asks: clients that give up in time, and an account that is the stack's."""

from __future__ import annotations

from functools import cached_property

import boto3
from botocore.config import Config

from .errors import Ec2Error
from .stack import Stack

# Three attempts of at most 7 s: a call that nobody answers, and the one that looks what became of
# it, end within a minute
PATIENCE = Config(
    connect_timeout=3, read_timeout=7, retries={"mode": "standard", "total_max_attempts": 3}
)


class Account:
    """AWS, seen from one stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._session = boto3.session.Session(region_name=stack.region)

    @cached_property
    def ec2(self):
        return self._client("ec2")

    @cached_property
    def iam(self):
        return self._client("iam")

    def _client(self, service: str):
        try:
            return self._session.client(service, config=PATIENCE)
        except ValueError as error:
            raise Ec2Error(f"{error}. Set AWS_ENDPOINT_URL as a URL, or unset it.") from error

    @cached_property
    def number(self) -> str:
        """The account's number; Ec2Error for the root user, and where account or region is another.

        Another, that is, than those in which the stack was made last.
        """
        caller = self._client("sts").get_caller_identity()
        number, pinned = caller["Account"], self.stack.pinned()
        if caller["Arn"].endswith(":root"):
            raise Ec2Error(
                f"These are the root user's credentials of account {number}. "
                "Take those of a user or role."
            )
        for owner, said in (
            (self.stack.account, "ec2_instance_account"),
            (pinned.get("account"), self.stack.state_path),
        ):
            if owner and owner != number:
                raise Ec2Error(
                    f"These credentials are of account {number}, but the stack {self.stack.stack} "
                    f"belongs to {owner} ({said}). Take other credentials."
                )
        if pinned.get("region", self.stack.region) != self.stack.region:
            raise Ec2Error(
                f"The region is {self.stack.region} (aws_ec2.yml), but the stack "
                f"{self.stack.stack} was made in {pinned['region']} ({self.stack.state_path}). "
                "Set regions back, and tear it down there first."
            )
        return number

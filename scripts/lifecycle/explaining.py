"""AWS's refusals in one line that says what to do next."""

from __future__ import annotations

import functools

import yaml
from botocore import exceptions

from .errors import Ec2Error
from .stack import ROLE


@functools.cache
def next_steps() -> dict[str, str]:
    """What to do about a refusal, by its code: the playbook says the same."""
    return yaml.safe_load((ROLE / "files/next_steps.yml").read_text())


def explain(error: Exception) -> str:
    """One line for an error of botocore; one of ours is one already."""
    if isinstance(error, Ec2Error):
        return str(error)
    if isinstance(error, exceptions.ClientError):
        said = error.response["Error"]
        code, message = said.get("Code", "?"), " ".join(said.get("Message", "").split())
        step = next_steps().get(code, "Repeat, or look at the AWS console.")
        return f"AWS refused {error.operation_name}: {code} ({message}). {step}"
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return "No AWS credentials were found. Set AWS_PROFILE, or run: aws configure"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}. Set AWS_PROFILE to one that `aws configure list-profiles` names."
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return f"AWS does not answer: {' '.join(str(error).split())} Check the network; repeat."
    return f"{type(error).__name__}: {' '.join(str(error).split())}"

"""AWS's refusals in one line that says what to do next."""

from __future__ import annotations

import functools

import yaml
from botocore import exceptions

from .errors import Ec2Error
from .settings import ROLE

LINES = [
    (Ec2Error, "{}"),
    (exceptions.NoCredentialsError | exceptions.PartialCredentialsError,
     "No AWS credentials were found. Set AWS_PROFILE, or run: aws configure"),
    (exceptions.ProfileNotFound,
     "{}. Set AWS_PROFILE to one that `aws configure list-profiles` names."),
    (exceptions.ConfigParseError,
     "{}. Repair that file: it is to read as `aws configure` writes it."),
    (exceptions.HTTPClientError | exceptions.ConnectionError,
     "AWS does not answer: {} Check the network; repeat."),
]  # fmt: skip


@functools.cache
def next_steps() -> dict[str, str]:
    """What to do about a refusal, by its code: the playbook says the same."""
    return yaml.safe_load((ROLE / "files/next_steps.yml").read_text())


def explain(error: Exception) -> str:
    """One line for an error of botocore; one of ours is one already."""
    if isinstance(error, exceptions.ClientError):
        said = error.response["Error"]
        code, message = said.get("Code", "?"), " ".join(said.get("Message", "").split())
        step = next_steps().get(code, "Repeat, or look at the AWS console.")
        return f"AWS refused {error.operation_name}: {code} ({message}). {step}"
    said = " ".join(str(error).split())
    for kinds, line in LINES:
        if isinstance(error, kinds):
            return line.format(said)
    return f"{type(error).__name__}: {said}"

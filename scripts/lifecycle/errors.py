"""AWS's refusals in one line that says what to do next."""

from __future__ import annotations

from botocore import exceptions

NEXT_STEPS = {
    "ExpiredToken": "Get new credentials.",
    "RequestExpired": "Get new credentials, and see that this machine's clock is right.",
    "AuthFailure": "Check the credentials, and that the account uses this region.",
    "InvalidClientTokenId": "Check the credentials: AWS does not know them.",
    "SignatureDoesNotMatch": "Check the secret key.",
    "AccessDenied": "Have it allowed: scripts/ec2.py policy prints what is needed.",
    "UnauthorizedOperation": "Have it allowed: scripts/ec2.py policy prints what is needed.",
    "InsufficientInstanceCapacity": "AWS has none left there: take another type, or wait.",
    "RequestLimitExceeded": "AWS is throttling this account: repeat in a minute.",
    "Throttling": "AWS is throttling this account: repeat in a minute.",
    "OptInRequired": "Enable the region for this account, or take another.",
}


class Ec2Error(Exception):
    """What went wrong and what to do next, in one line."""


def explain(error: Exception) -> str:
    """One line for an error of botocore."""
    if isinstance(error, exceptions.ClientError):
        said = error.response["Error"]
        code, message = said.get("Code", "?"), " ".join(said.get("Message", "").split())
        step = NEXT_STEPS.get(code, "Repeat, or look at the AWS console.")
        return f"AWS refused {error.operation_name}: {code} ({message}). {step}"
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return "No AWS credentials were found. Set AWS_PROFILE, or run: aws configure"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}. Set AWS_PROFILE to one that `aws configure list-profiles` names."
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return f"AWS does not answer: {' '.join(str(error).split())} Check the network; repeat."
    return f"{type(error).__name__}: {' '.join(str(error).split())}"

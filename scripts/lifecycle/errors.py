"""What a verb refuses with."""

from __future__ import annotations


class Ec2Error(Exception):
    """What went wrong and what to do next, in one line."""

"""The Molecule scenarios, as a person would run them."""

import re

import pytest


@pytest.mark.timeout(1800)
def test_the_stack_on_debian_12_and_13(run, sample_bundle):
    done = run.long("molecule test --scenario-name default", "molecule", "test", "--scenario-name",
                    "default", timeout=1700)  # fmt: skip
    recaps = re.findall(r"^frontdesk-debian1\d .*changed=(\d+) .*failed=(\d+)", done.stdout, re.M)
    hosts = 2
    # The plays in order: create, prepare, check, converge, idempotence, check, restart, destroy
    checked_again = recaps[5 * hosts : 6 * hosts]
    assert checked_again == [("0", "0")] * hosts

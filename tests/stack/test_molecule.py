"""The Molecule scenarios, as a person would run them."""

import re

import pytest


@pytest.mark.timeout(1800)
def test_the_stack_on_debian_12_and_13(run, sample_bundle):
    command = "molecule test --scenario-name default"
    done = run.long(command, "sh", "-c", f"exec {command} 2>&1", timeout=1700)
    first_check, second_check = done.stdout.split("[default > check] Executing")[1:]
    recap = re.compile(r"^frontdesk-debian1\d .*changed=(\d+) .*failed=(\d+)", re.MULTILINE)
    assert {failed for _, failed in recap.findall(first_check)[:2]} == {"0"}
    assert recap.findall(second_check)[:2] == [("0", "0")] * 2


@pytest.mark.timeout(1800)
def test_releases_under_load_lose_no_request(run, sample_bundle):
    command = "molecule test --scenario-name releases"
    assert "p99 around" in run.long(command, *command.split(), timeout=1700).stdout


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_twenty_deploys_and_five_rollbacks_under_load_lose_no_request(run, sample_bundle):
    command = "molecule test --scenario-name releases"
    done = run.long(command, *command.split(), timeout=7000, FRONTDESK_PROOF="full")
    assert "p99 around 30 switches" in done.stdout


@pytest.mark.timeout(1800)
def test_several_hosts_move_together_or_not_at_all(run, sample_bundle):
    command = "molecule test --scenario-name fleet"
    assert "one_refuses" in run.long(command, *command.split(), timeout=1700).stdout


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_several_hosts_end_at_one_release_whichever_is_out_of_reach(run, sample_bundle):
    command = "molecule test --scenario-name fleet"
    done = run.long(command, *command.split(), timeout=7000, FRONTDESK_PROOF="full")
    assert "all_roll_back" in done.stdout

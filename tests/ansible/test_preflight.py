"""A wrong variable is refused by name, in seconds, before anything is asked of a host."""

import json

import pytest

PLAYBOOKS = ["provision", "configure", "release", "rollback", "status", "maintenance"]


def deploy(run, root, *options):
    return run(
        "ansible-playbook",
        "configure.yml",
        *options,
        folder=root / "ansible",
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("release_kep=3", ["Unknown variable release_kep: did you mean", "release_keep?"]),
        ("relase_keep=3", ["Unknown variable relase_keep: did you mean", "release_keep?"]),
        ("clasifier_workers=3", ["Unknown variable clasifier_workers: did", "classifier_workers?"]),
        ("nginx_colour=red", ["Unknown variable nginx_colour: no role takes it", "nginx_errors"]),
        ("app_body_limit=5", ["Unknown variable app_body_limit", "app_body_limit_bytes"]),
        (
            "release_batch=many",
            ["release_batch is many", "a number of hosts (1 or more) or a percent"],
        ),
        ("release_batch=0", ["release_batch is 0", "a number of hosts"]),
        ("release_batch=150%", ["release_batch is 150%", "(1% to 100%)"]),
        ("nginx_listen_port=eighty", ["nginx_listen_port", "int"]),
        ("base_reboot_from=25:00", ["base_reboot_from is 25:00", '"" for never']),
        ("access_firewall=perhaps", ["access_firewall", "bool"]),
        ("classifier_workers=many", ["classifier_workers", "int"]),
        ("{classifier_workers: null}", ["classifier_workers has no value"]),
        ("{classifier_workers: '{{ nowhere }}'}", ["'nowhere' is undefined"]),
        ("classifier_user=", ["classifier_user has no value"]),
        ("{app_body_limit_bytes: }", ["nginx_body_limit_bytes has no value"]),
        ("tls_server_names=example.org", ["tls_server_names is one value: give a list"]),
    ],
)
def test_a_wrong_variable_is_refused_by_name(run, root, setting, words):
    done = deploy(run, root, "-e", setting)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert [word for word in words if word not in said] == []
    assert "TASK [base" not in said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"access_ssh_from": ["home"]}, "access_ssh_from has 'home': give a network"),
        ({"access_ssh_from": ["203.0.113.7/24"]}, "access_ssh_from has '203.0.113.7/24'"),
        (
            {"access_ssh_from": ["203.0.113.0/24"], "access_firewall": False},
            "access_ssh_from needs the firewall",
        ),
        ({"access_more_ports": [70000]}, "access_more_ports has 70000"),
    ],
)
def test_a_firewall_that_makes_no_sense_is_refused_before_a_host_is_asked(
    run, root, settings, words
):
    done = run("ansible-playbook", "access.yml", "-e", json.dumps(settings),
               folder=root / "ansible", check=False, timeout=60)  # fmt: skip
    assert done.returncode != 0
    assert words in done.stdout + done.stderr


def test_an_inventory_without_application_hosts_is_refused(run, root, tmp_path):
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("{all: {hosts: {mine: {ansible_host: 192.0.2.1}}}}")
    for playbook in ("deploy", "rollback", "status"):
        words = ["ansible-playbook", "--inventory", inventory, f"{playbook}.yml"]
        done = run(*words, folder=root / "ansible", check=False, timeout=60)
        assert done.returncode != 0
        assert "has no hosts in the group app" in done.stdout + done.stderr


def test_a_users_own_variables_are_left_alone(run, root):
    done = deploy(run, root, "-e", "db_user=x", "-e", "reviews_keep=1", "-e", "release_kep=1")
    assert "db_user" not in done.stdout + done.stderr
    assert "reviews_keep" not in done.stdout + done.stderr


@pytest.mark.parametrize("playbook", [*PLAYBOOKS, "deploy", "remove"])
def test_playbooks_have_valid_syntax(run, root, playbook):
    run("ansible-playbook", "--syntax-check", f"{playbook}.yml", folder=root / "ansible")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_checks_its_variables_first(run, root, playbook):
    words = ["ansible-playbook", f"{playbook}.yml", "-e", "release_kep=3"]
    done = run(*words, folder=root / "ansible",
               check=False, timeout=60)  # fmt: skip
    assert done.returncode != 0
    assert "Unknown variable release_kep" in done.stdout + done.stderr

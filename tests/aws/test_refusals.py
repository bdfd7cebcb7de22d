"""Bad input and broken lines: one clear line in bounded time, and nothing half made."""

import itertools
import json
import time

import pytest
from lifecycle import account
from lifecycle.finding import KINDS, described
from lifecycle.stack import stacks
from seeding import everything, launch, make_stack
from testcloud.server import Fault

NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


def refused(answer):
    """The last line of what was said, once it is known that it was refused without a traceback."""
    code, out, err = answer
    assert code == 1
    assert out == ""
    assert "Traceback" not in err
    return err.strip().splitlines()[-1]


def test_two_instances_are_not_guessed_between(cloud, ec2):
    make_stack(cloud)
    launch(cloud.client("ec2"), {"frontdesk-stack": "main"})
    assert "Several instances are tagged frontdesk-stack=main: i-" in refused(ec2("stop"))
    _, out, err = ec2("status", "--json")
    assert len(json.loads(out)) == 2
    assert "2 instances carry the tag" in err


def test_an_instance_that_was_terminated_behind_our_back_is_none(cloud, ec2):
    identity = make_stack(cloud)
    cloud.client("ec2").terminate_instances(InstanceIds=[identity])
    line = refused(ec2("start"))
    assert "No instance is tagged frontdesk-stack=main in eu-central-1" in line
    assert "deploy.yml" in line


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"account": 5, "image_id": "ami-1"}',
                                  '{"account": "123456789012"}'])  # fmt: skip
def test_a_damaged_pin_is_named(cloud, ec2, text):
    (ec2.inventory / ".state").mkdir()
    (ec2.inventory / ".state/main.json").write_text(text)
    assert "main.json is damaged. Remove it" in refused(ec2("status"))


def test_a_folder_in_the_place_of_a_pin_is_named(cloud, ec2):
    (ec2.inventory / ".state/main.json").mkdir(parents=True)
    assert "main.json is damaged. Remove it" in refused(ec2("status"))


NO_GROUP = b"all: {children: {app: {hosts: {main: }}}}"
NO_HOSTS = b"all: {children: {app: {children: {ec2_hosts: {hosts: }}}}}"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("hosts.yml", b"all: \xff", "is no inventory of stacks ("),
        ("hosts.yml", b"all: [", "is no inventory of stacks ("),
        ("hosts.yml", b"- main", "is no inventory of stacks (its hosts.yml is no mapping)"),
        ("hosts.yml", NO_GROUP, "no inventory of stacks (it has no group ec2_hosts)"),
        ("hosts.yml", NO_HOSTS, "names no stack: add a host below ec2_hosts"),
        ("aws_ec2.yml", b"regions: []", "ec2_instance_region can't be read in"),
        ("aws_ec2.yml", b"regions: [{}]", "names no region: write regions: [eu-central-1]"),
    ],
    ids=["bytes", "syntax", "list", "no group", "no hosts", "no regions", "no text"],
)
def test_an_inventory_that_says_no_stacks_is_refused(cloud, ec2, name, content, words):
    (ec2.inventory / name).write_bytes(content)
    assert words in refused(ec2("status"))
    assert cloud.calls == []


def set_variables(inventory, **settings):
    """In a file beside the inventory's hosts, where Ansible reads it, too."""
    (inventory / "group_vars").mkdir()
    (inventory / "group_vars/ec2_hosts.yml").write_text(json.dumps(settings))


def test_verbs_read_the_settings_that_the_playbook_reads(cloud, ec2, tmp_path):
    plugin = ec2.inventory / "aws_ec2.yml"
    plugin.write_text(plugin.read_text().replace("[eu-central-1]", "eu-central-1"))
    set_variables(ec2.inventory, ec2_instance_state_dir=f"{tmp_path}/{{{{ 'pins' }}}}",
                  ec2_instance_key_dir="/keys", tls_mode="provided",
                  tls_server_names=["desk.example", "www.desk.example"])  # fmt: skip
    (seen,) = stacks(ec2.inventory)
    assert type(seen.region) is str
    assert (seen.region, seen.account, seen.user) == ("eu-central-1", "", "admin")
    assert (str(seen.state_path), str(seen.key_path)) == (
        f"{tmp_path}/pins/main.json", "/keys/frontdesk-main")  # fmt: skip
    assert (seen.port, seen.tls_name) == (443, "desk.example")


def test_what_lies_encrypted_is_read_with_the_passwords_that_ansible_takes(
    cloud, ec2, run, root, tmp_path
):
    password = tmp_path / "password"
    password.write_text("made up\n")
    set_variables(ec2.inventory, ec2_instance_name_prefix="desk-")
    variables = ec2.inventory / "group_vars/ec2_hosts.yml"
    given = {"ANSIBLE_VAULT_IDENTITY_LIST": f"desk@{password}"}
    secret = run("ansible-vault", "encrypt_string", "us-east-1", "--name", "ec2_instance_region",
                 "--vault-id", f"desk@{password}").stdout  # fmt: skip
    (ec2.inventory / "host_vars").mkdir()
    (ec2.inventory / "host_vars/main.yml").write_text(secret)
    run("ansible-vault", "encrypt", variables, **given)
    words = ["python", "scripts/ec2.py", "policy", "--inventory", ec2.inventory]
    policy = run(*words, folder=root, **cloud.environment, **given).stdout
    assert "arn:aws:iam::123456789012:role/desk-main" in policy
    assert "arn:aws:ec2:us-east-1:" in policy
    for wrong in ({}, {"ANSIBLE_VAULT_PASSWORD_FILE": f"{tmp_path}/none"}):
        done = run(*words, folder=root, check=False, **cloud.environment, **wrong)
        assert "Name its password in ANSIBLE_VAULT_IDENTITY_LIST" in refused(
            (done.returncode, done.stdout, done.stderr))  # fmt: skip


def test_a_setting_of_the_wrong_type_is_refused(cloud, ec2):
    set_variables(ec2.inventory, ec2_instance_max_hourly_cost="much")
    words = "is of the wrong type (could not convert string to float: 'much'). It is named by"
    assert words in refused(ec2("status"))
    assert cloud.calls == []


def test_another_account_or_region_than_the_inventory_says_is_refused(cloud, ec2):
    make_stack(cloud)
    before = everything(cloud)
    set_variables(ec2.inventory, ec2_instance_account="210987654321")
    words = "but the stack main belongs to 210987654321 (ec2_instance_account)"
    assert words in refused(ec2("teardown", "--yes"))
    (ec2.inventory / "group_vars/ec2_hosts.yml").write_text('{"ec2_instance_region": "us-east-1"}')
    assert "No instance is tagged frontdesk-stack=main in us-east-1" in refused(ec2("stop"))
    assert everything(cloud) == before


def test_another_account_than_the_stacks_is_refused(cloud, ec2):
    (ec2.inventory / ".state").mkdir()
    pin = {"account": "210987654321", "region": "eu-central-1", "image_id": "ami-1"}
    (ec2.inventory / ".state/main.json").write_text(json.dumps(pin))
    before = everything(cloud)
    line = refused(ec2("teardown", "--yes"))
    assert "of account 123456789012, but the stack main belongs to 210987654321" in line
    assert everything(cloud) == before


def test_another_region_than_the_stacks_is_refused(cloud, ec2, provision):
    make_stack(cloud)
    before = everything(cloud)
    pin = {"account": "123456789012", "region": "us-east-1", "image_id": "ami-1"}
    for inventory in (ec2.inventory, provision.inventory):
        (inventory / ".state").mkdir()
        (inventory / ".state/main.json").write_text(json.dumps(pin))
    words = "The region is eu-central-1 (aws_ec2.yml), but the stack main was made in us-east-1"
    assert words in refused(ec2("teardown", "--yes"))
    assert words in " ".join(provision(check=False).stdout.split())
    assert everything(cloud) == before


def test_the_root_user_is_refused(cloud, ec2, monkeypatch):
    answer = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:root"}
    client = type("Client", (), {"get_caller_identity": lambda self: answer})
    monkeypatch.setattr(account.boto3.session.Session, "client", lambda *_, **__: client())
    assert "These are the root user's credentials of account 123456789012" in refused(ec2("stop"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (NO_KEYS, "No AWS credentials were found"),
        ({"AWS_ACCESS_KEY_ID": None}, "No AWS credentials were found"),
        ({"AWS_PROFILE": "nobody"}, "nobody) could not be found. Set AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS does not answer"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "nonsense. Set AWS_ENDPOINT_URL as a URL, or unset it"),
        (
            {"AWS_SHARED_CREDENTIALS_FILE": "README.md"},
            "README.md. Repair that file: it is to read",
        ),
    ],
)
def test_credentials_and_network_are_asked_for_by_name(run, root, cloud, changes, words):
    environment = {**cloud.environment, **changes}
    given = {key: value for key, value in environment.items() if value is not None}
    unset = [word for key, value in changes.items() if value is None for word in ("-u", key)]
    done = run("env", *unset, "python", "scripts/ec2.py", "status", folder=root, check=False,
               **given)  # fmt: skip
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


ASKED = "Set AWS_PROFILE (and no keys beside it), or run: aws configure"


@pytest.mark.parametrize(
    ("changes", "words", "step"),
    [
        (NO_KEYS, "No AWS credentials were found: Failed to retrieve", ASKED),
        (NO_KEYS | {"AWS_PROFILE": "nobody"},
         "No AWS credentials were found: Couldn't connect to AWS: The config profile (nobody)",
         ASKED),
        ({"AWS_PROFILE": "nobody"},
         "No AWS credentials were found: Passing both a profile and access tokens", ASKED),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense.",
         "Set AWS_ENDPOINT_URL as a URL, or unset it."),
        ({"AWS_SHARED_CREDENTIALS_FILE": "provision.yml"}, "Unable to parse config file:",
         "Repair that file: it is to read as `aws configure` writes it."),
    ],
    ids=["no keys", "no profile", "both", "endpoint", "unreadable"],
)  # fmt: skip
def test_the_playbook_asks_for_credentials_by_name(cloud, provision, changes, words, step):
    done = provision(check=False, environment=changes)
    assert done.returncode != 0
    said = done.stdout.split("Say in one line what went wrong")[1]
    assert words in said
    assert step in said
    assert "Traceback" not in said
    assert cloud.calls == []


def test_an_inventory_that_is_no_text_ends_the_playbook(cloud, provision):
    (provision.inventory / "hosts.yml").write_bytes(b"all: \xff")
    done = provision(check=False)
    assert done.returncode != 0
    assert "Completely failed to parse inventory source" in done.stdout
    assert cloud.actions() == ["ec2:DescribeInstances"]


def test_an_address_that_the_inventory_does_not_tell_ends_the_run_in_one_line(cloud, provision):
    make_stack(cloud)
    cloud.client("ec2").get_waiter("instance_running").wait(WaiterConfig={"Delay": 1})
    assert provision("--tags", "address").returncode == 0
    asked = itertools.count()

    def refuse(call):
        if "tag-key" in call.parameters.values() and next(asked):  # the inventory, again
            cloud.faults.append(Fault(call.action, code="UnauthorizedOperation", status=403))

    cloud.on_call = refuse
    done = provision("--tags", "address", check=False)
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "[ERROR]: Task failed: Action failed: main was made, but the inventory" in said
    assert said.count("No instance's address is known:") == 1
    assert "Failed to parse inventory" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--inventory", "/nowhere"], "/nowhere is no inventory of stacks"),
        (["--stack", "other"], "no stack other: name one of main"),
        (["--stack", "ma in;$(x)"], "no stack ma in;$(x): name one of main"),
    ],
)
def test_a_stack_that_is_not_in_the_inventory_is_refused(cloud, ec2, words, said):
    assert said in refused(ec2("stop", *words))
    assert cloud.calls == []


@pytest.mark.parametrize("name", ["'*'", "ma?n", "Main", "../main", "'ma in;$(x)'", "m" * 33, "-m"])
def test_a_stack_of_an_odd_name_is_refused_and_no_tag_is_asked_for(cloud, ec2, name):
    """EC2's filters know wildcards: a stack * would be every stack there is."""
    make_stack(cloud)
    before = everything(cloud)
    hosts = ec2.inventory / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("            main:", f"            {name}:"))
    cloud.calls.clear()
    assert "won't do: take 2 to 32 lower-case letters" in refused(ec2("teardown", "--yes"))
    assert cloud.calls == []
    assert everything(cloud) == before


def test_a_region_without_prices_is_refused(cloud, ec2):
    plugin = ec2.inventory / "aws_ec2.yml"
    plugin.write_text(plugin.read_text().replace("eu-central-1", "mars-north-1"))
    assert "No prices are known for mars-north-1, only for eu-central-1" in refused(ec2("cost"))


def test_images_to_keep_are_at_least_one(cloud, ec2):
    make_stack(cloud)
    assert "keep 1 or more" in refused(ec2("image", "--keep", "0", "--yes"))
    assert "keep 1 or more" in refused(ec2("image", "--keep", "0", "--dry-run"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(".*", code="ExpiredToken", times=9), "ExpiredToken (made up by a test). Get new"),
        (Fault(".*", code="AuthFailure", status=401, times=9), "Check the credentials"),
        (Fault(".*Instances", code="UnauthorizedOperation", status=403, times=9),
         "UnauthorizedOperation (made up by a test). Have it allowed: scripts/ec2.py policy"),
        (Fault(".*Instances", code="RequestLimitExceeded", status=503, times=99), "throttling"),
        (Fault(".*Instances", line="dropped", times=99), "AWS does not answer"),
        (Fault(".*Instances", line="silent", seconds=2, times=99), "AWS does not answer"),
        (Fault("StopInstances", code="InternalError", status=500, times=99), "InternalError"),
    ],
    ids=["expired", "unknown key", "unauthorized", "throttled", "dropped", "silent", "broken"],
)  # fmt: skip
def test_a_fault_that_stays_ends_in_one_line_within_a_minute(cloud, ec2, impatience, fault, words):
    make_stack(cloud)
    cloud.faults.append(Fault(**vars(fault)))
    began = time.monotonic()
    assert words in refused(ec2("stop"))
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "fault",
    [
        Fault("StopInstances", code="RequestLimitExceeded", status=503, times=2),
        Fault("StopInstances", line="dropped"),
        Fault("StopInstances", line="lost"),
        Fault("StopInstances", line="slow", seconds=1),
        Fault("StopInstances", code="InternalError", status=500),
    ],
    ids=["throttled", "dropped", "lost", "slow", "broken"],
)
def test_a_fault_that_passes_is_outlived(cloud, ec2, fault):
    instance = make_stack(cloud)
    cloud.faults.append(Fault(**vars(fault)))
    assert ec2("stop")[0] == 0
    assert cloud.ec2.get_instance(instance).state == "stopped"


# AWS gives these in one answer, whatever their number
UNPAGED = ("address", "key pair")


@pytest.mark.parametrize("kind", [each for each in KINDS if each not in UNPAGED])
def test_every_page_of_every_kind_is_read(cloud, ec2, monkeypatch, kind):
    _, path, key = KINDS[kind]

    def page(identity, **token):
        found = [{key: identity}]
        if kind == "instance":
            return {"Reservations": [{"Instances": found}], **token}
        return {path: found, **token}

    client = cloud.client("ec2")
    pages = iter([page("1", NextToken="more"), page("2")])
    asked = []
    monkeypatch.setattr(client, "_make_api_call", lambda name, given: asked.append(given) or next(
        pages))  # fmt: skip
    seen = account.Account(stacks(ec2.inventory)[0])
    seen.__dict__["ec2"] = client
    assert [each[key] for each in described(seen, kind)] == ["1", "2"]
    assert asked[1]["NextToken"] == "more"


def test_what_has_no_pages_has_none_at_aws_either(cloud):
    assert not [kind for kind in UNPAGED if cloud.client("ec2").can_paginate(KINDS[kind][0])]

"""A wrong setting is refused in one line, before AWS is asked to make anything."""

import re
from datetime import date

import pytest
import yaml
from conftest import Playbook
from seeding import launch, make_stack

WRONG = {
    "Main_Stack": ({}, "The stack name 'Main_Stack' won't do"),
    "m" * 33: ({}, "take 2 to 32 lower-case letters"),
    "-main": ({}, "The stack name '-main' won't do"),
    "region": ({"region": "mars-north-1"}, "No prices are known for the region 'mars-north-1'"),
    "type": ({"type": "t9.huge"}, "The instance type 't9.huge' has no price in eu-central-1"),
    "price": ({"type": "t3.medium"}, "above ec2_instance_max_hourly_cost=0.15"),
    "day": ({"expiry": "31.1.2027"}, "write a day as 2027-01-31"),
    "february": ({"expiry": "2027-02-29"}, "write a day as 2027-01-31"),
    "month": ({"expiry": "2028-00-12"}, "write a day as 2027-01-31"),
    "april": ({"expiry": "2028-04-31"}, "write a day as 2027-01-31"),
    "disk": ({"disk_gb": -300}, "ec2_instance_disk_gb is -300: a disk has 8"),
    "octets": ({"ssh_cidr": "999.999.1.1/32"}, "port 22 is opened to one address only"),
    "folder": ({}, "folder.json is damaged. Remove it"),
    "everybody": ({"ssh_cidr": "0.0.0.0/0"}, "port 22 is opened to one address only"),
    "everybody6": ({"ssh_cidr": "::/0"}, "port 22 is opened to one address only"),
    "network": ({"ssh_cidr": "203.0.113.0/24"}, "port 22 is opened to one address only"),
    "nobody": ({"ssh_cidr": ""}, "Nobody could reach the host: set ec2_instance_ssh_cidr"),
    "owner": ({"owner": "a;b"}, "ec2_instance_owner is 'a;b'"),
    "account": ({"account": "210987654321"}, "but the stack account belongs to account"),
    "damaged": ({}, "damaged.json is damaged. Remove it"),
    "moved": ({}, "but the stack moved belongs to account"),
    "double": ({}, "Several instances carry frontdesk-stack=double: i-"),
}


@pytest.fixture(scope="module")
def said(running_cloud, tmp_path_factory):
    """What one run says of one host each with one wrong setting."""
    running_cloud.reset()
    playbook = Playbook(running_cloud, tmp_path_factory.mktemp("settings"))
    write(playbook, {name: settings for name, (settings, _) in WRONG.items()}
          | {"right": {"expiry": "2028-02-29", "ssh_cidr": "255.0.19.200/32"},
             "unquoted": {"expiry": date(2028, 2, 29)}})  # fmt: skip
    state = playbook.inventory / ".state"
    state.mkdir()
    (state / "folder.json").mkdir()
    (state / "damaged.json").write_text('{"account": ')
    (state / "moved.json").write_text('{"account": "210987654321", "image_id": "ami-1"}')
    launch(running_cloud.client("ec2"), {"frontdesk-stack": "double"})
    launch(running_cloud.client("ec2"), {"frontdesk-stack": "double"})
    running_cloud.calls.clear()
    return playbook("--tags", "plan", check=False, ssh_cidr=None).stdout


def write(playbook, hosts):
    inventory = playbook.inventory / "hosts.yml"
    content = yaml.safe_load(inventory.read_text())
    group = content["all"]["children"]["app"]["children"]["ec2_hosts"]
    group["hosts"] = {
        name: {f"ec2_instance_{key}": value for key, value in settings.items()}
        for name, settings in hosts.items()
    }
    group["vars"]["ec2_instance_ssh_cidr"] = "203.0.113.7/32"
    inventory.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize("host", WRONG)
def test_a_wrong_setting_is_refused_by_name(said, host):
    about = re.search(
        rf"^(?:fatal|failed): \[{host}[ \]].*?(?=^\S)", said, re.MULTILINE | re.DOTALL
    )
    assert about
    assert WRONG[host][1] in " ".join(about[0].split()).replace("''", "'")


def test_the_last_line_says_why_and_so_does_what_is_kept(cloud, provision):
    words = "above ec2_instance_max_hourly_cost=0.15. Take a smaller type"
    done = provision("--tags", "plan", check=False, type="t3.medium")
    assert words in done.stdout.split("[ERROR]")[-1]
    (kept,) = provision.folder.glob("failed/*/refusal.json")
    assert words in kept.read_text()
    done = provision("--tags", "plan", check=False, expiry="soon", owner="a;b")
    last = done.stdout.split("[ERROR]")[-1]
    assert "'soon': write a day as 2027-01-31" in last
    assert "'a;b': a tag takes 1 to 128" in last


def test_a_right_one_gets_its_plan_and_price(said, running_cloud):
    assert "stack right: to be made" in said
    assert "stack unquoted: to be made" in said
    assert "together 0.0120 $/h, 8.79 $/month" in said
    assert {a.split(":")[1][:3] for a in running_cloud.actions()} <= {"Get", "Des", "Lis"}


def test_a_pinned_image_that_is_gone_is_named_and_nothing_is_made(cloud, provision):
    make_stack(cloud, "other")
    before = len(cloud.ec2.all_instances())
    state = provision.inventory / ".state"
    state.mkdir()
    (state / "main.json").write_text('{"account": "123456789012", "image_id": "ami-0123456789"}')
    done = provision(check=False)
    assert done.returncode != 0
    words = " ".join(done.stdout.split())
    assert "The pinned image ami-0123456789 is gone, or not for x86_64. Remove" in words
    assert len(cloud.ec2.all_instances()) == before

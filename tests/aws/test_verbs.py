"""Each verb does what it says, waits for it, and tells it to people and programs."""

import dataclasses
import functools
import http.server
import itertools
import json
import re
import ssl
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from lifecycle import changing, connecting, waiting
from lifecycle.command import parser
from lifecycle.pricing import Prices
from lifecycle.stack import stacks
from lifecycle.status import live_release
from seeding import everything, make_stack
from testcloud.corrections import Pace
from testcloud.server import Fault


def settle(client, state="running"):
    client.get_waiter(f"instance_{state}").wait(WaiterConfig={"Delay": 1})


def stack(cloud):
    identity = make_stack(cloud)
    settle(cloud.client("ec2"))
    return cloud.ec2.get_instance(identity)


def told(answer):
    code, out, _ = answer
    assert code == 0
    return json.loads(out)


def test_status_tells_state_cost_and_expiry(cloud, ec2):
    instance = stack(cloud)
    (row,) = told(ec2("status", "--json"))
    assert row["instance"] == instance.id
    assert (row["state"], row["type"], row["address"]) == (
        "running", "t3.micro", instance.public_ip)  # fmt: skip
    assert row["expiry"] == "never"
    assert row["protected"] is False
    assert row["hour"] == pytest.approx(0.012 + 8 * 0.0952 / 730 + 0.005, abs=1e-3)


def test_a_stopped_instance_still_costs_its_disk_and_its_address(cloud, ec2):
    stack(cloud)
    ec2("stop")
    rows = told(ec2("cost", "--json"))
    costs = {row["what"]: row["hour"] for row in rows}
    assert costs["t3.micro, stopped"] == 0
    assert costs["disk 8 GB"] == pytest.approx(8 * 0.0952 / 730, abs=1e-4)
    assert costs["kept address"] == 0.005


def test_accrued_cost_counts_the_hours(cloud, ec2):
    instance = stack(cloud)
    instance.launch_time = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=100)
    rows = told(ec2("cost", "--json"))
    assert rows[0]["accrued"] == pytest.approx(100 * 0.012, rel=0.01)


def test_status_warns_of_an_expiry_that_passed(cloud, ec2):
    make_stack(cloud, expiry="2020-01-31")
    assert "main expired on 2020-01-31" in ec2("status")[2]


def test_a_type_without_a_price_is_shown_and_the_sum_is_unknown(cloud, ec2):
    stack(cloud).instance_type = "t3.large"
    code, out, err = ec2("status", "--json")
    assert (code, json.loads(out)[0]["hour"]) == (0, None)
    assert "The type's price is unknown, and with it the sum. Add it to" in err
    rows = told(ec2("cost", "--json"))
    assert rows[0]["what"] == "t3.large, price unknown, running"
    assert (rows[0]["hour"], rows[1]["month"], rows[-1]["accrued"]) == (None, 0.76, None)


class OnTls(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"release_id": "r1"}' if self.path == "/readyz" else b"")

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("name", ["desk.example", ""])
def test_the_live_release_is_asked_for_over_tls_by_its_name(run, tmp_path, ec2, name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-subj", "/CN=x", "-keyout", tmp_path / "key",
        "-out", tmp_path / "crt")  # fmt: skip
    context, asked = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    context.sni_callback = lambda _, wanted, __: asked.append(wanted)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OnTls) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (seen,) = stacks(ec2.inventory)
        tls = dataclasses.replace(seen, port=server.server_port, tls_name=name)
        assert live_release(tls, "127.0.0.1") == "r1"
        assert asked == [name or None]
        assert live_release(dataclasses.replace(tls, tls_name=None), "127.0.0.1") is None
        server.shutdown()


def test_tables_are_on_stdout_and_talk_on_stderr(cloud, ec2):
    stack(cloud)
    _, out, err = ec2("status")
    assert out.splitlines()[0].split()[:3] == ["stack", "state", "type"]
    assert out.splitlines()[1].split()[:3] == ["main", "running", "t3.micro"]
    assert "account 123456789012, region eu-central-1, stack main" in err


def test_stop_and_start_wait_and_tell_the_time(cloud, ec2):
    instance = stack(cloud)
    Pace.seconds = 0.5
    _, out, err = ec2("stop", "--json")
    assert json.loads(out)["state"] == "stopped"
    assert re.search(r"waiting until it has stopped: stopping\n +\d+ s  stopped", err)
    assert told(ec2("start", "--json"))["was"] == "stopped"
    assert instance.state == "running"
    assert told(ec2("start", "--json"))["was"] == "running"


def test_reboot_refuses_what_does_not_run(cloud, ec2):
    stack(cloud)
    assert told(ec2("reboot", "--json"))["state"] == "running"
    ec2("stop")
    code, _, err = ec2("reboot")
    assert code == 1
    assert "stopped and can't be rebooted. Start it" in err
    assert ec2("reboot", "--dry-run")[:2] == (1, "")


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_resize_changes_the_type_and_leaves_the_state(cloud, ec2, state):
    instance = stack(cloud)
    if state == "stopped":
        ec2("stop")
    assert told(ec2("resize", "t3.small", "--json"))["was"] == "t3.micro"
    assert (instance.instance_type, instance.state) == ("t3.small", state)


def test_resize_without_capacity_returns_to_the_old_type(cloud, ec2):
    instance = stack(cloud)
    cloud.faults.append(Fault("StartInstances", code="InsufficientInstanceCapacity"))
    code, _, err = ec2("resize", "t3.small")
    assert code == 1
    assert "is t3.micro as before" in err
    assert (instance.instance_type, instance.state) == ("t3.micro", "running")


def test_resize_to_a_type_that_does_not_stay_up_returns_to_the_old_one(cloud, ec2, monkeypatch):
    instance = stack(cloud)
    kind = type(instance)
    start, stop = kind.start, kind.stop
    monkeypatch.setattr(kind, "start", lambda each: (
        start if each.instance_type == "t3.micro" else stop)(each))  # fmt: skip
    monkeypatch.setattr(changing, "wait_until", functools.partial(waiting.wait_until, limit=1))
    code, _, err = ec2("resize", "t3.small")
    assert code == 1
    assert "is t3.micro as before. Gave up after 1 s of waiting until it runs: still stopped" in err
    assert (instance.instance_type, instance.state) == ("t3.micro", "running")


def test_a_resize_that_never_stops_says_how_to_go_on(cloud, ec2, monkeypatch):
    instance = stack(cloud)
    Pace.seconds = 60
    monkeypatch.setattr(changing, "wait_until", functools.partial(waiting.wait_until, limit=0.1))
    code, _, err = ec2("resize", "t3.small")
    assert code == 1
    assert f"{instance.id} may be stopped: Gave up after 0 s of waiting until it has stopped" in err
    assert "Go on: scripts/ec2.py resize t3.small, or start" in err


def test_the_limit_refuses_no_smaller_type(cloud, ec2):
    instance = stack(cloud)
    with (ec2.inventory / "hosts.yml").open("a") as hosts:
        hosts.write("            ec2_instance_max_hourly_cost: 0.01\n")
    assert "above ec2_instance_max_hourly_cost=0.01" in ec2("resize", "t3.small")[2]
    assert ec2("resize", "t3.nano")[0] == 0
    assert instance.instance_type == "t3.nano"


def test_resize_without_an_answer_says_how_to_go_on(cloud, ec2, impatience):
    instance = stack(cloud)
    cloud.faults.append(Fault("StartInstances", line="silent", times=99))
    code, _, err = ec2("resize", "t3.small")
    assert code == 1
    assert f"{instance.id} may be stopped: AWS does not answer" in err
    assert "Go on: scripts/ec2.py resize t3.small, or start" in err
    assert instance.state == "stopped"
    cloud.faults.clear()
    assert ec2("resize", "t3.small")[0] == 0
    assert (instance.instance_type, instance.state) == ("t3.small", "running")


def test_a_resize_that_is_interrupted_and_repeated_leaves_it_running(cloud, ec2):
    instance = stack(cloud)
    sizes, interrupted, code = itertools.cycle(["t3.small", "t3.micro"]), 0, 130
    while code == 130:
        interrupted += 1
        wanted = next(sizes)
        code, *_ = ec2("resize", wanted, interrupt_after=interrupted)
        if code == 130:
            assert ec2("resize", wanted)[0] == 0
        assert (instance.instance_type, instance.state) == (wanted, "running")
        assert "frontdesk-resize" not in {tag["key"] for tag in instance.get_tags()}
    assert interrupted > 10


def test_a_resize_that_was_interrupted_starts_nothing_that_was_stopped_since(cloud, ec2):
    instance = stack(cloud)
    cloud.faults.append(Fault("ModifyInstanceAttribute", code="Unavailable", times=99))
    cloud.faults.append(Fault("StartInstances", code="Unavailable", times=99))
    assert ec2("resize", "t3.small")[0] == 1
    cloud.faults.clear()
    assert ec2("resize", "t3.small", "--dry-run")[1].splitlines()[1].startswith(
        "stop, resize, start")  # fmt: skip
    assert ec2("stop")[0] == 0
    assert ec2("resize", "t3.small")[0] == 0
    assert (instance.instance_type, instance.state) == ("t3.small", "stopped")


def test_a_resize_to_the_same_type_promises_and_does_nothing(cloud, ec2):
    instance = stack(cloud)
    assert "nothing: it is of that type" in ec2("resize", "t3.micro", "--dry-run")[1]
    cloud.calls.clear()
    assert ec2("resize", "t3.micro")[0] == 0
    assert (instance.instance_type, instance.state) == ("t3.micro", "running")
    assert not [each for each in cloud.calls if not re.match("Describe|Get", each.action)]


@pytest.mark.parametrize(
    ("wanted", "words"), [("t4g.small", "would not boot"), ("t9.huge", "known are t3.nano"),
                          ("t3.medium", "up to 0.1540 $/h, processor time that it may buy "
                           "included (ec2_instance_cpu_credits), above ec2_instance_max_")]
)  # fmt: skip
def test_resize_refuses_before_it_stops_anything(cloud, ec2, wanted, words):
    instance = stack(cloud)
    code, _, err = ec2("resize", wanted)
    assert code == 1
    assert words in err
    assert instance.state == "running"
    assert ec2("resize", wanted, "--dry-run")[:2] == (1, "")


def test_images_are_pruned_but_for_the_newest_and_the_pinned(cloud, ec2, monkeypatch):
    stack(cloud)
    names = iter(f"2026010{day}T000000Z" for day in range(1, 6))
    clock = type("Clock", (), {"now": staticmethod(lambda _: Stamp(next(names)))})
    monkeypatch.setattr("lifecycle.imaging.datetime", clock)
    pinned = told(ec2("image", "--pin", "--yes", "--json"))["image"]
    made = [told(ec2("image", "--keep", "2", "--yes", "--json"))["image"] for _ in range(3)]
    own = [image.id for image in cloud.ec2.amis.values() if image.owner_id == "123456789012"]
    assert set(own) == {pinned, *made[1:]}
    assert json.loads((ec2.inventory / ".state/main.json").read_text())["image_id"] == pinned


class Stamp(str):
    def __format__(self, _):
        return str(self)


def test_an_image_that_is_not_known_yet_is_waited_for(cloud, ec2):
    stack(cloud)
    cloud.faults.append(Fault("DescribeImages", code="InvalidAMIID.NotFound", skip=1, times=2))
    assert told(ec2("image", "--yes", "--json"))["image"].startswith("ami-")
    assert cloud.faults[0].times == 0


def test_an_image_that_fails_removes_no_older_one(cloud, ec2, monkeypatch):
    stack(cloud)
    told(ec2("image", "--yes", "--json"))
    monkeypatch.setattr("lifecycle.imaging._state", lambda *_: "failed")
    monkeypatch.setattr("lifecycle.imaging.datetime", type(
        "Clock", (), {"now": staticmethod(lambda _: Stamp("later"))}))  # fmt: skip
    code, _, err = ec2("image", "--keep", "1", "--yes")
    assert code == 1
    assert "older images were kept" in err
    own = [image for image in cloud.ec2.amis.values() if image.owner_id == "123456789012"]
    assert len(own) == 2


@pytest.mark.parametrize("verb", ["start", "stop", "reboot", "resize t3.small", "image",
                                  "protect", "unprotect", "teardown"])  # fmt: skip
def test_a_dry_run_changes_nothing(cloud, ec2, verb):
    stack(cloud)
    cloud.calls.clear()
    code, out, _ = ec2(*verb.split(), "--dry-run")
    assert code == 0
    assert out.startswith("plan")
    changing = [call for call in cloud.calls if not re.match("Describe|Get|List", call.action)]
    assert changing == []


def test_ssh_remembers_the_instance_and_not_its_address(cloud, ec2, monkeypatch):
    instance, started = stack(cloud), []
    monkeypatch.setattr(connecting, "become", lambda words: started.append(words) or [{}])
    ec2("ssh", "--", "uptime")
    ec2("session")
    assert f"HostKeyAlias={instance.id}" in started[0]
    assert "ConnectTimeout=10" in started[0]
    assert started[0][-2:] == [f"admin@{instance.public_ip}", "uptime"]
    assert started[1][-1] == instance.id


def test_what_the_inventory_does_not_say_is_left_to_ssh(cloud, ec2, monkeypatch):
    instance, started = stack(cloud), []
    monkeypatch.setattr(connecting, "become", lambda words: started.append(words) or [{}])
    hosts = ec2.inventory / "hosts.yml"
    hosts.write_text(re.sub(r" +ansible_(user|ssh_private_key_file):.*\n", "", hosts.read_text()))
    assert ec2("status")[0] == 0
    ec2("ssh", "--", "uptime")
    assert "-i" not in started[0]
    assert started[0][-2:] == [instance.public_ip, "uptime"]
    ec2("ssh", "--key", "mine")
    assert started[1][1:3] == ["-i", "mine"]


def test_a_missing_program_is_named(cloud, ec2, monkeypatch):
    stack(cloud)
    monkeypatch.setenv("PATH", "/nonexistent")
    code, _, err = ec2("session")
    assert code == 1
    assert "There is no command aws. Install it" in err


def test_every_option_is_explained_and_only_what_removes_can_be_confirmed():
    (verbs,) = [each for each in parser()._actions if each.choices]
    options = {verb: sub._actions for verb, sub in verbs.choices.items()}
    assert [each.dest for every in options.values() for each in every if not each.help] == []
    confirmed = {verb for verb, every in options.items() for each in every if each.dest == "yes"}
    assert confirmed == {"image", "teardown", "smoke"}


def test_every_type_in_the_table_has_a_processor():
    for region in ("eu-central-1", "us-east-1"):
        prices = Prices(region)
        assert {prices.architecture(each) for each in prices.types} == {"x86_64", "arm64"}


def test_the_command_can_be_started_as_the_readme_says(run, root):
    done = run(sys.executable, "scripts/ec2.py", "--help", folder=root)
    assert "teardown" in done.stdout


@pytest.mark.parametrize("verb", ["stop", "start", "image --yes", "protect"])
def test_a_verb_that_is_interrupted_at_any_call_can_be_repeated(cloud, ec2, verb, monkeypatch):
    before = everything(cloud)
    stack(cloud)
    names = (f"2026010{day}T000000Z" for day in itertools.count(1))
    clock = type("Clock", (), {"now": staticmethod(lambda _: Stamp(next(names)))})
    monkeypatch.setattr("lifecycle.imaging.datetime", clock)
    interrupted = 0
    while (code := ec2(*verb.split(), interrupt_after=interrupted + 1)[0]) == 130:
        interrupted += 1
    assert code == 0
    assert interrupted >= 3
    ec2("unprotect")
    assert ec2("teardown", "--yes")[0] == 0
    assert everything(cloud) == before


# In this order; what waits asks more often here than on AWS
CALLS = {"status": 8, "cost": 6, "policy": 1, "stop": 12, "start": 12, "reboot": 3,
         "resize t3.small": 24, "image --yes": 12, "protect": 3, "unprotect": 3,
         "teardown --dry-run": 12, "teardown --yes": 80}  # fmt: skip


def test_no_verb_makes_more_calls_than_it_needs(cloud, ec2, root):
    """The counts are written to build/ec2_calls.tsv."""
    stack(cloud)
    made = {}
    for verb in CALLS:
        begun = len(cloud.calls)
        assert ec2(*verb.split())[0] == 0
        made[verb] = len(cloud.calls) - begun
    (root / "build").mkdir(exist_ok=True)
    rows = "".join(f"{verb}\t{calls}\n" for verb, calls in made.items())
    (root / "build/ec2_calls.tsv").write_text(rows)
    assert {verb: calls for verb, calls in made.items() if calls > CALLS[verb]} == {}

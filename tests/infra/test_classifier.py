import json
import shlex
import uuid
from pathlib import Path

import pytest

SLOTS = ["blue", "green"]


def exposure(host, unit):
    report = host.check_output(f"systemd-analyze security --no-pager {unit}")
    return float(report.split("Overall exposure level for")[1].split()[1])


@pytest.mark.parametrize("slot", SLOTS)
def test_each_slot_listens_now_and_after_a_restart(host, slot):
    assert host.service(f"classifier@{slot}.socket").is_running
    assert host.service(f"classifier@{slot}.socket").is_enabled


@pytest.mark.parametrize("slot", SLOTS)
def test_only_the_web_server_may_connect_to_a_slot(host, slot):
    socket = host.file(f"/run/frontdesk/{slot}.sock")
    assert socket.is_socket
    assert (socket.user, socket.group, socket.mode) == ("root", "www-data", 0o660)


@pytest.mark.parametrize(("user", "answers"), [("www-data", True), ("nobody", False)])
def test_the_application_answers_the_web_server_and_nobody_else(host, live_slot, user, answers):
    words = ["runuser", "-u", user, "--", "curl", "--silent", "--fail", "--unix-socket",
             f"/run/frontdesk/{live_slot}.sock", "http://localhost/healthz"]  # fmt: skip
    assert (host.run(shlex.join(words)).rc == 0) is answers


def test_the_user_can_neither_log_in_nor_own_a_home(host):
    user = host.user("frontdesk")
    assert user.shell == "/usr/sbin/nologin"
    assert not host.file(user.home).exists
    assert user.uid < 1000


def test_the_live_slot_runs_and_the_other_is_ready_to_be_filled(host, live_service):
    assert live_service.is_running
    assert host.service("classifier-warm.service").is_enabled


def test_master_and_workers_run_as_the_classifiers_user(host, live_slot):
    main = host.check_output(
        f"systemctl show --value --property MainPID classifier@{live_slot}.service"
    )
    family = host.check_output(f"ps -o user= -p {main} --ppid {main}").split()
    assert family == ["frontdesk"] * 3


def test_every_worker_predicts_in_its_sandbox(host, live_slot):
    release = host.check_output("readlink --canonicalize /opt/frontdesk/live/release")
    words = ["env", "--chdir", f"{release}/app", f"{release}/env/bin/python", "-B", "-m",
             "classifier.serving.gate", "--socket", f"/run/frontdesk/{live_slot}.sock",
             "--bundle", f"{release}/model", "--release-id", Path(release).name,
             "--timeout", "20"]  # fmt: skip
    told = host.check_output(shlex.join(words))
    assert json.loads(told.splitlines()[-1])["passed"]
    assert "on each of 2 workers" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify"),
        ("Restart", "always"),
        ("RestartUSec", "1s"),
        ("KillMode", "mixed"),
        ("TimeoutStopUSec", "40s"),  # longer than a request may take
        ("MemoryMax", str(384 * 1024 * 1024)),
        ("MemorySwapMax", "0"),
        ("OOMPolicy", "continue"),
        ("TasksMax", "256"),
        ("LimitNOFILE", "4096"),
        ("LimitCORE", "0"),
        ("DropInPaths", ""),
    ],
)
def test_the_unit_has_its_limits_and_comes_back(host, live_slot, name, value):
    shown = host.check_output(f"systemctl show --property {name} classifier@{live_slot}.service")
    assert shown == f"{name}={value}"


@pytest.mark.parametrize("slot", SLOTS)
def test_connections_wait_while_a_process_restarts(host, slot):
    shown = host.check_output(f"systemctl show --property Backlog classifier@{slot}.socket")
    assert int(shown.split("=")[1]) >= 1024


def test_the_unit_is_shut_in(host, live_slot):
    assert exposure(host, f"classifier@{live_slot}.service") <= 0.6


def test_inside_there_is_no_network_but_an_own_loopback(inside):
    interfaces = inside("cat /proc/self/net/dev").splitlines()
    assert [line.split(":")[0].strip() for line in interfaces if ":" in line] == ["lo"]


@pytest.mark.parametrize(
    "folder",
    [
        "/opt/frontdesk/live/release/app",
        "/opt/frontdesk/store",
        "/etc",
        "/var/lib",
        "/run/frontdesk",
    ],
)
def test_inside_nothing_can_be_written(inside, folder):
    said = inside(f"touch {folder}/written")
    assert "Read-only file system" in said or "Permission denied" in said


def test_inside_the_user_is_the_classifiers_own_and_has_no_capability(inside):
    said = inside("id --user --name; grep CapBnd /proc/self/status").split()
    assert said == ["frontdesk", "CapBnd:", "0" * 16]


def test_each_request_is_one_line_in_the_bounded_log_without_its_text(host, ask):
    name = uuid.uuid4().hex
    body = json.dumps({"text": f"my parcel {name}x has not arrived"})
    ask("/v1/classify", "--json", body, "--header", f"X-Request-ID: {name}")
    log = host.file("/var/log/frontdesk/requests.log")
    assert (log.user, log.group, log.mode) == ("frontdesk", "frontdesk", 0o640)
    (line,) = [line for line in log.content_string.splitlines() if name in line]
    said = json.loads(line)
    assert (said["label"], said["status"], said["texts"]) == ("delivery", 200, 1)
    assert 0 <= said["queue_seconds"] < 5
    assert f"{name}x" not in log.content_string


def test_the_hashes_of_keys_are_for_the_classifier_alone(host):
    keys = host.file("/etc/frontdesk/api_keys")
    assert (keys.user, keys.group, keys.mode) == ("root", "frontdesk", 0o640)


def test_the_whole_stack_stays_small(host, live_slot):
    main = host.check_output(
        f"systemctl show --value --property MainPID classifier@{live_slot}.service"
    )
    pids = host.check_output(f"ps -o pid= -p {main} --ppid {main}").split()
    pids += host.check_output("pgrep nginx").split()
    files = " ".join(f"/proc/{pid}/smaps_rollup" for pid in pids)
    kilobytes = sum(
        int(line.split()[1]) for line in host.check_output(f"grep -h ^Pss: {files}").splitlines()
    )
    assert kilobytes < 150 * 1024

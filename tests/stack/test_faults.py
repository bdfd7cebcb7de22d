"""What is killed, starved or filled up on a host under load: it is back in time, without a hand.

`lost` is how many requests of 50 a second may go unanswered; one counts as late after a second.
"""

import json
import re
import socket
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import pytest
import versions
from load import Load

pytestmark = pytest.mark.timeout(600)
PER_SECOND = 50
SERVICE = "classifier@$(basename $(readlink /opt/frontdesk/live)).service"
SOCKET = SERVICE.replace(".service", ".socket")
MAIN = f"$(systemctl show --value --property MainPID {SERVICE})"
THREADS = 4  # of a worker: as many requests may be in its hands


@dataclass(frozen=True)
class Fault:
    """What is done to the host, within how many seconds all is well again, what may be lost."""

    name: str
    line: str
    seconds: float
    lost: int


KILLS = [
    Fault("a worker", "pkill --signal KILL --newest --full '[g]unicorn'", 2, THREADS),
    Fault("the master of the workers", f"kill -9 {MAIN}", 8, 2 * THREADS),
    Fault("master and workers", "pkill --signal KILL --full '[g]unicorn'", 8, 2 * THREADS),
    Fault("a worker of Nginx", "pkill --signal KILL --newest --exact nginx", 1, PER_SECOND),
    Fault("the master of Nginx", "kill -9 $(cat /run/nginx.pid)", 3, 3 * PER_SECOND),
    Fault("all of Nginx", "pkill --signal KILL --exact nginx", 3, 3 * PER_SECOND),
    Fault("the journal", "pkill --signal KILL systemd-journal", 1, 0),
    Fault("the socket", f"systemctl stop {SOCKET}", 8, 8 * PER_SECOND),
]


def stop_the_watch(host):
    """It would go back to another release, and be right. Where the time is over there is none."""
    host.shell("systemctl stop frontdesk-watch.service || true")


def done_to(host, fault):
    """Do it under load; how long the service was not well for, and the requests that were lost."""
    with Load(host.address, PER_SECOND, versions.text) as load:
        time.sleep(1)
        host.shell(fault.line)
        at = time.monotonic()
        deadline = at + fault.seconds + 2
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if time.monotonic() - unwell_until(load, at) > 1:
                break
    return unwell_until(load, at) - at, [each.failure for each in load.exchanges if each.failure]


def unwell_until(load, at):
    """Until when a request failed or was late; `at` where none was."""
    over = [each.done for each in load.exchanges if each.failure or each.done - each.due > 1]
    return max([at, *over])


@pytest.mark.prove
@pytest.mark.parametrize("fault", KILLS, ids=lambda fault: fault.name)
def test_what_is_killed_comes_back(host, fault):
    stop_the_watch(host)
    seconds, lost = done_to(host, fault)
    print(f"{fault.name}: {seconds:.1f} s, {len(lost)} lost")
    assert seconds <= fault.seconds
    assert len(lost) <= fault.lost, lost
    alive = "pgrep --count --full '[g]unicorn'; pgrep --count --exact nginx"
    whole = ["3", str(1 + int(host.shell("nproc")))]  # one that boots is no loss, but has to come
    deadline = time.monotonic() + fault.seconds
    while host.shell(alive).split() != whole:
        assert time.monotonic() < deadline
    assert host.status()["warnings"] == []
    assert host.shell("systemctl list-units --failed --plain --no-legend") == ""


@pytest.mark.prove
def test_a_watch_that_is_killed_begins_anew(host):
    live = host.status()["live"]["id"]
    host.shell(
        "systemctl stop frontdesk-watch.service || true; cd /usr/local/lib/frontdesk; "
        f"PYTHONPATH=release.pyz python3 -c 'import slots; slots.keep_watch(\"{live}\")'"
    )
    host.shell("sleep 0.5; pkill --signal KILL --full '[r]elease.pyz watch'; sleep 0.5")
    assert host.status()["watched"] is True
    stop_the_watch(host)
    assert host.status()["watched"] is False


# Takes the memory that a unit may have, from within its group, until the kernel ends the victim
HOG = """
import os, sys, subprocess
unit, wanted = sys.argv[1:]
def told(name):
    words = ["systemctl", "show", "--value", "--property", name, unit]
    return subprocess.check_output(words, text=True).strip()
roots = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"]  # of version 1 and 2
(group, *_) = [p for r in roots if os.path.exists(p := r + told("ControlGroup") + "/cgroup.procs")]
main = told("MainPID")
victim = main if wanted == "master" else next(p for p in open(group).read().split() if p != main)
with open(f"/proc/{victim}/oom_score_adj", "w") as score:
    score.write("1000")
with open(group, "w") as procs:
    procs.write(str(os.getpid()))
taken = []
while os.path.exists(f"/proc/{victim}") and ") Z " not in open(f"/proc/{victim}/stat").read():
    taken.append(b"a" * 4_000_000)
print("gone")
"""


# With the master systemd ends what is left in its group: the whole unit
@pytest.mark.parametrize(
    ("victim", "lost"),
    [("worker", THREADS), pytest.param("master", 2 * THREADS, marks=pytest.mark.prove)],
)
def test_where_memory_ends_the_kernel_takes_no_more_than_the_service(host, victim, lost):
    stop_the_watch(host)
    host.send(HOG.encode(), "/root/hog.py")
    others = "pgrep --exact 'nginx|systemd-journal|dbus-daemon'"
    before, kills = host.shell(others), host.shell(f"systemctl show --property NRestarts {SERVICE}")
    line = f"timeout 30 python3 /root/hog.py {SERVICE} {victim} | grep gone || true"
    seconds, failed = done_to(host, Fault(victim, line, 5, lost))
    print(f"out of memory, {victim}: {seconds:.1f} s, {len(failed)} lost")
    assert seconds <= 5
    assert len(failed) <= lost, failed
    assert host.shell(others) == before
    again = host.shell(f"systemctl show --property NRestarts {SERVICE}")
    assert (again != kills) is (victim == "master")


FOLDERS = ["/var/log/nginx", "/var/log/frontdesk", "/var/lib/nginx", "/var/lib/frontdesk",
           "/var/tmp"]  # fmt: skip
RESTART = f"systemctl restart nginx.service {SERVICE}"
BODY_BYTES = 65_536


@pytest.fixture
def disks(host):
    """The host with a small disk under each folder of logs, bodies and feedback, all full."""
    stop_the_watch(host)
    for folder in FOLDERS:
        host.shell(
            f"mount -t tmpfs -o size=512k,mode=$(stat -c %a {folder}),uid=$(stat -c %u {folder}),"
            f"gid=$(stat -c %g {folder}) none {folder}"
        )
    host.shell(RESTART)
    host.shell("curl --silent --fail --retry 5 --retry-all-errors http://127.0.0.1/readyz")
    host.shell(
        "".join(f"cat /dev/zero 2>/dev/null > {folder}/fill || true; " for folder in FOLDERS)
    )
    yield host
    host.shell(f"umount --lazy {' '.join(FOLDERS)}; {RESTART}")


def send(host, path, body, *, piece=0, wait=0):
    """Post a body, in pieces where they have a size, and begin to read after a while."""
    head = f"POST {path} HTTP/1.1\r\nHost: site\r\nConnection: close\r\n"
    kind = "Content-Type: application/json\r\n"
    size = "Transfer-Encoding: chunked" if piece else f"Content-Length: {len(body)}"
    if piece:
        pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in [*pieces, b""])
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host.address, 80))
        client.sendall(f"{head}{kind}{size}\r\n\r\n".encode() + body)
        time.sleep(wait)
        told = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, answer = told.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(answer)


def test_full_disks_lose_no_request_and_hold_up_no_return(disks):
    with Load(disks.address, PER_SECOND, versions.text) as load:
        body = json.dumps({"texts": ["where is my parcel? " * 400] * 8}).encode().ljust(BODY_BYTES)
        for piece in (0, BODY_BYTES, 1000, 50):
            assert send(disks, "/v1/classify", body, piece=piece)[0] == 200, piece
        # The largest answer there is, to one who does not read it: more than a socket holds
        status, answer = send(disks, "/v1/explain", b'{"text": "%b"}' % (b"a!" * 5000), wait=2)
        assert (status, len(answer["words"])) == (200, 10_000)
        refusals = {"/v1/feedback": b'{"request_id": "a", "label": "billing"}'}
        assert [send(disks, *each)[1]["error"]["code"] for each in refusals.items()] == [
            "feedback_not_kept"
        ]
    assert [each.failure for each in load.exchanges if each.failure] == []
    for fault in KILLS[1], KILLS[4]:
        seconds, lost = done_to(disks, fault)
        assert seconds <= fault.seconds
        assert len(lost) <= fault.lost
    complaints = disks.shell(f"journalctl --unit {SERVICE} --since -30s --output cat")
    assert 1 <= complaints.count("the request log cannot be written") <= 8  # of each process one
    disks.shell("rm " + " ".join(f"{folder}/fill" for folder in FOLDERS))
    assert send(disks, "/v1/feedback", refusals["/v1/feedback"])[0] == 200
    for log in ("/var/log/nginx/access.log", "/var/log/frontdesk/requests.log"):
        torn = [line for line in disks.shell(f"cat {log}").splitlines() if not is_json(line)]
        assert len(torn) <= 1, torn  # where the disk became full, no other


def is_json(line):
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@pytest.mark.prove
def test_a_full_disk_stops_the_rotation_of_logs_only_while_it_is_full(disks):
    rotate = "logrotate --force /etc/logrotate.d/nginx"
    disks.shell("rm /var/log/nginx/fill")
    for _ in range(2):
        disks.shell(f"curl --silent --fail http://127.0.0.1/v1/model >/dev/null; {rotate}")
    ask = "curl --silent --fail http://127.0.0.1/v1/model >/dev/null"
    disks.shell(f"{ask}; cat /dev/zero 2>/dev/null > /var/log/nginx/fill || true; {rotate} || true")
    disks.shell(f"rm /var/log/nginx/fill; {ask}; {rotate}; {ask}")
    assert len(disks.shell("cat /var/log/nginx/access.log").splitlines()) == 1
    assert disks.shell("gzip --test /var/log/nginx/*.gz; ls /var/log/nginx/*.gz") != ""


LIBRARY = "$(ls /usr/lib/*/faketime/libfaketimeMT.so.1)"
CLOCK = "/run/systemd/system/nginx.service.d/clock.conf"


@pytest.fixture
def clock(host):
    """set_clock("+400d"): from then on Nginx sees another time of day.

    A container can't have a clock of its own. Of the service the same is tested from outside: it
    compares Nginx's time with its own.
    """
    stop_the_watch(host)
    host.shell(
        "DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "
        f"libfaketime >/dev/null; mkdir -p {CLOCK.rsplit('/', 1)[0]}; echo +0 > /etc/faketimerc; "
        f"printf '[Service]\\nEnvironment=FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 "
        f"LD_PRELOAD=%s\\n' {LIBRARY} > {CLOCK}; systemctl daemon-reload; systemctl restart nginx"
    )
    yield lambda to: host.shell(f"echo {to} > /etc/faketimerc")
    host.shell(
        f"rm {CLOCK} /etc/faketimerc; systemctl daemon-reload; systemctl restart nginx; "
        "apt-get purge --quiet --yes libfaketime >/dev/null"
    )


@pytest.mark.prove
def test_a_clock_that_jumps_loses_no_request(host, clock):
    def queued():
        metrics = host.shell("curl --silent --fail http://127.0.0.1:9180/metrics")
        return float(re.search(r"^frontdesk_queue_seconds_total (.*)", metrics, re.MULTILINE)[1])

    before = queued()
    with Load(host.address, PER_SECOND, versions.text) as load:
        for to in ("+1d", "+0", "-1d", "+400d", "+0"):
            clock(to)
            time.sleep(1)
            said = host.shell("curl --silent --head http://127.0.0.1/ | grep -i ^date:")
            moved = parsedate_to_datetime(said.split(": ", 1)[1].strip()).timestamp() - time.time()
            assert abs(moved - int(to.strip("d")) * 86_400) < 5
    assert [each.failure for each in load.exchanges if each.failure] == []
    assert max(each.done - each.due for each in load.exchanges) < 1
    assert 0 <= queued() - before < len(load.exchanges)

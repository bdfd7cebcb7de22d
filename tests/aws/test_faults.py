"""Faults in front of the cloud, met by the playbook and by the verbs: one clear line in a minute.

All of them, with the patience of real runs, by `make prove`, which writes the table of them with
their times to build/ec2_faults.tsv. What the test cloud can do to a line is told in its server.
"""

import re
import time

import pytest
from seeding import everything, make_stack
from testcloud.server import Fault

MINUTE = 60
FOREVER = 999
prove = pytest.mark.prove


@pytest.fixture(scope="module")
def table(root):
    """Rows of what was injected where, how long it took and what was said."""
    rows = [("fault", "against", "seconds", "exit", "line")]
    yield rows
    if len(rows) > 1:
        (root / "build").mkdir(exist_ok=True)
        lines = ("\t".join(map(str, row)) for row in rows)
        (root / "build/ec2_faults.tsv").write_text("\n".join(lines) + "\n")


def throttled(action):
    return Fault(action, code="RequestLimitExceeded", status=503, times=FOREVER)


def unauthorized(action, code="UnauthorizedOperation"):
    return Fault(action, code=code, status=403, times=FOREVER)


def line(what, action, **options):
    return Fault(action, line=what, times=FOREVER, **options)


@pytest.fixture
def meet(cloud, ec2, table):
    """Lets a verb meet a fault that stays, and notes what became of it."""

    def met(verb, name, fault, words):
        cloud.faults.append(fault)
        began = time.monotonic()
        code, out, err = ec2(*verb.split())
        seconds = time.monotonic() - began
        cloud.faults.clear()
        reasons = [each for each in (out + err).splitlines() if words in each]
        table.append((name, f"ec2.py {verb}", round(seconds), code, reasons[-1].strip()))
        assert code in ((3, 1) if "teardown" in verb else (1,))
        assert "Traceback" not in err
        assert seconds < MINUTE

    return met


NO_CAPACITY = {"code": "InsufficientInstanceCapacity", "status": 500, "times": FOREVER}
NO_PROFILE = {"code": "InvalidParameterValue", "message": "Invalid IAM Instance Profile name"}
# name: (what happens, what is said)
AGAINST_THE_PLAYBOOK = {
    "no capacity": (Fault("RunInstances", **NO_CAPACITY), "take another type, or wait"),
    "lost launch": (line("lost", "RunInstances"), "AWS does not answer"),
    "black hole": (line("silent", ".*"), "AWS does not answer"),
    "black hole midway": (line("silent", ".*", skip=30), "AWS does not answer"),
    "throttled reads": (throttled("DescribeInstances"), "it throttles this account"),
    "throttled writes": (throttled("CreateSecurityGroup"), "it throttles this account"),
    "throttled launch": (throttled("RunInstances"), "AWS is throttling this account"),
    "launch not allowed": (unauthorized("RunInstances"), "AWS refused RunInstances: Unauthorized"),
    "role not allowed": (unauthorized("CreateRole", "AccessDenied"), "AWS refused CreateRole"),
    "expired": (Fault(".*", code="ExpiredToken", times=FOREVER), "Get new credentials"),
    "dropped": (line("dropped", "AllocateAddress"), "AWS does not answer"),
    "slow": (line("slow", "ImportKeyPair", seconds=20), "AWS does not answer"),
    "profile never found": (Fault("RunInstances", **NO_PROFILE, times=FOREVER), "Invalid IAM"),
    "key never found": (Fault("RunInstances", code="InvalidKeyPair.NotFound", times=FOREVER),
                        "InvalidKeyPair.NotFound"),
    "instance never found": (Fault("DescribeInstances", code="InvalidInstanceID.NotFound",
                                   times=FOREVER, skip=2), "InvalidInstanceID.NotFound"),
}  # fmt: skip
SHORT = ("no capacity", "lost launch", "black hole")


@pytest.mark.parametrize(
    "name",
    [each if each in SHORT else pytest.param(each, marks=prove) for each in AGAINST_THE_PLAYBOOK],
)
def test_the_playbook_says_it_in_one_line_and_leaves_what_teardown_finds(
    cloud, provision, ec2, table, name
):
    before = everything(cloud)
    fault, words = AGAINST_THE_PLAYBOOK[name]
    cloud.faults.append(Fault(**vars(fault)))
    began = time.monotonic()
    done = provision(check=False, elastic_ip=True)
    seconds = time.monotonic() - began
    cloud.faults.clear()
    said = re.findall(r"Say in one line what went wrong.*?\n\[ERROR\]: (.*)", done.stdout)
    table.append((name, "provision.yml", round(seconds), done.returncode, *said))
    assert done.returncode != 0
    assert len(said) == 1, done.stdout[-4000:]
    assert words in said[0]
    assert seconds < MINUTE
    assert ec2("teardown", "--yes")[0] == 0
    assert everything(cloud) == before


def test_the_playbook_outlives_what_passes_and_makes_one_of_everything(cloud, provision):
    before = everything(cloud)
    cloud.faults += [
        Fault("DescribeInstances", line="dropped"),
        Fault("ImportKeyPair", line="dropped"),
        Fault("AuthorizeSecurityGroupIngress", code="InvalidGroup.NotFound"),
        Fault("CreateRole", code="Throttling", status=400),
        Fault("AddRoleToInstanceProfile", code="NoSuchEntity", status=404),
        Fault("RunInstances", **NO_PROFILE),
        Fault("RunInstances", line="lost"),
        Fault("DescribeInstances", code="InvalidInstanceID.NotFound", skip=2),
        Fault("AllocateAddress", line="lost"),  # a second one is allocated
    ]
    provision(elastic_ip=True)
    assert [each for each in cloud.faults if each.times] == []
    kinds = sorted(kind for kind, _ in everything(cloud) - before)
    assert kinds == ["address", "group", "instance", "key", "profile", "role", "volume"]


# verb: the calls that change something
CHANGING = {"stop": "StopInstances", "start": "StartInstances", "image --yes": "CreateImage",
            "resize t3.small": "ModifyInstanceAttribute", "protect": "ModifyInstanceAttribute",
            "reboot": "RebootInstances", "teardown --yes": "ReleaseAddress"}  # fmt: skip
AGAINST_A_VERB = {
    "throttled": (throttled, "AWS is throttling this account"),
    "not allowed": (unauthorized, "Have it allowed: scripts/ec2.py policy"),
    "dropped": (lambda action: line("dropped", action), "AWS does not answer"),
    "silent": (lambda action: line("silent", action), "AWS does not answer"),
    "black hole": (lambda _: line("silent", ".*"), "AWS does not answer"),
}


@prove
@pytest.mark.parametrize("verb", CHANGING)
@pytest.mark.parametrize("name", AGAINST_A_VERB)
def test_each_verb_says_it_in_one_line(cloud, ec2, meet, verb, name):
    before = everything(cloud)
    make_stack(cloud)
    ec2("stop" if verb == "start" else "start")  # which waits until it runs
    make, words = AGAINST_A_VERB[name]
    meet(verb, name, make(CHANGING[verb]), words)
    assert ec2("teardown", "--yes")[0] == 0
    assert everything(cloud) == before


# verb, what it meets, what is said of it
AGAINST_ONE_VERB = {
    "no capacity": ("start", Fault("StartInstances", **NO_CAPACITY), "take another type, or wait"),
    "depends": ("teardown --yes", Fault("DeleteSecurityGroup", code="DependencyViolation",
                                        times=FOREVER), "DependencyViolation"),
    "silent start": ("resize t3.small", line("silent", "StartInstances"),
                     "Go on: scripts/ec2.py resize t3.small, or start"),
    "black hole midway": ("resize t3.small", line("silent", ".*", skip=8),
                          "Go on: scripts/ec2.py resize t3.small, or start"),
    "black hole in between": ("teardown --yes", line("silent", ".*", skip=27),
                              "removed, but nobody could look: AWS does not answer"),
}  # fmt: skip


@prove
@pytest.mark.parametrize("name", AGAINST_ONE_VERB)
def test_what_only_one_verb_meets(cloud, ec2, meet, name):
    verb, fault, words = AGAINST_ONE_VERB[name]
    make_stack(cloud)
    ec2("stop" if verb == "start" else "start")
    meet(verb, name, Fault(**vars(fault)), words)


@pytest.mark.parametrize("fault", [throttled, lambda action: line("dropped", action)])
def test_a_teardown_that_is_cut_off_lists_what_is_left(cloud, ec2, fault):
    make_stack(cloud)
    cloud.faults.append(fault("ReleaseAddress"))
    code, out, _ = ec2("teardown", "--yes")
    assert code == 3
    left = [each.split()[1:2] for each in out.splitlines() if each.startswith("left")]
    assert ["address"] in left
    assert len(left) == 5
    assert "not tried after that" in out


def test_a_teardown_that_gets_no_more_answers_lists_what_is_left_and_what_nobody_saw_gone(
    cloud, ec2, impatience
):
    make_stack(cloud)
    cloud.faults.append(line("silent", ".*", skip=27))
    code, out, err = ec2("teardown", "--yes")
    assert code == 3
    results = [each.split()[0] for each in out.splitlines()[1:]]
    assert set(results) == {"unseen", "left"}
    assert len(results) == 7
    assert "AWS does not answer" in out
    assert "Nothing is left" not in err
    cloud.faults.clear()
    assert ec2("teardown", "--yes")[0] == 0

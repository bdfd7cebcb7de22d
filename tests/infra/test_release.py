import json
import re
import shlex

import pytest

ROOT = "/opt/frontdesk"
PROGRAM = "python3 /usr/local/lib/frontdesk/release.pyz"


@pytest.fixture
def status(host):
    return json.loads(host.check_output(f"{PROGRAM} status --json"))


def test_live_leads_to_a_slot_and_the_slot_to_a_good_release(host, status, live_slot):
    assert status["slot"] == live_slot
    assert status["warnings"] == []
    release = host.check_output(f"readlink --canonicalize {ROOT}/live/release")
    assert release == f"{ROOT}/releases/{status['live']['id']}"
    assert status["live"]["mark"] == "good"


def test_what_serves_is_what_is_live(status, ask):
    answer = ask("/readyz").json
    assert answer["release_id"] == status["live"]["id"]
    assert answer["model_id"] == status["live"]["model"]["model_id"]


def test_a_release_says_who_made_it_when_and_of_what(host):
    release = json.loads(host.file(f"{ROOT}/live/release/release.json").content_string)
    assert release["who"]
    assert release["commit"]
    assert release["created"].endswith("Z")
    assert set(release["parts"]) == {"env", "app", "model"}
    assert all(len(digest) == 64 for digest in release["parts"].values())


@pytest.mark.parametrize("part", ["env", "app", "model"])
def test_a_releases_parts_lie_in_the_store(host, part):
    target = host.check_output(f"readlink --canonicalize {ROOT}/live/release/{part}")
    assert target.startswith(f"{ROOT}/store/{part}/")


def test_a_release_lists_every_package_that_it_runs_with(host, status):
    made_of = json.loads(host.file(f"{ROOT}/live/release/sbom.json").content_string)
    listed = {
        (each["name"], each["version"])
        for each in made_of["components"] if each["type"] == "library"
    }  # fmt: skip
    files = host.check_output(
        f"cat {ROOT}/live/release/env/lib/python*/site-packages/*.dist-info/METADATA "
        "| grep --extended-regexp '^(Metadata-Version|Name|Version): '"
    )
    pattern = r"^Metadata-Version: .*\nName: (.*)\nVersion: (.*)$"
    assert listed == set(re.findall(pattern, files, re.MULTILINE))
    assert status["made_of"]["packages"] == len(listed) > 10


KEYS = "/etc/frontdesk/api_keys"  # hashes, which the classifier must read


def test_the_classifier_may_read_its_keys_and_no_more(host):
    file = host.file(KEYS)
    assert (file.user, file.group, file.mode) == ("root", "frontdesk", 0o640)


def test_all_files_are_roots_and_nobody_else_can_write_them(host):
    foreign = host.check_output(
        f"find {ROOT} /usr/local/lib/frontdesk /etc/frontdesk ! -type l ! -path {KEYS} "
        "'(' ! -user root -o ! -group root -o -perm /022 ')'"
    )
    assert foreign == ""


def test_no_half_made_thing_is_left(host):
    assert host.check_output(f"find {ROOT} -maxdepth 3 -name '.*'") == ""
    assert host.check_output(f"find {ROOT}/incoming -type f") == ""


def test_neither_tensorflow_nor_an_installer_is_on_the_host(host):
    found = host.check_output(
        f"find {ROOT}/store -maxdepth 6 -type d '(' -name 'tensorflow*' -o -name keras "
        "-o -name pip -o -name training ')'"
    )
    assert found == ""


def test_the_history_ends_with_how_the_live_release_came_to_be(host, status):
    lines = host.file(f"{ROOT}/history.jsonl").content_string.splitlines()
    last = json.loads(lines[-1])
    assert last["release"] == status["live"]["id"]
    assert last["event"] in ("deploy", "rollback")


def test_an_unknown_release_is_refused_by_name(host):
    done = host.run(shlex.join([*PROGRAM.split(), "rollback", "--to", "20000101"]))
    assert done.rc == 1
    assert "There is no release 20000101" in json.loads(done.stdout)["error"]

"""What an operator sees of releases on a real host."""

import json

import pytest

pytestmark = pytest.mark.timeout(900)


def test_with_nothing_older_that_is_good_rollback_fails_with_one_line(host):
    live = host.status()["live"]["id"]
    host.shell(f"""cd /opt/frontdesk/releases
        for each in *; do [ "$each" = {live} ] || echo bad > "$each/mark"; done""")
    done = host.play("rollback.yml", check=False)
    assert done.returncode != 0
    assert "There is no good release older than" in done.stdout + done.stderr
    assert host.status()["live"]["id"] == live


def test_status_tells_what_is_live(host):
    said = host.play("status.yml").stdout
    assert host.status()["live"]["id"] in said
    assert "accuracy" in said


ASK = "curl --silent --output /dev/null --write-out '%{http_code} ' http://127.0.0.1/v1/classify"


@pytest.mark.timeout(300)
def test_a_release_that_fails_after_its_switch_goes_back_by_itself_and_is_marked_bad(host, second):
    before = host.status()["live"]["id"]
    host.play("deploy.yml", release_parts="model", release_bundle_dir=str(second))
    broken = host.status()
    assert broken["live"]["id"] != before
    unit = f"classifier@{broken['slot']}"
    said = host.shell(
        f"systemctl stop {unit}.socket {unit}.service; for each in $(seq 200); do "
        f"""{ASK} --json '{{"text": "where is it?"}}'; sleep 0.1; done"""
    )
    assert said.count("502") >= 20
    assert said.endswith("200 " * 20)
    found = host.status()
    assert found["live"]["id"] == before
    assert {each["id"]: each["mark"] for each in found["releases"]}[broken["live"]["id"]] == "bad"
    again = host.play(
        "deploy.yml", check=False, release_parts="model", release_bundle_dir=str(second)
    )
    assert "was marked bad" in again.stdout + again.stderr


def test_of_two_deploys_at_once_one_is_told_who_holds_the_host_and_since_when(host):
    owner = {"token": "elsewhere:1:1", "who": "dev@lap", "reason": "try things"}
    lease = "/tmp/lease.py"
    host.shell(f"python3 - <<'E'\nimport zipfile\nopen('{lease}', 'wb').write("
               "zipfile.ZipFile('/usr/local/lib/frontdesk/release.pyz').read('lease.py'))\nE\n"
               f"python3 {lease} take '{json.dumps(owner)}'")  # fmt: skip
    for playbook in ("deploy.yml", "rollback.yml"):
        done = host.play(playbook, check=False)
        assert done.returncode != 0
        assert "dev@lap holds this host since" in " ".join(done.stdout.split())
    host.shell(f"python3 {lease} free '{json.dumps(owner)}'; rm {lease}")

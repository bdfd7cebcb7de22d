"""What an operator sees of releases on a real host."""

import json
import socket
import time

import pytest
import versions
from hosts import remove_leftover
from load import Load

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
        f"systemctl stop classifier-sockets.path {unit}.socket {unit}.service; "
        f"""for each in $(seq 200); do {ASK} --json '{{"text": "where?"}}'; sleep 0.1; done; """
        "systemctl start classifier-sockets.path"
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


def swap_two_labels(card, _folder):
    one, other = card["labels"][:2]
    swapped = {one: other, other: one}
    card["labels"] = [swapped.get(each, each) for each in card["labels"]]
    for each in card["golden"]:
        each["label"] = swapped.get(each["label"], each["label"])


CLIENTS = [f"127.0.{number}.{number * 7 % 250 + 1}" for number in range(1, 41)]
TEXTS = {"texts": ["I was charged twice", "please cancel my contract", "where is my parcel?"]}


def answered_by(host):
    """{client: the releases that answered its two requests}"""
    line = f"curl --silent --fail http://127.0.0.1/v1/classify --json '{json.dumps(TEXTS)}'"
    said = host.shell(
        f"for each in {' '.join(CLIENTS)}; do for again in 1 2; do "
        f"{line} --interface $each; echo; done; done"
    ).splitlines()
    releases = [json.loads(each)["release_id"] for each in said if each]
    return {client: set(releases[2 * n : 2 * n + 2]) for n, client in enumerate(CLIENTS)}


def compared(host, copies):
    """What was told of the copies once each was compared or left out."""
    for _ in range(60):
        counts = host.status()["tried"]["compared"]
        if counts["requests"] + counts.get("left_out", 0) >= copies:
            return counts
        time.sleep(1)
    raise AssertionError(f"After a minute: {counts}")


@pytest.fixture
def swapped(sample_bundle, tmp_path):
    return versions.changed_bundle(sample_bundle, tmp_path / "swapped", swap_two_labels)


def test_a_canary_answers_its_share_of_the_clients_and_is_compared_promoted_and_left(host, swapped):
    live = host.status()["live"]["id"]
    host.play("canary.yml", release_parts="model", release_canary_percent=50,
              release_bundle_dir=str(swapped))  # fmt: skip
    tried = host.status()["tried"]["release"]
    by = answered_by(host)
    assert all(len(releases) == 1 for releases in by.values())
    assert 8 <= sum(releases == {tried} for releases in by.values()) <= 32
    assert set.union(*by.values()) == {live, tried}
    counts = compared(host, copies=2 * len(CLIENTS))
    assert (counts["failed"], counts["agreement"]) == (0, 0.3333)
    assert {each["count"] for each in counts["flips"]} == {counts["requests"]}
    said = " ".join(host.play("status.yml").stdout.split())
    assert "as canary with 50 % of the clients" in said
    assert "33.33% of" in said
    host.play("promote.yml")
    assert host.status()["live"]["id"] == tried
    assert set.union(*answered_by(host).values()) == {tried}
    host.play("rollback.yml")


def test_a_shadow_that_hangs_delays_no_client_and_is_aborted(host, swapped):
    live = host.status()["live"]
    host.play("shadow.yml", release_parts="model", release_bundle_dir=str(swapped))
    slot = host.status()["tried"]["slot"]
    host.shell(f"systemctl kill --signal=STOP classifier@{slot}.service")
    with Load(host.address, 50, versions.text) as load:
        host.shell("sleep 5")
    assert [each.failure for each in load.exchanges if each.failure] == []
    assert {each.release for each in load.exchanges} == {live["id"]}
    hangs = 5  # the seconds after which the comparison gives the shadow up
    assert max(each.done - each.sent for each in load.exchanges) < hangs
    host.shell(f"systemctl kill --signal=CONT classifier@{slot}.service")
    host.play("abort.yml")
    assert host.status()["tried"] is None
    assert host.status()["live"]["id"] == live["id"]


def kept(done, folder):
    """The one folder that a failed play left, named in what it said."""
    assert done.returncode != 0
    (made,) = folder.iterdir()
    assert f"look in: {made}" in done.stdout
    return made


def test_a_host_keeps_its_port_and_says_so(host, tmp_path):
    done = host.play("deploy.yml", check=False, docker_host_http_port=8999,
                     release_diagnostics_dir=str(tmp_path))  # fmt: skip
    said = f"{host.name} was made with no port and docker_host_http_port is 8999"
    folder = kept(done, tmp_path)
    assert said in json.loads((folder / "refusal.json").read_text())["error"]
    assert "classifier" in (folder / "journal.txt").read_text()
    assert host.status()["lock"] is None


def test_a_host_of_ones_own_that_is_down_is_left_out_beside_one_that_is_made_here(host, tmp_path):
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 9}  # where nothing listens
    inventory = json.loads(host.inventory.read_text())
    inventory["all"]["children"]["app"]["hosts"] = {"gone": gone}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory))
    both = host.with_inventory(tmp_path / "hosts.json")
    done = both.play("deploy.yml", check=False, release_diagnostics_dir=str(tmp_path / "failed"))
    assert "gone did not answer and was left out" in done.stdout
    assert host.status()["lock"] is None


def test_where_one_host_can_not_be_made_no_other_stays_held(host, tmp_path):
    unmade = "frontdesk-unmade"
    remove_leftover(unmade)
    app = json.loads(host.inventory.read_text())["all"]["children"]["app"]
    (given,) = app["children"]["docker_hosts"]["hosts"].values()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        made = {unmade: given | {"docker_host_http_port": taken.getsockname()[1]}}
        app |= {"hosts": {host.name: given}, "children": {"docker_hosts": {"hosts": made}}}
        (tmp_path / "hosts.json").write_text(json.dumps({"all": {"children": {"app": app}}}))
        both = host.with_inventory(tmp_path / "hosts.json")
        done = both.play("deploy.yml", check=False, release_diagnostics_dir=str(tmp_path / "kept"))
    remove_leftover(unmade)
    assert kept(done, tmp_path / "kept").name.endswith(unmade)
    assert "address already in use" in done.stdout
    assert host.status()["lock"] is None


@pytest.mark.parametrize("path", ["/etc/frontdesk", "/usr/local/lib/frontdesk"])
def test_a_deploy_that_fails_says_where_its_diagnostics_are(host, tmp_path, path):
    live = host.status()["live"]["id"]
    host.shell(f"mv {path} {path}.away && touch {path}")
    try:
        done = host.play("deploy.yml", check=False, release_diagnostics_dir=str(tmp_path))
    finally:
        host.shell(f"rm {path} && mv {path}.away {path}")
    folder = kept(done, tmp_path)
    assert path in json.loads((folder / "refusal.json").read_text())["error"]
    assert "classifier" in (folder / "journal.txt").read_text()
    assert host.status()["live"]["id"] == live
    assert host.status()["lock"] is None
    host.play("deploy.yml")

"""Releases on a real host while requests run: none is lost, none comes from a refused model."""

import dataclasses
import json
import subprocess

import pytest
from classifier import bundle as bundles
from load import Load

NAME = "frontdesk-release"


CARRIED = ("calibration", "statistics", "embedding", "training")


def variant(source, target, golden):
    """The same model with other golden texts: another bundle, another model id."""
    held = bundles.load(source)
    return bundles.write(
        target, model=held.model_path.read_bytes(), vocabulary=held.vocabulary, labels=held.labels,
        tokenizer=held.tokenizer, limits=held.limits, metrics=held.metrics, golden=golden,
        **{name: held.card[name] for name in CARRIED},
    )  # fmt: skip


@pytest.fixture(scope="module")
def host(run, root, sample_bundle, tmp_path_factory):
    """A deployed host: host.play(playbook, **variables), host.address, host.status()."""
    folder = tmp_path_factory.mktemp("host")
    written = folder / "inventory.yml"
    variables = {
        "ansible_connection": "community.docker.docker",
        "ansible_user": "root",
        "docker_host_debian_release": "bookworm",
    }
    inventory = {"children": {"app": {"children": {"docker_hosts": {"hosts": {NAME: variables}}}}}}
    written.write_text(json.dumps({"all": inventory}))

    class Host:
        first = sample_bundle

        def play(self, playbook, *options, check=True, **settings):
            return run(
                "ansible-playbook", "--inventory", written, playbook, *options, "--extra-vars",
                json.dumps({"release_bundle_dir": str(sample_bundle)} | settings),
                folder=root / "ansible", check=check,
            )  # fmt: skip

        def shell(self, line):
            return run("docker", "exec", NAME, "sh", "-ec", line).stdout

        def status(self):
            words = ["docker", "exec", NAME, "python3", "/usr/local/lib/frontdesk/release.pyz",
                     "status", "--json"]  # fmt: skip
            return json.loads(run(*words).stdout)

        @property
        def address(self):
            form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
            return run("docker", "inspect", "--format", form, NAME).stdout.strip()

    made = Host()
    made.play("deploy.yml")
    yield made
    made.play("remove.yml")


@pytest.fixture(scope="module")
def second(sample_bundle, tmp_path_factory):
    golden = bundles.load(sample_bundle).golden
    return variant(sample_bundle, tmp_path_factory.mktemp("second") / "bundle", golden[1:])


@pytest.fixture(scope="module")
def wrong(sample_bundle, tmp_path_factory):
    """A bundle whose model does not answer a golden text as it did in training."""
    held = bundles.load(sample_bundle)
    spoiled = next(each for each in held.labels if each != held.golden[0].label)
    golden = [dataclasses.replace(held.golden[0], label=spoiled), *held.golden[1:]]
    return variant(sample_bundle, tmp_path_factory.mktemp("wrong") / "bundle", golden)


@pytest.mark.timeout(600)
def test_releases_and_rollbacks_lose_no_request_and_never_flip_back(host, second):
    first = host.status()["live"]["id"]
    with Load(host.address, per_second=50) as load:
        host.play("release.yml", release_bundle_dir=str(second.path))
        new = host.status()["live"]["id"]
        host.play("rollback.yml")
    assert load.sent > 200
    assert load.failures == {}
    order = [release for _, release in load.releases]
    switch, back = order.index(new), len(order) - order[::-1].index(new)
    assert set(order[:switch]) == {first}
    assert set(order[switch:back]) == {new}
    assert set(order[back:]) == {first}


@pytest.mark.timeout(300)
def test_a_model_that_fails_its_gate_never_serves_and_says_why(host, wrong):
    live = host.status()["live"]["id"]
    with Load(host.address, per_second=50) as load:
        done = host.play("release.yml", check=False, release_bundle_dir=str(wrong.path))
    assert done.returncode != 0
    said = done.stdout + done.stderr
    expected = wrong.golden[0].label
    assert "The candidate failed its gate" in said
    assert f"expected: {expected}" in said
    assert load.failures == {}
    assert {release for _, release in load.releases} == {live}
    assert host.status()["live"]["id"] == live
    assert host.status()["events"][-1]["event"] == "refused"


@pytest.mark.timeout(300)
def test_with_nothing_older_rollback_fails_with_one_line(host):
    done = host.play("rollback.yml", check=False)
    assert done.returncode != 0
    assert "There is no good release older than" in done.stdout + done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["MainPID", "worker"])
def test_a_killed_process_comes_back_and_no_connection_is_refused(host, victim):
    service = f"classifier@{host.status()['slot']}.service"
    kill = f"kill -9 $(systemctl show --value --property MainPID {service})"
    if victim == "worker":
        kill = f"pkill -9 --newest --parent $(systemctl show --value --property MainPID {service})"
    with Load(host.address, per_second=50) as load:
        subprocess.run(
            ["docker", "exec", NAME, "sh", "-c", f"sleep 1; {kill}; sleep 4"], check=True
        )
    in_flight = 8  # what two workers with four threads may have had in hand
    assert sum(load.failures.values()) <= in_flight
    assert set(load.failures) <= {502}
    assert len(load.releases) >= load.sent - in_flight


UNITS = "/etc/systemd/system"
HAND_EDITS = {
    "the page": "echo HACKED >> /opt/frontdesk/live/release/app/web/index.html",
    "a mode": "chmod 666 /opt/frontdesk/live/release/app/web/app.js",
    "the unit": f"echo 'Nice=5' >> {UNITS}/classifier@.service",
    "an override": f"mkdir -p {UNITS}/classifier@.service.d; "
    f"printf '[Service]\\nPrivateNetwork=no\\n' > {UNITS}/classifier@.service.d/hand.conf",
    "nginx": "sed -i 's/server_tokens off/server_tokens on/' /etc/nginx/nginx.conf",
    "nginx's unit": f"printf '[Service]\\nPrivateTmp=no\\n' > {UNITS}/nginx.service.d/hand.conf",
    "a stopped service": "systemctl stop nginx.service",
}


@pytest.mark.timeout(600)
def test_what_was_changed_by_hand_is_named_by_a_check_and_repaired_by_a_deploy(host):
    for line in HAND_EDITS.values():
        host.shell(line)
    named = host.play("deploy.yml", "--check", "--diff").stdout
    for trace in (
        "Nice=5",
        "hand.conf",
        "classifier@.service.d",
        "server_tokens on",
        "app changed",
    ):
        assert trace in named
    assert "Nginx does not lead" in host.play("status.yml").stdout

    host.play("deploy.yml")
    assert host.status()["warnings"] == []
    assert "HACKED" not in host.shell("curl --silent http://127.0.0.1/")
    assert host.shell("find /etc/systemd/system -name hand.conf") == ""
    assert "Nice=5" not in host.shell("systemctl cat classifier@blue.service")
    assert "changed=0 " in host.play("deploy.yml").stdout


def test_status_tells_what_is_live_and_what_was_refused(host):
    said = host.play("status.yml").stdout
    assert host.status()["live"]["id"] in said
    assert "refused" in said
    assert "accuracy" in said

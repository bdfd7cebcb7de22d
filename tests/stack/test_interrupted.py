"""A deploy that is cut off anywhere leaves a host that answers, and the next run succeeds."""

import contextlib
import itertools
import os
import signal
import subprocess
import time

import pytest
import versions
from classifier import bundle as bundles
from load import Load

pytestmark = pytest.mark.timeout(1800)
ROOT = "/opt/frontdesk"
PER_SECOND = 50


class Deploys:
    """Starts deploys, each of a bundle that the host has never seen, and sees that later ones work.

    Bundles alternate between two models, and the number in each makes it another one to send.
    """

    def __init__(self, host, bundle, folder):
        self._host, self._bundle, self._folder = host, bundle, folder
        self._numbers = itertools.count()
        self._first = bundles.load(bundle).model_id

    def _fresh(self):
        number, live = next(self._numbers), self._host.status()["live"]["model"]["model_id"]

        def change(card, _folder):
            card["training"]["seed"] = number
            if live == self._first:
                versions.rotate_labels(card)

        return versions.changed_bundle(self._bundle, self._folder / str(number), change)

    @contextlib.contextmanager
    def started(self):
        """A running deploy; whatever is left of it at the end is killed."""
        words = self._host.command("release.yml", release_bundle_dir=str(self._fresh()))
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True,
                                   **self._host.surroundings)  # fmt: skip
        try:
            yield process
        finally:
            kill_all(process)
            process.wait()
            process.stdout.close()

    def succeed(self):
        """The next run succeeds, its model serves, and nothing of those before is left."""
        bundle = self._fresh()
        self._host.play("release.yml", release_bundle_dir=str(bundle))
        status = self._host.status()
        assert status["live"]["model"]["model_id"] == bundles.load(bundle).model_id
        assert status["warnings"] == []
        strays = f"find {ROOT} -maxdepth 3 -name '.*'; find {ROOT}/incoming -mindepth 1"
        assert self._host.shell(strays) == ""
        known = {each["id"] for each in status["releases"]}
        assert set(self._host.shell(f"ls {ROOT}/releases").split()) == known
        assert "staged" not in self._host.shell(f"cat {ROOT}/releases/*/mark")


@pytest.fixture(scope="module")
def deploys(host, sample_bundle, tmp_path_factory):
    return Deploys(host, sample_bundle, tmp_path_factory.mktemp("bundles"))


def announced(process):
    """Each task of a running deploy, at the moment at which it begins."""
    return (line for line in process.stdout if line.startswith("TASK ["))


@pytest.fixture(scope="module")
def task_count(deploys):
    with deploys.started() as process:
        return sum(1 for _ in announced(process))


def kill_all(process):
    """Kill a deploy and what it started; its workers are in sessions of their own."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGSTOP)  # so that it starts no more of them
    family = [process.pid]
    for parent in family:
        words = ["pgrep", "--parent", str(parent)]
        found = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        family += map(int, found.split())
    for each in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def cut_off(process, share, task_count):
    """Kill a deploy, with all its processes, when this share of its tasks has begun."""
    for number, line in enumerate(announced(process), start=1):
        if number >= share * task_count:
            kill_all(process)
            return line
    raise AssertionError("the deploy ended before it was cut off")


def check_cut_off(host, deploys, share, task_count):
    before = host.status()["live"]["id"]
    with Load(host.address, PER_SECOND, versions.text) as load:
        with deploys.started() as process:
            cut_off(process, share, task_count)
        deploys.succeed()
    assert [each.failure for each in load.exchanges if each.failure] == []
    assert load.exchanges[0].release == before
    assert host.status()["live"]["id"] == load.exchanges[-1].release


@pytest.mark.parametrize("share", [0.4, 0.75, 1])
def test_a_deploy_killed_on_the_way_costs_no_request(host, deploys, task_count, share):
    check_cut_off(host, deploys, share, task_count)


@pytest.mark.prove
@pytest.mark.parametrize("share", [tenth / 10 for tenth in range(1, 11)])
def test_a_deploy_killed_at_any_tenth_of_its_tasks_costs_no_request(
    host, deploys, task_count, share
):
    check_cut_off(host, deploys, share, task_count)


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        time.sleep(0.1)


def test_a_host_that_loses_its_power_in_a_deploy_serves_again_and_takes_the_next(host, deploys):
    old, staged = host.status()["live"]["id"], f"cat {ROOT}/releases/*/mark"
    with deploys.started():
        wait_for(lambda: "staged" in host.shell(staged), 120, "a staged release")
        host.restart()
    status = host.status()
    with Load(host.address, PER_SECOND, versions.text) as load:
        time.sleep(1)
    assert [each.failure for each in load.exchanges if each.failure] == []
    assert {each.release for each in load.exchanges} == {status["live"]["id"]}
    assert status["live"]["id"] == old or status["releases"][0]["id"] == status["live"]["id"]
    deploys.succeed()


def test_a_nearly_full_disk_is_refused_before_anything_is_written(host, deploys):
    listing = f"find {ROOT} -type f -printf '%p %s %T@\\n' | sort"
    host.shell(f"""mkdir -p /mnt/small
        mount -t tmpfs -o size=$(( $(du -sm {ROOT} | cut -f1) + 50 ))m small /mnt/small
        cp --archive {ROOT}/. /mnt/small
        mount --bind /mnt/small {ROOT}""")
    try:
        before = host.shell(listing)
        with deploys.started() as process:
            said = process.stdout.read()
            process.wait()
        assert process.returncode != 0
        assert "of disk" in said
        assert "Nothing was written." in said
        assert host.shell(listing) == before
    finally:
        host.shell(f"umount {ROOT}; umount /mnt/small")

"""Candidates that must never serve: each is refused with its cause, and no request notices."""

import contextlib
import csv
import gzip
import hashlib
import io
import tarfile
import time

import broken
import pytest
import versions
from load import Load

pytestmark = pytest.mark.timeout(900)
PER_SECOND = 50


@contextlib.contextmanager
def all_answered_by_the_live_release(host, bundle):
    """While the block runs, each request is answered rightly, by the release that served before."""
    live, answers = host.status()["live"]["id"], versions.Answers(bundle)
    with Load(host.address, PER_SECOND, versions.text) as load:
        yield
    assert len(load.exchanges) > PER_SECOND / 2
    assert [each.failure for each in load.exchanges if each.failure] == []
    assert {each.release for each in load.exchanges} == {live}
    assert {answers.wrong(each) for each in load.exchanges} == {""}
    assert host.status()["live"]["id"] == live


@pytest.fixture
def note(root):
    """Write down how long a refusal took: a figure, on this machine and beside this load."""

    def write(what, seconds):
        table = root / "build/proof/refusals.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        with table.open("a", newline="") as stream:
            csv.writer(stream).writerow([what, f"{seconds:.1f}"])

    return write


@pytest.fixture
def candidate(root, sample_bundle, tmp_path):
    """candidate(kind) -> the variables that release it, and the cause that must be named."""
    return lambda kind: broken.candidate(kind, root / "service", sample_bundle, tmp_path)


@pytest.mark.parametrize("kind", broken.KINDS)
def test_a_candidate_is_refused_when(host, sample_bundle, candidate, note, kind):
    variables, cause = candidate(kind)
    with all_answered_by_the_live_release(host, sample_bundle):
        began = time.monotonic()
        done = host.play("release.yml", check=False, **variables)
        note(kind, time.monotonic() - began)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert cause in said
    for word in ("expected:", "got:", "log:", "live:"):
        assert word in said
    assert host.status()["events"][-1]["event"] == "refused"


def member(name, **facts):
    made = tarfile.TarInfo(name)
    for key, value in facts.items():
        setattr(made, key, value)
    return made


HOLES = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes",
         "GNU.sparse.realsize": "1000000000"}  # fmt: skip
EXTRA = {
    "a path that climbs": member("../../../../../tmp/escaped"),
    "an absolute path": member("/tmp/escaped"),
    "a symbolic link": member("escaped", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": member("escaped", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a device": member("escaped", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
    "a gigabyte of holes": member("escaped", pax_headers=HOLES),
    "an extra file": member("escaped"),
}


def archive(bundle, extra=()):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(bundle.iterdir()):
            tar.add(path, path.name)
        for each in extra:
            each.size = 512
            tar.addfile(each, io.BytesIO(b"1\n0\n1\n".ljust(512, b"\0")))
    return content.getvalue()


def flip_a_byte(data):
    return data[:50_000] + bytes([data[50_000] ^ 1]) + data[50_001:]


UNLIKE = "not the one that was sent"
DAMAGE = {
    "flipped": flip_a_byte,
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "compressed, a gigabyte": lambda data: gzip.compress(data + bytes(2**30), 1),
}


@pytest.fixture
def refuse_archive(host, sample_bundle, note):
    """refuse_archive(data): send it as the live model with another digest; what the host says."""

    def call(data):
        digest = "f" * 64
        before = host.shell("cd /opt/frontdesk && find . | sort && du --summarize --bytes store")
        host.shell("touch /run/before")
        host.send(data, f"/opt/frontdesk/incoming/model-{digest}.tar")
        with all_answered_by_the_live_release(host, sample_bundle):
            began = time.monotonic()
            said = host.release_model(digest)
            note(said["error"], time.monotonic() - began)
        changed = host.shell(
            "find / -xdev -newer /run/before -not -type d -not -path '/proc/*' -not -path '/sys/*' "
            "-not -path '/run/*' -not -path '/tmp/*' -not -path '/dev/*' -not -path '/var/log/*' "
            "-not -path '/var/lib/systemd/*'"
        ).split()
        assert set(changed) <= {"/opt/frontdesk/history.jsonl", "/opt/frontdesk/lock"}
        assert host.shell("find /tmp /run -name 'escaped*'") == ""
        assert before == host.shell(
            "cd /opt/frontdesk && find . | sort && du --summarize --bytes store"
        )
        return said

    return call


@pytest.mark.parametrize("extra", EXTRA)
def test_a_host_refuses_an_archive_with(refuse_archive, sample_bundle, extra):
    said = refuse_archive(archive(sample_bundle, [EXTRA[extra]]))["error"]
    assert (UNLIKE if extra == "an extra file" else ", which is not a plain file below it.") in said


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_host_refuses_an_archive_that_is(refuse_archive, sample_bundle, damage):
    said = refuse_archive(DAMAGE[damage](archive(sample_bundle)))["error"]
    assert (UNLIKE if damage == "flipped" else "is damaged: ") in said


def test_a_host_refuses_an_archive_of_another_model(refuse_archive, second):
    assert UNLIKE in refuse_archive(archive(second))["error"]


def test_a_host_takes_an_archive_that_is_whole(host, second):
    """Else each of the refusals above could be of what they have in common."""
    before = host.status()["live"]["id"]
    sums = hashlib.sha256()
    for path in sorted(second.iterdir()):
        sums.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    digest = sums.hexdigest()
    host.send(archive(second), f"/opt/frontdesk/incoming/model-{digest}.tar")
    assert host.release_model(digest)["changed"] is True
    host.play("rollback.yml")
    assert host.status()["live"]["id"] == before

"""Bundles that a host takes: whole, signed by a trusted key, not older than the live one."""

import json
import subprocess
from dataclasses import replace

import deploy
import pytest
import releases
import store
from layout import ReleaseError
from release_host import OWNER


def make_key(path):
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@desk", "-f", str(path)]
    subprocess.run(words, check=True)
    return path


def sign(key, card, purpose="frontdesk"):
    words = ["ssh-keygen", "-Y", "sign", "-n", purpose, "-f", str(key)]
    return subprocess.run(words, input=card, capture_output=True, check=True).stdout.decode()


@pytest.fixture
def key(tmp_path):
    return make_key(tmp_path / "key")


@pytest.fixture
def trusting(layout, key):
    """The layout of a host that trusts one key."""
    return replace(layout, trusted_keys=(key.with_suffix(".pub").read_text().strip(),))


@pytest.fixture
def signed(host, layout, key):
    """signed(model, made, **sign's) -> a release of a signed bundle."""

    def make(model, made="2026-01-01T00:00:00+00:00", by=key, **more):
        host.made = made
        release = host.release(model=model)
        (archive,) = layout.incoming.glob(f"model-{release.parts['model']}*")
        folder = layout.root / "look" / str(host.number)
        store.unpack(archive, folder)
        card = (folder / "bundle.json").read_bytes()
        return replace(release, model={**release.model, "signature": sign(by, card, **more)})

    return make


def test_a_signed_bundle_is_taken_and_its_signature_is_kept_with_the_release(
    host, trusting, signed
):
    release = signed("new")
    assert deploy.deploy(trusting, release, OWNER)["changed"] is True
    assert "SSH SIGNATURE" in releases.read(trusting, "r01").model["signature"]
    code = replace(host.release(model="new", app="newer"), model={})
    assert deploy.deploy(trusting, code, OWNER)["changed"] is True


def refused(layout, release, match):
    with pytest.raises(ReleaseError, match=match) as refusal:
        deploy.deploy(layout, release, OWNER)
    assert set(refusal.value.details) >= {"expected", "got"}
    assert list(layout.store("model").glob("*")) == []
    return refusal.value.details


def test_an_unsigned_bundle_is_refused(host, trusting):
    assert refused(trusting, host.release(), "not signed. Sign it: ssh-keygen")["got"] == "none"


def test_a_bundle_signed_by_another_key_is_refused_with_that_key(host, trusting, signed, tmp_path):
    release = signed("new", by=make_key(tmp_path / "other"))
    got = refused(trusting, release, "by a key that is not trusted")["got"]
    assert "ED25519 key SHA256:" in got


def test_a_signature_of_another_bundle_is_refused(host, trusting, signed):
    other = signed("other")
    release = replace(signed("new"), model=other.model)
    refused(trusting, release, "not one of this bundle")


def test_a_signature_made_for_another_purpose_is_refused(host, trusting, signed):
    refused(trusting, signed("new", purpose="git"), "not one of this bundle")


def test_what_is_no_signature_is_refused(host, trusting):
    release = replace(host.release(), model={"signature": "hello"})
    refused(trusting, release, "not one of this bundle")


def test_an_unsigned_bundle_in_the_store_since_before_is_refused_too(host, layout, trusting):
    host.deploy()
    host.deploy(model="new")
    store.changed_files.cache_clear()
    with pytest.raises(ReleaseError, match="not signed"):
        deploy.deploy(trusting, host.release(), OWNER)
    assert host.live == "r02"


def test_a_signed_bundle_older_than_the_live_one_is_refused_but_for_a_flag(host, trusting, signed):
    deploy.deploy(trusting, signed("new", "2026-02-01T00:00:00+00:00"), OWNER)
    old = signed("old", "2026-01-31T23:59:59+00:00")
    with pytest.raises(ReleaseError, match="older than the live one") as refusal:
        deploy.deploy(trusting, old, OWNER)
    assert refusal.value.details["got"] == "made at 2026-01-31T23:59:59+00:00"
    assert host.live == "r01"
    old = signed("old", "2026-01-31T23:59:59+00:00")
    assert deploy.deploy(trusting, old, OWNER, allow_downgrade=True)["changed"] is True


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({"bundle.json": "{"}, "no usable bundle.json"),
        ({"bundle.json": "[]"}, "no usable bundle.json"),
        ({"bundle.json": json.dumps({"created": "x", "files": {"a": "0" * 64}}), "a": "b"}, "a is"),
        ({"bundle.json": json.dumps({"created": "x", "files": {}}), "more": "b"}, "does not hold"),
        ({"bundle.json": json.dumps({"created": "x", "files": {"a": "0"}})}, "does not hold"),
    ],
)
def test_a_bundle_that_is_not_whole_is_refused_before_anything_starts(host, layout, files, match):
    files = {name: text.encode() for name, text in files.items()}
    from release_host import upload

    release = host.release()
    digest = upload(layout, "model", files)
    refused(layout, replace(release, parts={**release.parts, "model": digest}), match)
    assert host.running == set()


def test_a_disk_that_is_nearly_full_is_seen_before_anything_is_unpacked(host, layout, monkeypatch):
    class Usage:
        free = 1000

    monkeypatch.setattr(deploy.shutil, "disk_usage", lambda path: Usage)
    refused(layout, host.release(), "disk is nearly full")
    assert not layout.releases.exists() or list(layout.releases.iterdir()) == []

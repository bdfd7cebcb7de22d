"""What variables of a play choose: code alone, a release by name, bundles that someone signed."""

import datetime
import json
import subprocess

import pytest
import versions

pytestmark = pytest.mark.timeout(900)


def parts(host):
    return json.loads(host.shell("cat /opt/frontdesk/live/release/release.json"))["parts"]


def test_code_alone_is_released_and_left_for_a_release_by_name(host, root, tmp_path):
    before, held = host.status()["live"], parts(host)
    name = "classifier/serving/routes.py"
    service = versions.changed_service(root / "service", tmp_path / "service", name, "# other\n")
    host.play("deploy.yml", release_parts="code", release_service_dir=str(service))
    live, serving = host.status()["live"], parts(host)
    assert live["id"] != before["id"]
    assert live["model"] == before["model"]
    assert {part for part in held if held[part] != serving[part]} == {"app"}

    done = host.play("rollback.yml", check=False, release_rollback_to="nowhere")
    assert done.returncode != 0
    assert "There is no release nowhere on this host. Releases: " in done.stdout
    assert host.status()["live"]["id"] == live["id"]
    host.play("rollback.yml", release_rollback_to=before["id"])
    assert host.status()["live"]["id"] == before["id"]
    assert parts(host) == held


def sign(key, bundle):
    """Sign a bundle as the README says; where its signature lies."""
    words = ["ssh-keygen", "-Y", "sign", "-n", "frontdesk", "-f", str(key)]
    card = (bundle / "bundle.json").read_bytes()
    done = subprocess.run(words, input=card, capture_output=True, check=True)
    path = bundle.with_suffix(".sig")
    path.write_bytes(done.stdout)
    return path


def test_with_a_trusted_key_a_bundle_must_be_signed_and_no_older_than_the_live_one(
    host, sample_bundle, tmp_path
):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)

    def release(bundle, signed, **variables):
        if signed:
            sign(key, bundle)
        return host.play(
            "release.yml", check=False, release_bundle_dir=str(bundle),
            release_trusted_keys=[key.with_suffix(".pub").read_text().strip()], **variables,
        )  # fmt: skip

    def aged(days):
        def change(card, _folder):
            made = datetime.datetime.fromisoformat(card["created"])
            card["created"] = (made + datetime.timedelta(days=days)).isoformat()

        return versions.changed_bundle(sample_bundle, tmp_path / f"aged{days}", change)

    before = host.status()["live"]["id"]
    try:
        done = release(aged(1), signed=False)
        assert done.returncode != 0
        assert "The bundle is not signed" in done.stdout
        assert host.status()["live"]["id"] == before

        assert release(aged(2), signed=True).returncode == 0
        newer = host.status()["live"]["id"]
        assert newer != before

        older = aged(-1)
        done = release(older, signed=True)
        assert done.returncode != 0
        assert "The bundle is older than the live one." in done.stdout
        assert host.status()["live"]["id"] == newer
        assert release(older, signed=True, release_allow_downgrade=True).returncode == 0
        assert host.status()["live"]["id"] not in (before, newer)
    finally:
        host.play("release.yml")

"""What a release is made of: its bill of materials, and the lock that decides it."""

import hashlib
import io
import json
import zipfile

import bill
import overview
import pytest
import releases
import store
from layout import ReleaseError
from release_host import upload

SITE = "lib/python3.11/site-packages"


def dist(name, version):
    folder = f"{SITE}/{name.replace('-', '_')}-{version}.dist-info"
    return {f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}


def test_a_release_lists_every_distribution_beside_itself(host, layout):
    host.deploy(env=dist("Some-Package", "1.2") | dist("other", "3.4"))
    made_of = json.loads((layout.releases / "r01" / bill.NAME).read_text())
    assert (made_of["bomFormat"], made_of["specVersion"]) == ("CycloneDX", "1.5")
    libraries = [each["purl"] for each in made_of["components"] if each["type"] == "library"]
    assert libraries == ["pkg:pypi/other@3.4", "pkg:pypi/some-package@1.2"]
    assert made_of["metadata"]["component"]["version"] == "r01"
    references = [each["bom-ref"] for each in made_of["components"]]
    assert len(set(references)) == len(references)


def test_its_code_and_its_model_are_named_by_their_digests(host, layout):
    host.deploy()
    parts = releases.read(layout, "r01").parts
    made_of = json.loads((layout.releases / "r01" / bill.NAME).read_text())
    named = {
        each["name"]: each["hashes"][0]["content"]
        for each in made_of["components"] if "hashes" in each
    }  # fmt: skip
    assert named == {"app": parts["app"], "model": parts["model"]}


def test_status_tells_where_it_lies_and_how_much_it_names(host, layout):
    host.deploy(env=dist("other", "3.4"))
    found = overview.overview(layout)
    path = layout.releases / "r01" / bill.NAME
    assert found["made_of"] == {"path": str(path), "packages": 1}
    assert f"made of    1 Python packages: {path}" in overview.as_text(found)
    path.unlink()  # a release of an earlier version of this program
    assert "made of" not in overview.as_text(overview.overview(layout))


@pytest.fixture
def locked(layout):
    """locked(digest): upload an environment of one wheel and the lock that names it by digest."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr("tiny.py", "")
        for name, lines in {
            "METADATA": ["Metadata-Version: 2.1", "Name: tiny", "Version: 1.0"],
            "WHEEL": ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"],
            "RECORD": [],
        }.items():
            wheel.writestr(f"tiny-1.0.dist-info/{name}", "\n".join(lines))
    digest = hashlib.sha256(content.getvalue()).hexdigest()

    def send(change=lambda digest: digest):
        lock = f"tiny==1.0 --hash=sha256:{change(digest)}\n".encode()
        files = {"wheels/tiny-1.0-py3-none-any.whl": content.getvalue(), "requirements.txt": lock}
        return upload(layout, "env", files)

    return send


def flip_a_digit(digest):
    return ("0" if digest[0] != "0" else "1") + digest[1:]


def test_what_the_lock_names_is_installed(layout, locked):
    digest = locked()
    store.install(layout, "env", digest)
    assert list(layout.store("env", digest).glob(f"{SITE.replace('3.11', '*')}/tiny.py"))


def test_one_flipped_digit_of_a_hash_and_nothing_is_installed(layout, locked):
    digest = locked(flip_a_digit)
    with pytest.raises(ReleaseError, match="Could not install the environment") as refusal:
        store.install(layout, "env", digest)
    assert "HASHES" in " ".join(refusal.value.details["log"])
    assert list(layout.store("env").iterdir()) == []


def test_an_upgrade_of_the_hosts_python_is_no_change_by_hand(layout, locked, tmp_path):
    digest = locked()
    store.install(layout, "env", digest)
    link = layout.store("env", digest) / "bin/python3"
    assert link.is_symlink()
    python = tmp_path / "python3"
    python.write_text("of today")
    link.unlink()
    link.symlink_to(python)
    noted = store._sums(layout.store("env", digest))
    python.write_text("of tomorrow")
    assert store._sums(layout.store("env", digest)) == noted
    link.unlink()
    link.symlink_to(tmp_path / "another")
    assert store._sums(layout.store("env", digest)) != noted

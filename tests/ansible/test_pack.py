"""What the control machine makes for a host: the same content is the same archive."""

import json
import re
import shutil
import tarfile
import zipfile

import pack
import pytest
import store

HOST = {"python": "3.13", "machine": "x86_64", "libc": "2.41"}


@pytest.fixture
def service(tmp_path, root):
    """A copy of the service's code."""
    folder = tmp_path / "service"
    ignored = shutil.ignore_patterns("sample_data", "__pycache__")
    shutil.copytree(root / "service", folder, ignore=ignored)
    return folder


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def names(part):
    with tarfile.open(part["archive"]) as tar:
        return tar.getnames()


def test_the_application_holds_what_serves_and_nothing_of_training(cache, service):
    held = names(pack.pack_app(cache, service))
    assert {
        "gunicorn.conf.py",
        "classifier/bundle.py",
        "classifier/serving/app.py",
        "web/index.html",
        "web/index.html.gz",
    } <= set(held)
    assert [name for name in held if "training" in name or "__pycache__" in name] == []


def test_the_host_makes_the_same_digest_of_what_it_unpacks(cache, service, tmp_path):
    from pathlib import Path

    part = pack.pack_app(cache, service)
    store.unpack(Path(part["archive"]), tmp_path / "unpacked")
    assert store.tree_digest(tmp_path / "unpacked") == part["digest"]


def test_times_and_caches_do_not_make_a_new_release(cache, service):
    before = pack.pack_app(cache, service)
    (service / "classifier/__pycache__").mkdir()
    (service / "classifier/__pycache__/x.pyc").write_bytes(b"x")
    (service / "gunicorn.conf.py").touch()
    assert pack.pack_app(cache, service) == before


def test_a_changed_line_makes_a_new_release(cache, service):
    before = pack.pack_app(cache, service)
    with (service / "web/app.css").open("a") as out:
        out.write("\n")
    assert pack.pack_app(cache, service)["digest"] != before["digest"]


def test_the_release_program_is_one_file_that_runs(cache, run):
    import sys

    path = pack.pack_program(cache)["archive"]
    assert "__main__.py" in zipfile.ZipFile(path).namelist()
    done = run(sys.executable, path, "--settings", "/nowhere", "status", check=False)
    assert done.returncode == 1
    assert "/nowhere is not usable" in json.loads(done.stdout)["error"]


def test_a_bundle_that_is_not_one_is_refused_with_the_next_step(cache, root, run, tmp_path):
    import sys

    done = run(
        sys.executable, root / "ansible/roles/release/files/pack.py", "--cache", cache, "--service",
        root / "service", "--bundle", tmp_path / "nothing", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert str(tmp_path / "nothing") in error
    assert "make up" in error


def test_an_environment_is_made_once_for_each_kind_of_host(cache, service, monkeypatch):
    downloads = []

    def download(requirements, wheels, host):
        downloads.append(host)
        wheels.mkdir()
        (wheels / "a.whl").write_bytes(b"wheel")

    monkeypatch.setattr(pack, "_download", download)
    lock = service / "requirements.txt"
    first = pack.pack_env(cache, lock, HOST, "1")
    assert pack.pack_env(cache, lock, HOST, "1") == first
    assert pack.pack_env(cache, lock, {**HOST, "python": "3.11"}, "2") != first
    assert downloads == [HOST, {**HOST, "python": "3.11"}]
    assert names(first) == ["requirements.txt", "wheels/a.whl"]


def test_all_wheels_are_there_for_an_arm64_host(cache, root):
    lock = root / "service/requirements.txt"
    held = names(pack.pack_env(cache, lock, {**HOST, "machine": "aarch64"}, "1"))
    wheels = [name for name in held if name.endswith(".whl")]
    wanted = re.findall(r"^\S+==(?!.*sys_platform == 'win32')", lock.read_text(), re.MULTILINE)
    assert len(wheels) == len(wanted)
    assert [name for name in wheels if not re.search("aarch64|none-any", name)] == []


def test_wheels_that_do_not_match_the_lock_are_refused_and_nothing_is_kept(cache, tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("blinker==1.9.0 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(pack.PackError, match="No wheels for Python 3.13.*MATCH THE HASHES"):
        pack.pack_env(cache, lock, HOST, "1")
    assert list(cache.iterdir()) == []

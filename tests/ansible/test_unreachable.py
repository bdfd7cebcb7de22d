"""A host that can't be reached: said in one line, kept on the control machine, nothing sent."""

import json

import pytest
import yaml


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "hosts.yml"
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 9}  # where nothing listens
    path.write_text(yaml.safe_dump({"all": {"children": {"app": {"hosts": {"gone": gone}}}}}))
    return path


def test_of_a_host_that_fell_silent_within_a_change_as_much_is_kept(run, root, inventory, tmp_path):
    folder = tmp_path / "failed"
    words = ["ansible-playbook", "--inventory", inventory, "--extra-vars",
             f"release_diagnostics_dir={folder}"]  # fmt: skip
    done = run(*words, "configure.yml", folder=root / "ansible", check=False, timeout=120)
    assert done.returncode != 0
    (kept,) = folder.iterdir()
    assert "gone fell silent: " in done.stdout
    assert f"look in: {kept}" in done.stdout
    assert "Connection refused" in json.loads((kept / "refusal.json").read_text())["error"]
    run(*words, "status.yml", folder=root / "ansible", check=False, timeout=120)
    assert list(folder.iterdir()) == [kept]  # which changes nothing


@pytest.mark.parametrize("playbook", ["deploy.yml", "release.yml"])
def test_a_deploy_says_so_and_where_it_is_kept(run, root, inventory, tmp_path, playbook):
    folder = tmp_path / "failed"
    done = run(
        "ansible-playbook", "--inventory", inventory, playbook,
        "--extra-vars", f"release_diagnostics_dir={folder}",
        folder=root / "ansible", check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "TASK [release : Stop]" in done.stdout
    said = done.stdout.split("TASK [release : Stop]")[1]
    assert "gone does not answer: " in said
    assert "Connection refused" in said
    (kept,) = folder.iterdir()
    assert f"look in: {kept}" in said
    assert "gone does not answer" in json.loads((kept / "refusal.json").read_text())["error"]
    assert "Connection refused" in (kept / "host.txt").read_text()


def test_what_could_not_be_kept_is_said_beside_why_the_change_failed(run, root, inventory):
    for playbook in ("deploy.yml", "configure.yml"):
        done = run(
            "ansible-playbook", "--inventory", inventory, playbook,
            "--extra-vars", "release_diagnostics_dir=/dev/null/failed",
            folder=root / "ansible", check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode != 0
        assert "Connection refused" in done.stdout
        assert "look in: nowhere, it could not be kept: " in done.stdout

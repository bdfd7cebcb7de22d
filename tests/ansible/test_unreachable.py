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

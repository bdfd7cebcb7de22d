"""Promises about the repository itself that no linter knows."""

import re

import pytest
import yaml


@pytest.mark.parametrize("lock", ["requirements.txt", "service/requirements.txt"])
def test_every_locked_package_has_its_hashes_and_no_address(root, lock):
    text = (root / lock).read_text()
    packages = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(packages) > 10
    assert [each.split()[0] for each in packages if "--hash=sha256:" not in each] == []
    assert "://" not in text


def test_no_file_names_a_package_registry(run):
    """Where packages come from is the business of who installs: their mirror has to be enough."""
    registries = ["pypi" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org", "npmjs" + ".org"]
    patterns = [word for name in registries for word in ("-e", name)]
    found = run("git", "grep", "--ignore-case", "-I", "--fixed-strings", *patterns, check=False)
    assert (found.returncode, found.stdout) == (1, "")


def test_the_hosts_lock_is_a_part_of_the_control_machines(root):
    versions = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
    ours = dict(versions.findall((root / "requirements.txt").read_text()))
    hosts = dict(versions.findall((root / "service/requirements.txt").read_text()))
    assert {name: ours.get(name) for name in hosts} == hosts
    assert not [name for name in hosts if name.startswith(("tensorflow", "keras"))]


@pytest.mark.parametrize("name", ["ci", "advisories"])
def test_workflows_read_only_and_pin_their_actions_by_commit(root, name):
    workflow = yaml.safe_load((root / f".github/workflows/{name}.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    uses = [
        step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert uses
    assert [each for each in uses if not re.search(r"@[0-9a-f]{40}$", each)] == []


def test_advisories_are_looked_up_each_day_for_each_lock_and_a_skipped_package_fails(root):
    workflow = yaml.safe_load((root / ".github/workflows/advisories.yml").read_text())
    assert workflow["on"]["schedule"]
    (command,) = [step["run"] for step in workflow["jobs"]["known_holes"]["steps"] if "run" in step]
    assert "pip-audit --strict " in command
    assert "continue-on-error" not in str(workflow)
    locks = ["requirements.txt", "service/requirements.txt"]
    assert re.findall(r"--requirement (\S+)", command) == locks


def test_readme_workflow_and_ci_run_the_same_test_command(root):
    workflow = yaml.safe_load((root / ".github/workflows/ci.yml").read_text())
    commands = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert commands == ["make test"]
    assert (root / ".ci/run").read_text().splitlines()[-1] == "exec make test"
    assert "make test" in (root / "README.md").read_text()


def test_readme_names_every_target(root):
    targets = re.findall(r"^([a-z-]+):.*## ", (root / "Makefile").read_text(), re.MULTILINE)
    readme = (root / "README.md").read_text()
    assert [name for name in targets if f"make {name}" not in readme] == []


def test_every_path_that_the_readme_names_is_there(root):
    readme = (root / "README.md").read_text()
    named = re.findall(r"`((?:service|ansible|scripts|molecule|tests)/[\w./@-]*)`", readme)
    assert len(named) > 10
    assert [path for path in named if not (root / path).exists()] == []

"""Every linter over the whole tree; a finding is a failure."""

import pytest


@pytest.mark.parametrize(
    "command",
    [
        "ruff check --no-cache .",
        "ruff format --check --no-cache .",
        "yamllint --strict .",
    ],
)
def test_linter_has_no_finding(run, command):
    run(*command.split())


def test_ansible_lint_has_no_finding_in_its_strictest_profile(run):
    done = run(
        "ansible-lint", "--offline", "--strict", "--profile", "production",
        ANSIBLE_LIBRARY="ansible/library",
    )  # fmt: skip
    assert "Passed: 0 failure(s), 0 warning(s)" in done.stderr


def test_shell_scripts_have_no_finding(run):
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.split()
    scripts = [name for name in listed if name.endswith(".sh") or name == ".ci/run"]
    assert len(scripts) >= 2
    run("shellcheck", *scripts)

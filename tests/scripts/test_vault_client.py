"""The password of what is encrypted at rest comes from a command, and from nowhere else."""

import pytest


@pytest.fixture
def vault(run, root):
    client = f"desk@{root / 'scripts/vault-client.py'}"

    def call(*words, command="printf of-{}", **options):
        return run("ansible-vault", *words, "--vault-id", client, **options,
                   FRONTDESK_VAULT_COMMAND=command)  # fmt: skip

    return call


def test_what_is_encrypted_with_the_commands_password_is_read_with_it(vault, tmp_path):
    secret = tmp_path / "key.pem"
    secret.write_text("canary\n")
    vault("encrypt", "--encrypt-vault-id", "desk", secret)
    assert secret.read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;desk\n")
    assert vault("view", secret).stdout == "canary\n"
    refused = vault("view", secret, command="printf another", check=False)
    assert refused.returncode != 0
    assert "canary" not in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("false", "gave no password for desk (exit code 1)"),
        ("true", "gave no password for desk (exit code 0)"),
        ("no-such-program {}", "no-such-program: No such file or directory"),
        ("", "There is no terminal to ask at: set FRONTDESK_VAULT_COMMAND"),
    ],
)
def test_no_password_is_said_in_one_line(run, root, command, words):
    client = root / "scripts/vault-client.py"
    done = run("setsid", "--wait", "python3", client, "--vault-id", "desk", check=False,
               FRONTDESK_VAULT_COMMAND=command)  # fmt: skip
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stdout == ""

#!/usr/bin/env python3
"""Gives Ansible the password of what is encrypted: --vault-id ID@scripts/vault-client.py.

Prints what the command in FRONTDESK_VAULT_COMMAND prints, with {} in it replaced by ID, as
FRONTDESK_VAULT_COMMAND="pass show frontdesk/{}"; without it, asks at the terminal. The password is
kept nowhere. Exit code 1 and one line where there is none.
"""

import argparse
import getpass
import os
import shlex
import subprocess
import sys

COMMAND = "FRONTDESK_VAULT_COMMAND"


def password(vault_id: str) -> str:
    """The password for this id; SystemExit with the reason where it can't be had."""
    command = os.environ.get(COMMAND, "")
    if not command:
        try:
            return getpass.getpass(f"Vault password ({vault_id}): ")
        except (EOFError, OSError) as error:
            raise SystemExit(f"There is no terminal to ask at: set {COMMAND}.") from error
    words = [word.replace("{}", vault_id) for word in shlex.split(command)]
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        raise SystemExit(f"{COMMAND}: {words[0]}: {error.strerror}.") from error
    given = done.stdout.rstrip("\n")
    if done.returncode or not given:
        raise SystemExit(
            f"{COMMAND} gave no password for {vault_id} (exit code {done.returncode})."
        )
    return given


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--vault-id", default="frontdesk")
    sys.stdout.write(password(asked.parse_args().vault_id) + "\n")


if __name__ == "__main__":
    main()

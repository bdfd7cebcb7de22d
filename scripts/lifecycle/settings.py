"""What Ansible makes of the settings of an inventory: the playbooks read the same.

Only hosts.yml and what belongs to it is read, so that AWS is asked for nothing.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

from ansible.cli import CLI
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from ansible import constants

from .errors import Ec2Error

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"
ROLE = ANSIBLE / "roles" / "ec2_instance"
GROUP = "ec2_hosts"

# What Ansible leaves to ssh where an inventory does not say it
LEFT_TO_SSH = {"ansible_user": None, "ansible_ssh_private_key_file": None}

_load_plugins = functools.cache(init_plugin_loader)


@functools.cache  # it is asked for once a process
def _passwords() -> list:
    """Those that Ansible's own settings name."""
    identities = list(constants.DEFAULT_VAULT_IDENTITY_LIST)
    return CLI.setup_vault_secrets(DataLoader(), identities, auto_prompt=False)


def read(inventory: Path) -> dict[str, Callable[[str], object]]:
    """For each stack's host the function that tells a setting by its name.

    Ec2Error where the folder is no inventory of stacks, and of the function where a value can't be.
    """
    _load_plugins()
    loader = DataLoader()
    loader.set_basedir(str(ANSIBLE))
    source = inventory.absolute() / "hosts.yml"
    try:
        loader.set_vault_secrets(_passwords())
        if not isinstance(loader.load_from_file(str(source)), dict):  # the manager only warns of it
            raise ValueError("its hosts.yml is no mapping")
        manager = InventoryManager(loader=loader, sources=[str(source)])
        if GROUP not in manager.groups:
            raise ValueError(f"it has no group {GROUP}")
        defaults = LEFT_TO_SSH | loader.load_from_file(
            str(ROLE / "defaults/main.yml"), trusted_as_template=True
        )
        variables = VariableManager(loader=loader, inventory=manager)
        hosts = {host.name: variables.get_vars(host=host) for host in manager.get_hosts(GROUP)}
    except (AnsibleError, OSError, ValueError) as error:
        said = _line(error)
        step = ("Name its password in ANSIBLE_VAULT_IDENTITY_LIST" if "vault " in said else
                "Name a copy of ansible/inventory/ec2 with --inventory")  # fmt: skip
        raise Ec2Error(f"{inventory} is no inventory of stacks ({said}). {step}.") from error
    if not hosts:
        raise Ec2Error(f"{source} names no stack: add a host below {GROUP}.")

    def teller(variables: dict) -> Callable[[str], object]:
        templar = Templar(loader=loader, variables=defaults | variables)

        def tell(name: str) -> object:
            try:
                value = templar.template((defaults | variables)[name])
                return json.loads(json.dumps(value))  # Ansible's own kinds of text go no further
            except (AnsibleError, KeyError) as error:
                raise Ec2Error(f"{name} can't be read in {inventory}: {_line(error)}.") from error

        return tell

    return {name: teller(variables) for name, variables in hosts.items()}


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")

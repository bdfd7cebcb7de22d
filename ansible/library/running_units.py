#!/usr/bin/python
"""Ansible module: have several units of systemd run, now and after a restart, in one call."""

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: running_units
short_description: Have several units of systemd run, now and after a restart, in one call
description:
  - All units are asked for at once, and those that lack something are enabled and started.
author: Frontdesk
options:
  started:
    description: Units that run now and after a restart.
    type: list
    elements: str
    default: []
  enabled:
    description: Units that run after a restart, and now as they may.
    type: list
    elements: str
    default: []
  reload:
    description: Let systemd read its unit files first. Where they changed, it has to.
    type: bool
    default: false
"""

RETURN = r"""
changed_units:
  description: The units that were enabled or started (in check mode, would be).
  type: list
  elements: str
"""


def lacking(module, question, units, good):
    """Return the units of which systemd answers something else than `good`."""
    answers = {unit: module.run_command(["systemctl", question, unit])[1] for unit in units}
    return [unit for unit in units if answers[unit].strip() not in good]


def do(module, *words):
    """Have systemctl do it. Ends the module with one line where it can't be done."""
    code, _, err = module.run_command(["systemctl", *words])
    if code:
        module.fail_json(msg=f"systemctl {' '.join(words)}: {err.strip()}")


def main():
    """Enable and start what is not."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "started": names,
            "enabled": names,
            "reload": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    started = module.params["started"]
    wanted = started + module.params["enabled"]
    if module.params["reload"] and not module.check_mode:
        do(module, "daemon-reload")
    disabled = lacking(module, "is-enabled", wanted, ["enabled"])
    stopped = lacking(module, "is-active", started, ["active", "activating", "reloading"])
    if disabled and not module.check_mode:
        do(module, "enable", *disabled)
    if stopped and not module.check_mode:
        do(module, "start", *stopped)
    changed = [unit for unit in wanted if unit in disabled + stopped]
    module.exit_json(
        changed=bool(changed),
        changed_units=changed,
        diff=[
            {
                "before_header": unit,
                "after_header": unit,
                "before": "",
                "after": "as it should be\n",
            }
            for unit in changed
        ],
    )


if __name__ == "__main__":
    main()

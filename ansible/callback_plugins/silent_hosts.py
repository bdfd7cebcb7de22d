"""Ansible callback: keep what is known of a host that fell silent, which no task can."""

import json
import subprocess
import sys
from pathlib import Path

from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

from ansible import context

DOCUMENTATION = """
name: silent_hosts
type: notification
short_description: Keep what is known of a host that fell silent
description:
  - A task that fails is rescued, and its play keeps what the host logged. One whose host no longer
    answers ends its host at once. Of a change that ended so, this leaves a folder on the control
    machine, too (release_diagnostics_dir), and says where.
author: Frontdesk
"""

CHANGES = {f"{name}.yml" for name in ("deploy", "configure", "release", "rollback", "canary",
                                      "shadow", "promote", "abort", "restore")}  # fmt: skip
ROLE = Path(__file__).parents[1] / "roles/release"


class CallbackModule(CallbackBase):
    """Notes hosts as they fall silent, and writes of them when all is over."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "silent_hosts"

    def __init__(self):
        super().__init__()
        self._changes, self._play, self._silent = False, None, {}

    def v2_playbook_on_start(self, playbook):
        self._changes = Path(playbook._file_name).name in CHANGES and not context.CLIARGS["check"]

    def v2_playbook_on_play_start(self, play):
        self._play = play

    def v2_runner_on_unreachable(self, result):
        if self._changes and not result.task.ignore_unreachable:
            said = result.result.get("msg", "no message")
            self._silent[result.host] = {"task": result.task.get_name(), "error": str(said)}

    def v2_playbook_on_stats(self, stats):  # noqa: ARG002 - as Ansible calls it
        for host, said in self._silent.items():
            told = {"refused": said, "answer": "", "message": said["error"], "journal": ""}
            self._display.display(f"{host.get_name()} fell silent: {said['error']}")
            keep = [sys.executable, str(ROLE / "files/diagnostics.py"), self._folder(host)]
            done = subprocess.run(
                [*keep, host.get_name()], input=json.dumps(told), capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            self._display.display(f"look in: {done.stdout.strip() or done.stderr.strip()}")

    def _folder(self, host):
        manager = self._play.get_variable_manager()
        loader = self._play.get_loader()
        default = loader.load_from_file(str(ROLE / "defaults/main.yml"))["release_diagnostics_dir"]
        known = {"role_path": str(ROLE), "release_diagnostics_dir": default}
        known |= manager.get_vars(play=self._play, host=host)
        return Templar(loader=loader, variables=known).template(known["release_diagnostics_dir"])

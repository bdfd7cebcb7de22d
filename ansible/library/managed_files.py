#!/usr/bin/python
"""Ansible module: put several files, folders and links of a host right in one call."""

import os
import shlex
import shutil
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: managed_files
short_description: Put several files, folders and links of a host right in one call
description:
  - Each module call starts a Python on the host, and most calls find nothing to do. What belongs
    together is therefore compared, and put right, in one.
  - Nothing is written before every new content was validated. Each file is replaced atomically.
author: Frontdesk
options:
  files:
    description:
      - What has to be there, in this order. An entry with I(content) is a file, with I(link) a
        symbolic link to that path (which need not exist; a link has no owner or mode of its own
        here), with I(directory) a folder. With none of them it is a file whose owner and mode are
        looked after where it exists.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        type: path
        required: true
      content:
        type: str
      link:
        type: str
      directory:
        type: bool
        default: false
      owner:
        type: str
        default: root
      group:
        type: str
        default: root
      mode:
        description: Octal. By default 0644 for a file and 0755 for a folder.
        type: str
      validate:
        description: A command that fails for a bad content; C(%s) is the path of the staged one.
        type: str
  nothing_else:
    description:
      - Patterns as of a shell. What they match and I(files) does not name is removed, a folder
        with all that is in it.
    type: list
    elements: str
    default: []
"""

RETURN = r"""
changed_files:
  description: The paths that were put right or removed (in check mode, would be), in order.
  type: list
  elements: str
"""

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "link": {"type": "str"},
    "directory": {"type": "bool", "default": False},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str"},
    "validate": {"type": "str"},
}


def kind_of(path):
    """Return what lies at `path`: link, folder, file, other, or nothing."""
    if path.is_symlink():
        return "link"
    if path.is_dir():
        return "folder"
    if path.is_file():
        return "file"
    return "other" if path.exists() else "nothing"


class ManagedFiles:
    """Compares a host with what it should hold, and makes it so."""

    def __init__(self, module):
        self.module = module
        self.changed = []
        self.diff = []
        self._staged = {}

    def run(self):
        """Put everything right. Ends the module with one line where it can't be done."""
        entries = [{**entry, "path": Path(entry["path"])} for entry in self.module.params["files"]]
        for entry in entries:
            self._refuse_what_is_in_the_way(entry)
            if entry["content"] is not None:
                self._stage(entry)
        for entry in entries:
            self._put_right(entry)
        self._remove_others({entry["path"] for entry in entries})
        self.module.exit_json(
            changed=bool(self.changed), changed_files=self.changed, diff=self.diff
        )

    def _refuse_what_is_in_the_way(self, entry):
        found = kind_of(entry["path"])
        in_the_way = ("file", "other") if entry["directory"] else ("folder", "other")
        if found in in_the_way:
            wanted = "folder" if entry["directory"] else "file or a link"
            self.module.fail_json(
                msg=f"{entry['path']} should be a {wanted} and is a {found} on this host."
                " Move it away and run this again. Nothing was written."
            )

    def _stage(self, entry):
        """Write a content that differs beside the others, and have it validated."""
        path, content = entry["path"], entry["content"].encode()
        if kind_of(path) == "file" and path.read_bytes() == content:
            return
        descriptor, staged = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self._staged[path] = staged
        if entry["validate"] and not self.module.check_mode:
            command = shlex.split(entry["validate"].replace("%s", staged))
            code, out, err = self.module.run_command(command)
            if code:
                self.module.fail_json(
                    msg=f"The new {path} is not valid: {(err or out).strip()}. Nothing was written."
                )

    def _put_right(self, entry):
        path = entry["path"]
        if entry["link"] is not None:
            made = self._link(path, entry["link"])
        elif entry["directory"]:
            made = self._folder(path)
        else:
            made = path in self._staged and self._file(path, entry["content"])
        differs = False
        if kind_of(path) in ("file", "folder") and not (made and self.module.check_mode):
            differs = self._owner_and_mode(entry)
        if made or differs:
            self.changed.append(str(path))

    def _link(self, path, target):
        before = str(path.readlink()) if path.is_symlink() else ""
        if before == target:
            return False
        self._note(path, before, target)
        if not self.module.check_mode:
            beside = Path(tempfile.mkdtemp(dir=path.parent))
            (beside / "link").symlink_to(target)
            (beside / "link").replace(path)
            beside.rmdir()
        return True

    def _folder(self, path):
        if kind_of(path) == "folder":
            return False
        self._note(path, "", "a folder\n")
        if not self.module.check_mode:
            path.unlink(missing_ok=True)  # a link
            path.mkdir(0o755, parents=True)
        return True

    def _file(self, path, content):
        found = kind_of(path)
        before = path.read_text(errors="replace") if found == "file" else ""
        self._note(path, before, content)
        if not self.module.check_mode:
            if found == "link":
                path.unlink()
            self.module.atomic_move(self._staged[path], str(path))
        return True

    def _owner_and_mode(self, entry):
        wanted = {
            "path": str(entry["path"]),
            "owner": entry["owner"],
            "group": entry["group"],
            "mode": entry["mode"] or ("0755" if entry["directory"] else "0644"),
            "follow": False,
        }
        difference = {}
        differs = self.module.set_fs_attributes_if_different(
            self.module.load_file_common_arguments(wanted), changed=False, diff=difference
        )
        if differs:
            self._note(entry["path"], difference["before"], difference["after"])
        return differs

    def _remove_others(self, wanted):
        patterns = self.module.params["nothing_else"]
        found = {path for pattern in patterns for path in Path("/").glob(pattern.lstrip("/"))}
        for path in sorted(found - wanted):
            self._note(path, "there\n", "")
            self.changed.append(str(path))
            if self.module.check_mode:
                continue
            if kind_of(path) == "folder":
                shutil.rmtree(path)
            else:
                path.unlink()

    def _note(self, path, before, after):
        headers = {"before_header": str(path), "after_header": str(path)}
        self.diff.append({**headers, "before": before, "after": after})


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": FILE,
                "mutually_exclusive": [("content", "link")],
            },
            "nothing_else": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    ManagedFiles(module).run()


if __name__ == "__main__":
    main()

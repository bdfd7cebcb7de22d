#!/usr/bin/python
"""Ansible's module of the role base: files that say how the host behaves, in one call for all.

Each file is a path, its text, and the unit that reads it; such a unit is restarted where it runs,
once, after all files are written. Also tells whether something keeps the clock.
"""

import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

CLOCKS = ["chrony", "ntp", "ntpsec", "openntpd", "systemd-timesyncd"]
UNITS = ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"]


def is_as(path, text):
    """Whether the file holds the text, and nobody but root may change it."""
    if not path.is_file() or path.is_symlink():
        return False
    kept = path.stat()
    return path.read_text() == text and (kept.st_mode & 0o7777, kept.st_uid) == (0o644, 0)


def write(path, text):
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(path)


def restart(unit):
    """Have a unit that runs read its files; what it says where it can't."""
    if subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode:
        return ""
    words = ["systemctl", "restart", unit]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def clock_is_kept(folders):
    """A program that does, or a container, whose clock is its machine's."""
    if any((Path(folder) / f"{name}.service").exists() for folder in folders for name in CLOCKS):
        return True
    detected = subprocess.run(["systemd-detect-virt", "--quiet", "--container"], check=False)
    return detected.returncode == 0


def main():
    module = AnsibleModule(
        supports_check_mode=True,
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True}},
    )
    differing = [
        each for each in module.params["files"] if not is_as(Path(each["path"]), each["text"])
    ]
    diff = []
    for each in differing:
        path = Path(each["path"])
        before = path.read_text() if path.is_file() else ""
        diff.append({"before_header": str(path), "after_header": str(path),
                     "before": before, "after": each["text"]})  # fmt: skip
        if not module.check_mode:
            write(path, each["text"])
    restarted = {each["read_by"] for each in differing} - {None}
    for unit in [] if module.check_mode else sorted(restarted):
        complaint = restart(unit)
        if complaint:
            for each in differing:  # so that the next deploy tries it again
                if each["read_by"] == unit:
                    Path(each["path"]).unlink()
            module.fail_json(msg=f"{unit} does not take its settings: {complaint}")
    module.exit_json(changed=bool(differing), diff=diff, clock_is_kept=clock_is_kept(UNITS))


if __name__ == "__main__":
    main()

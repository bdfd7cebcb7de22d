"""Nginx as the role configures it, in a folder of its own, before any socket that listens there."""

import getpass
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from server_processes import Server

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = ROOT / "ansible"
CONSTANT_PATH = "/bench/constant"
_CONSTANT = """
        location = /bench/constant {
            default_type application/json;
            return 200 '%s';
        }
"""


class Edge:
    """An Nginx at 127.0.0.1:`port` that proxies to `socket_path`."""

    def __init__(self, folder: Path, port: int, constant: str) -> None:
        self.port, self._folder = port, folder
        live = folder / "live"
        live.mkdir(parents=True)
        self.socket_path = live / "http.sock"
        self._config = folder / "nginx.conf"
        self._render({"app_http_port": port, "app_live_dir": str(live)})
        self._relocate(constant)
        self._server: Server | None = None

    def start(self) -> Server:
        """Run it; its processes count as one server."""
        command = ["nginx", "-e", self._folder / "start.log", "-c", self._config]
        self._server = Server(
            [*command, "-g", "daemon off;"],
            self._folder / "nginx.log",
            cwd=self._folder,
            env=dict(os.environ),
        )
        return self._server

    def _render(self, variables: dict[str, object]) -> None:
        """Have Ansible fill in the role's own template, with what the host would get."""
        module = ["-m", "ansible.builtin.template", "-a"]
        template = ANSIBLE / "roles/nginx/templates/nginx.conf.j2"
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("ansible"), "localhost", "--connection", "local"),
                *("--playbook-dir", ANSIBLE, *module, f"src={template} dest={self._config}"),
                *("--extra-vars", f"@{ANSIBLE / 'roles/nginx/defaults/main.yml'}"),
                *("--extra-vars", f"@{ANSIBLE / 'group_vars/all.yml'}"),
                *("--extra-vars", json.dumps(variables)),
            ],
            env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "False"},
            cwd=ANSIBLE,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"the role's Nginx configuration could not be rendered: {done.stdout}")

    def _relocate(self, constant: str) -> None:
        """Keep its files in the folder, run it as the one who measures, add the constant."""
        text = self._config.read_text()
        changes = {
            "user www-data;": f"user {getpass.getuser()};",
            "/run/nginx.pid": str(self._folder / "nginx.pid"),
            "/var/log/nginx/": f"{self._folder}/",
            "        location / {": _CONSTANT % constant + "\n        location / {",
        }
        for old, new in changes.items():
            if old not in text:
                sys.exit(f"nginx.conf.j2 of the role no longer holds {old!r}; adapt edge.py")
            text = text.replace(old, new)
        self._config.write_text(text)


def check_programs() -> None:
    """SystemExit when a program that the benchmark needs is not here."""
    missing = [name for name in ("nginx", "wrk") if shutil.which(name, path=_path()) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not found; install the packages nginx-light and wrk")
    if os.geteuid() != 0:
        sys.exit("Nginx needs root for its folders; run the benchmark as root, or with sudo")


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin"

"""One run on AWS from nothing to nothing: provision, deploy, classify, tear down, and prove it.

The stack is one of its own, in a folder below build/, so that an interrupted run can be torn down.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from . import teardown
from .account import Account
from .errors import Ec2Error
from .finding import instance
from .settings import ANSIBLE
from .stack import Stack, choose
from .waiting import say

TEXT = "where is my parcel?"
YOUR_ADDRESS = "https://checkip.amazonaws.com"
SERVING_SECONDS = 60


def add_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--bundle", type=Path, default=ANSIBLE.parent / "build/bundle",
                     help="trained model to deploy (build/bundle)")  # fmt: skip
    sub.add_argument("--ssh-cidr", help=f"your address with /32 (asked of {YOUR_ADDRESS})")


def plan(account: Account, args: argparse.Namespace) -> list[dict]:
    """What a run makes and costs, by the playbook's own plan; nothing is made."""
    if not args.bundle.exists():
        raise Ec2Error(f"There is no bundle at {args.bundle}. Train one: make train, or --bundle.")
    args.ssh_cidr = args.ssh_cidr or _own_cidr()
    folder, _ = _write_inventory(account.stack, args.ssh_cidr)
    try:
        _play(folder, "provision.yml", "--tags", "plan")
    finally:
        shutil.rmtree(folder)
    return [{"plan": "make, deploy, classify, tear down", "stack": "one of its own",
             "costs": "some minutes of the hourly price above, in all less than one hour of it",
             "of": _whose()}]  # fmt: skip


def run(account: Account, args: argparse.Namespace) -> list[dict]:
    """A row of what was proven and how long it took; Ec2Error where anything was not.

    However it ends, the stack is torn down, unless this process is killed.
    """
    folder, stack = _write_inventory(account.stack, args.ssh_cidr)
    seconds, failure, answer = {}, None, {}
    repeat = f"scripts/ec2.py teardown --inventory {folder}"
    say(f"Should this be killed, remove what it made: {repeat}")
    try:
        bundle = json.dumps({"release_bundle_dir": str(args.bundle.resolve())})
        seconds["serving"] = _timed(lambda: _play(folder, "deploy.yml", "--extra-vars", bundle))
        answer = _classify(instance(Account(stack))["PublicIpAddress"])
    except (Ec2Error, ClientError, BotoCoreError, KeyboardInterrupt) as error:
        failure = str(error) or "Stopped."
        say(f"{failure} Tearing down.")
    began = time.monotonic()
    rows = teardown.tear_down(Account(stack))
    seconds["teardown"] = round(time.monotonic() - began)
    left = [row for row in rows if row["result"] != "removed"]
    if left:
        for row in left:
            say(f"  {row['result']}: {row['kind']} {row['id']}: {row['reason']}")
        raise Ec2Error(f"{len(left)} things are left and may be billed. Repeat: {repeat}")
    say(f"A separate look finds nothing left of {stack.stack}.")
    shutil.rmtree(folder)
    if failure:
        raise Ec2Error(f"The run failed, and nothing is left. {failure}")
    return [{"of": _whose(), "stack": stack.stack, "label": answer["results"][0]["label"],
             "release": answer["release_id"], "serving_seconds": seconds["serving"],
             "teardown_seconds": seconds["teardown"], "removed": len(rows), "left": 0}]  # fmt: skip


def _whose() -> str:
    """Whether this is AWS: what answers at another endpoint must not be taken for it."""
    other = os.environ.get("AWS_ENDPOINT_URL")
    return f"NOT AWS, but {other}" if other else "AWS"


def _write_inventory(like: Stack, ssh_cidr: str) -> tuple[Path, Stack]:
    """The inventory folder of one fresh stack in the region of another, and that stack."""
    name = f"smoke-{secrets.token_hex(4)}"
    folder = ANSIBLE.parent / "build/smoke" / name
    shutil.copytree(ANSIBLE / "inventory/ec2", folder, ignore=shutil.ignore_patterns(".state"))
    plugin = yaml.safe_load((folder / "aws_ec2.yml").read_text())
    (folder / "aws_ec2.yml").write_text(yaml.safe_dump(plugin | {"regions": [like.region]}))
    hosts = yaml.safe_load((folder / "hosts.yml").read_text())
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    hosts["all"]["children"]["app"]["children"]["ec2_hosts"]["hosts"] = {name: {
        "ec2_instance_ssh_cidr": ssh_cidr, "ec2_instance_key_dir": str(folder),
        "ec2_instance_account": like.account, "ec2_instance_expiry": str(tomorrow)}}  # fmt: skip
    (folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
    return folder, choose(folder, name)


def _own_cidr() -> str:
    try:
        with urllib.request.urlopen(YOUR_ADDRESS, timeout=5) as answer:
            return f"{answer.read().decode().strip()}/32"
    except OSError as error:
        raise Ec2Error(
            f"{YOUR_ADDRESS} does not tell your address ({error}). "
            "Give it, as in: --ssh-cidr 203.0.113.7/32"
        ) from error


def _play(folder: Path, playbook: str, *options: str) -> None:
    """Run a playbook on the stack, its talk on stderr; Ec2Error where it fails."""
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [str(program), "--inventory", str(folder), playbook, *options], cwd=ANSIBLE, check=False,
        stdout=sys.stderr, stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    if done.returncode:
        raise Ec2Error(f"{playbook} failed (exit code {done.returncode}): the reason stands above.")


def _timed(work) -> int:
    began = time.monotonic()
    work()
    return round(time.monotonic() - began)


def _classify(address: str) -> dict:
    request = urllib.request.Request(
        f"http://{address}/v1/classify", json.dumps({"text": TEXT}).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + SERVING_SECONDS
    while True:
        try:
            with opener.open(request, timeout=10) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            if time.monotonic() > deadline:
                raise Ec2Error(f"http://{address}/ does not classify: {error}.") from error
            time.sleep(1)

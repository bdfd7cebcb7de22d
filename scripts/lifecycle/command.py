"""One command with a verb: parse, act, print. Data on stdout, talk on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from . import verbs
from .account import Account
from .errors import Ec2Error
from .explaining import explain
from .printing import print_table
from .settings import ANSIBLE
from .stack import choose, stacks
from .waiting import say

EPILOG = """
Stacks are the hosts of an inventory such as ansible/inventory/ec2; provision.yml makes them.
Exit codes: 0 done, 1 refused or failed, 3 something is left after a teardown, 130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="ec2.py", description="What becomes of a stack on EC2 once it is made.", epilog=EPILOG
    )
    adders = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in verbs.VERBS.items():
        sub = adders.add_parser(name, help=verb.help, description=verb.help)
        sub.add_argument("--inventory", type=Path, default=ANSIBLE / "inventory/ec2",
                         help="folder of the stacks (ansible/inventory/ec2)")  # fmt: skip
        sub.add_argument("--stack", help="the inventory's host (needed where there are several)")
        sub.add_argument("--json", action="store_true", help="print JSON instead of a table")
        if verb.plan:
            sub.add_argument("--dry-run", action="store_true", help="print the plan, do nothing")
        if verb.removes:
            sub.add_argument("--yes", action="store_true", help="do not ask before removing")
        verb.add_arguments(sub)
    return made


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        return run(args)
    except Ec2Error as error:
        say(str(error))
    except (ClientError, BotoCoreError) as error:
        say(explain(error))
    except KeyboardInterrupt:
        say("Stopped. What AWS was asked for goes on there. Look: scripts/ec2.py status")
        return 130
    return 1


def run(args: argparse.Namespace) -> int:
    verb = verbs.VERBS[args.verb]
    if verb.of_all and args.stack is None:
        chosen = stacks(args.inventory)
    else:
        chosen = [choose(args.inventory, args.stack)]
    rows = []
    for stack in chosen:
        account = Account(stack)
        say(f"account {account.number}, region {stack.region}, stack {stack.stack}")
        if verb.plan and (args.dry_run or verb.removes):
            plan = verb.plan(account, args)
            if args.dry_run:
                rows += plan
                continue
            confirm(plan, account, yes=args.yes)
        rows += verb.act(account, args)
    if args.json or verb.only_json:
        print(json.dumps(rows if verb.of_many else rows[0], indent=2, default=str))
    else:
        print_table(rows, verb.columns)
    return verb.exit_code(rows) if not getattr(args, "dry_run", False) else 0


def confirm(plan: list[dict], account: Account, *, yes: bool) -> None:
    """Show what will be done and have the stack's name typed; Ec2Error unless it is."""
    if yes or not plan:
        return
    for row in plan:
        say("  " + "  ".join(str(value) for value in row.values()))
    if not sys.stdin.isatty():
        raise Ec2Error("Nothing was done: nobody is there to ask. Repeat with --yes.")
    say(f"That will be done. Type {account.stack.stack} to go on:")
    if sys.stdin.readline().strip() != account.stack.stack:
        raise Ec2Error("Nothing was done.")

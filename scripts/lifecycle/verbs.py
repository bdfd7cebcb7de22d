"""The verbs: what each takes, plans, does and prints."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import changing, connecting, imaging, smoke, teardown
from .account import Account
from .errors import Ec2Error
from .finding import expiry, find, instance
from .policy import operator_policy
from .pricing import cost, total
from .status import COLUMNS, is_expired, status
from .waiting import say

Rows = list[dict]
UNKNOWN = ("The type's price is unknown, and with it the sum. Add it to "
           "ansible/roles/ec2_instance/files/prices.yml.")  # fmt: skip


@dataclass(frozen=True)
class Verb:
    """`plan` gives the rows of --dry-run; one that `removes` is confirmed first."""

    help: str
    act: Callable[[Account, argparse.Namespace], Rows]
    plan: Callable[[Account, argparse.Namespace], Rows] | None = None
    removes: bool = False
    add_arguments: Callable[[argparse.ArgumentParser], None] = lambda _: None
    columns: tuple[str, ...] = ()
    of_all: bool = False
    of_many: bool = False
    only_json: bool = False
    exit_code: Callable[[Rows], int] = lambda _: 0


def planned(
    what: str, find: Callable[[Account], dict] = instance
) -> Callable[[Account, argparse.Namespace], Rows]:
    """A plan of one step with the instance that is there."""

    def plan(account: Account, _: argparse.Namespace) -> Rows:
        found = find(account)
        return [{"plan": what, "instance": found["InstanceId"], "state": found["State"]["Name"],
                 "type": found["InstanceType"]}]  # fmt: skip

    return plan


def show_status(account: Account, _: argparse.Namespace) -> Rows:
    rows = status(account)
    if rows[0]["accrued"] is None:
        say(UNKNOWN)
    for row in rows:
        if is_expired(row.get("expiry")):
            say(f"{row['stack']} expired on {row['expiry']}: scripts/ec2.py teardown --expired")
    return rows


def show_cost(account: Account, _: argparse.Namespace) -> Rows:
    rows = cost(account)
    if any(row["accrued"] is None for row in rows):
        say(UNKNOWN)
    return [*rows, {"what": "total (accrued: at least)", "id": "", **total(rows)}]


def plan_resize(account: Account, args: argparse.Namespace) -> Rows:
    return [changing.plan_resize(account, args.type)]


def plan_image(account: Account, args: argparse.Namespace) -> Rows:
    if args.keep < 1:
        raise Ec2Error(f"--keep {args.keep} would remove the new image, too: keep 1 or more.")
    pruned = imaging.prunable(account, args.keep - 1)
    return [{"plan": "make an image", "of": instance(account)["InstanceId"]},
            *({"plan": "remove", "of": each["ImageId"]} for each in pruned)]  # fmt: skip


def make_image(account: Account, args: argparse.Namespace) -> Rows:
    return [imaging.make_image(account, args.keep, reboot=args.reboot, pin=args.pin)]


def plan_teardown(account: Account, args: argparse.Namespace) -> Rows:
    if args.expired and not is_expired(expiry(find(account))):
        return []
    teardown.refuse_protected(account)
    return [{"plan": "remove", **each.row()} for each in find(account)]


def tear_down(account: Account, args: argparse.Namespace) -> Rows:
    if args.expired and not is_expired(expiry(find(account))):
        say("It has not expired: nothing was removed.")
        return []
    rows = teardown.tear_down(account)
    if _left(rows):
        say("Not all is known to be gone: the reasons stand beside what is left. Repeat.")
    else:
        say(f"Nothing is left of {account.stack.stack}. The key in ~/.ssh is yours to remove.")
    return rows


def _left(rows: Rows) -> bool:
    return any(row["result"] != "removed" for row in rows)


def _resize_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("type", help="instance type, as t3.small")


def _image_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--keep", type=int, default=3, help="images that stay (3)")
    sub.add_argument("--reboot", action="store_true", help="at rest, for a whole file system")
    sub.add_argument("--pin", action="store_true", help="launch from it the next time")


def _ssh_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--key", type=Path, help="private key (the inventory's)")
    sub.add_argument("words", nargs="*", help="command for the host, after --")


def _teardown_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--expired", action="store_true", help="only what is past its expiry")


VERBS = {
    "status": Verb("state, address, live release, age and cost of every stack", show_status,
                   columns=COLUMNS, of_all=True, of_many=True),
    "start": Verb("start the instance and wait until it runs",
                  lambda account, _: [changing.start(account)], planned("start")),
    "stop": Verb("stop the instance; disks and kept addresses still cost",
                 lambda account, _: [changing.stop(account)],
                 planned("stop", changing.stoppable)),
    "reboot": Verb("reboot the instance",
                   lambda account, _: [changing.reboot(account)],
                   planned("reboot", changing.rebootable)),
    "resize": Verb("stop, change the type, start",
                   lambda account, args: [changing.resize(account, args.type)], plan_resize,
                   add_arguments=_resize_arguments),
    "image": Verb("make an image of the host, and remove old ones", make_image, plan_image,
                  removes=True, add_arguments=_image_arguments),
    "ssh": Verb("a shell on the host over SSH", lambda account, args: connecting.become(
                connecting.ssh_words(account, args.key, args.words)),
                add_arguments=_ssh_arguments),
    "session": Verb("a shell on the host through Session Manager",
                    lambda account, _: connecting.become(connecting.session_words(account))),
    "cost": Verb("what costs, an hour, a month and until now", show_cost, of_many=True),
    "protect": Verb("refuse to terminate the instance",
                    lambda account, _: [changing.set_protection(account, True)],
                    planned("protect")),
    "unprotect": Verb("allow to terminate the instance again",
                      lambda account, _: [changing.set_protection(account, False)],
                      planned("unprotect")),
    "policy": Verb("the least that an operator has to be allowed, as an IAM policy",
                   lambda account, _: [operator_policy(account.stack, account.number)],
                   only_json=True),
    "teardown": Verb("remove everything that carries the stack's tag, and prove it", tear_down,
                     plan_teardown, removes=True, add_arguments=_teardown_arguments,
                     of_many=True, exit_code=lambda rows: 3 if _left(rows) else 0),
    "smoke": Verb("make a stack of its own, deploy, classify, tear down: costs cents", smoke.run,
                  smoke.plan, removes=True, add_arguments=smoke.add_arguments),
}  # fmt: skip

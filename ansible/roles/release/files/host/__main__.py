"""frontdesk-release: what changes and what tells the releases of one host.

Data goes to stdout as one JSON line (`status` without --json: text for people). Exit codes:
0 done or nothing to do, 1 refused (the JSON line says why), 2 wrong call.
"""

import argparse
import json
import sys
from pathlib import Path

import deploy
import releases
import slots
import status
from layout import PARTS, Layout, ReleaseError


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="frontdesk-release", description=__doc__.split("\n")[0])
    root.add_argument("--settings", type=Path, default=Path("/etc/frontdesk/release.json"))
    verbs = root.add_subparsers(dest="verb", required=True)
    verbs.add_parser("inspect", help="tell what this host is and holds")
    shown = verbs.add_parser("status", help="tell what serves, and the last releases")
    shown.add_argument("--json", action="store_true")
    new = verbs.add_parser("deploy", help="make uploaded parts the live release")
    new.add_argument("--id", required=True)
    new.add_argument("--who", required=True)
    new.add_argument("--commit", required=True)
    new.add_argument("--model-card", type=json.loads, required=True)
    new.add_argument("--trial-seconds", type=int, default=0, help="return unless confirmed by then")
    new.add_argument("--exact-id", action="store_true", help="same parts under another id count")
    for part in PARTS:
        new.add_argument(f"--{part}", required=True, metavar="DIGEST")
    back = verbs.add_parser("rollback", help="return to an earlier release")
    back.add_argument("--to", metavar="RELEASE")
    back.add_argument("--who", required=True)
    back.add_argument(
        "--trial-seconds", type=int, default=0, help="return unless confirmed by then"
    )
    verbs.add_parser("confirm", help="let the release that is on trial stand")
    away = verbs.add_parser("withdraw", help="return from the release that is on trial")
    away.add_argument("--who", required=True)
    away.add_argument("--why", required=True)
    old = verbs.add_parser("retire", help="stop a slot that was kept warm")
    old.add_argument("slot")
    return root


def act(layout: Layout, args: argparse.Namespace) -> dict:
    return {
        "inspect": lambda: status.inspect(layout),
        "status": lambda: status.status(layout),
        "deploy": lambda: deploy.deploy(
            layout, described(args), args.trial_seconds, exact_id=args.exact_id
        ),
        "rollback": lambda: deploy.rollback(layout, args.to, args.who, args.trial_seconds),
        "confirm": lambda: deploy.confirm(layout),
        "withdraw": lambda: deploy.withdraw(layout, args.who, args.why),
        "retire": lambda: deploy.retire(layout, args.slot),
    }[args.verb]()


def described(args: argparse.Namespace) -> releases.Release:
    parts = {part: getattr(args, part) for part in PARTS}
    return releases.Release(args.id, releases.now(), args.who, args.commit, parts, args.model_card)


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    layout = None
    try:
        layout = Layout.read(args.settings)
        answer = act(layout, args)
    except (ReleaseError, OSError) as error:
        live = slots.release_in(layout, slots.live(layout)) if layout else None
        details = getattr(error, "details", {})
        print(json.dumps({"changed": False, "error": str(error), "live": live, **details}))
        return 1
    if args.verb == "status" and not args.json:
        print(status.as_text(answer))
    else:
        print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())

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
    for part in PARTS:
        new.add_argument(f"--{part}", required=True, metavar="DIGEST")
    back = verbs.add_parser("rollback", help="return to an earlier release")
    back.add_argument("--to", metavar="RELEASE")
    back.add_argument("--who", required=True)
    old = verbs.add_parser("retire", help="stop a slot that was kept warm")
    old.add_argument("slot")
    return root


def act(layout: Layout, args: argparse.Namespace) -> dict:
    if args.verb == "inspect":
        return status.inspect(layout)
    if args.verb == "status":
        return status.status(layout)
    if args.verb == "rollback":
        return deploy.rollback(layout, args.to, args.who)
    if args.verb == "retire":
        return deploy.retire(layout, args.slot)
    parts = {part: getattr(args, part) for part in PARTS}
    release = releases.Release(
        args.id, releases.now(), args.who, args.commit, parts, args.model_card
    )
    return deploy.deploy(layout, release)


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

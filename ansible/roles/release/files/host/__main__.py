"""frontdesk-release: what changes and what tells the releases of one host.

Data goes to stdout as one JSON line (`status` without --json: text for people). Exit codes:
0 done or nothing to do, 1 refused (the JSON line says why), 2 wrong call.
"""

import argparse
import json
import sys
from pathlib import Path

import deploy
import diagnose
import hold
import overview
import releases
import rollback
import slots
import watch
from layout import PARTS, SETTINGS, Layout, ReleaseError


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="frontdesk-release", description=__doc__.split("\n")[0])
    root.add_argument("--settings", type=Path, default=SETTINGS)
    verbs = root.add_subparsers(dest="verb", required=True)
    verbs.add_parser("inspect", help="tell what this host is and holds")
    shown = verbs.add_parser("status", help="tell what serves, and the last releases")
    shown.add_argument("--json", action="store_true")
    new = _changing(verbs, "deploy", "make uploaded parts the live release")
    new.add_argument("--id", required=True)
    new.add_argument("--commit", default="", help="the code's; without it, the live one's")
    new.add_argument("--model-card", type=json.loads, default={}, help="likewise, of the model")
    new.add_argument("--exact-id", action="store_true", help="same parts under another id count")
    new.add_argument("--even-if-bad", action="store_true", help="parts that were marked bad, too")
    new.add_argument("--allow-downgrade", action="store_true", help="an older bundle, too")
    for part in PARTS:
        new.add_argument(f"--{part}", required=True, metavar="DIGEST")
    back = _changing(verbs, "rollback", "return to an earlier release")
    back.add_argument("--to", metavar="RELEASE")
    for each in (new, back):
        each.add_argument(
            "--trial-seconds", type=int, default=0, help="return unless confirmed by then"
        )
    verbs.add_parser("confirm", help="let the release that is on trial stand")
    away = verbs.add_parser("withdraw", help="return from the release that is on trial")
    away.add_argument("--who", required=True)
    away.add_argument("--why", required=True)
    old = verbs.add_parser("retire", help="stop a slot that was kept warm")
    old.add_argument("slot")
    verbs.add_parser("diagnose", help="tell what this host logged, for a change that failed")
    eye = verbs.add_parser("watch", help="return from a release when its traffic goes wrong")
    eye.add_argument("release")
    return root


def _changing(verbs: argparse._SubParsersAction, name: str, told: str) -> argparse.ArgumentParser:
    made = verbs.add_parser(name, help=told)
    made.add_argument("--owner", type=json.loads, default=hold.own(name),
                      help="for whom: token, who, reason, lease_seconds")  # fmt: skip
    made.add_argument("--over", default="", metavar="TOKEN", help="a holder known to be gone")
    return made


def act(layout: Layout, args: argparse.Namespace) -> dict:
    return {
        "inspect": lambda: overview.inspect(layout),
        "status": lambda: overview.overview(layout),
        "deploy": lambda: deploy.deploy(
            layout, described(args), args.owner, args.over,
            trial_seconds=args.trial_seconds, exact_id=args.exact_id, even_if_bad=args.even_if_bad,
            allow_downgrade=args.allow_downgrade,
        ),
        "rollback": lambda: rollback.rollback(
            layout, args.to, args.owner, args.over, trial_seconds=args.trial_seconds
        ),
        "confirm": lambda: rollback.confirm(layout),
        "withdraw": lambda: rollback.withdraw(layout, args.who, args.why),
        "retire": lambda: rollback.retire(layout, args.slot),
        "diagnose": lambda: diagnose.diagnose(layout),
        "watch": lambda: watch.watch(layout, args.release),
    }[args.verb]()  # fmt: skip


def described(args: argparse.Namespace) -> releases.Release:
    parts = {part: getattr(args, part) for part in PARTS}
    who = args.owner["who"]
    return releases.Release(args.id, releases.now(), who, args.commit, parts, args.model_card)


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
        print(overview.as_text(answer))
    else:
        print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""frontdesk-release: what changes and what tells the releases of one host.

Data goes to stdout as one JSON line (`status` without --json: text for people). Exit codes:
0 done or nothing to do, 1 refused (the JSON line says why), 2 wrong call.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import compare
import deploy
import diagnose
import hold
import overview
import rehearse
import releases
import rollback
import slots
import watch
from layout import PARTS, SETTINGS, Layout, ReleaseError

TRIAL = "return unless confirmed by then"


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="frontdesk-release", description=__doc__.split("\n")[0])
    root.add_argument("--settings", type=Path, default=SETTINGS)
    verbs = root.add_subparsers(dest="verb", required=True)
    verbs.add_parser("inspect", help="tell what this host is and holds")
    shown = verbs.add_parser("status", help="tell what serves, and the last releases")
    shown.add_argument("--json", action="store_true")
    for name, told in (
        ("deploy", "make uploaded parts the live release"),
        ("canary", "let them answer a share of the clients, beside the live release"),
        ("shadow", "let them answer copies of requests, beside the live release"),
    ):
        _take_release(_changing(verbs, name, told))
    _changing(verbs, "promote", "let what is tried as canary or shadow serve")
    _changing(verbs, "abort", "end what is tried as canary or shadow")
    pair = verbs.add_parser("compare", help="take copies of requests and ask both releases")
    pair.add_argument("slot")
    back = _changing(verbs, "rollback", "return to an earlier release")
    back.add_argument("--to", metavar="RELEASE")
    back.add_argument("--trial-seconds", type=int, default=0, help=TRIAL)
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


def _take_release(made: argparse.ArgumentParser) -> None:
    made.add_argument("--percent", type=int, default=10, help="share of a canary's clients")
    made.add_argument("--trial-seconds", type=int, default=0, help=TRIAL)
    made.add_argument("--id", required=True)
    made.add_argument("--commit", default="", help="the code's; without it, the live one's")
    made.add_argument("--model-card", type=json.loads, default={}, help="likewise, of the model")
    made.add_argument("--diagnose", action="store_true", help="where it fails, tell what is logged")
    made.add_argument("--exact-id", action="store_true", help="same parts under another id count")
    made.add_argument("--even-if-bad", action="store_true", help="parts that were marked bad, too")
    made.add_argument("--allow-downgrade", action="store_true", help="an older bundle, too")
    for part in PARTS:
        made.add_argument(f"--{part}", required=True, metavar="DIGEST")


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
        "canary": lambda: rehearsed(layout, args),
        "shadow": lambda: rehearsed(layout, args),
        "promote": lambda: rehearse.promote(layout, args.owner, args.over),
        "abort": lambda: rehearse.abort(layout, args.owner, args.over),
        "compare": lambda: asyncio.run(compare.serve(layout, args.slot)),
        "diagnose": lambda: diagnose.diagnose(layout),
        "watch": lambda: watch.watch(layout, args.release),
    }[args.verb]()  # fmt: skip


def rehearsed(layout: Layout, args: argparse.Namespace) -> dict:
    return rehearse.begin(
        layout, described(args), args.owner, args.over,
        mode=args.verb, percent=args.percent, allow_downgrade=args.allow_downgrade,
    )  # fmt: skip


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
        if layout and getattr(args, "diagnose", False):
            details = {**details, "logged": diagnose.diagnose(layout)}
        print(json.dumps({"changed": False, "error": str(error), "live": live, **details}))
        return 1
    if args.verb == "status" and not args.json:
        print(overview.as_text(answer))
    else:
        print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())

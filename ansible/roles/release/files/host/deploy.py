"""The steps from uploaded parts to a release that serves."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import assets
import audit
import hold
import rehearsal
import releases
import signing
import slots
import store
import trial
from activate import activate, is_live, live_release
from layout import Layout, ReleaseError
from releases import Release
from trial import Trial


def deploy(  # noqa: PLR0913 - what a call may ask for, by name
    layout: Layout, release: Release, owner: dict, over: str = "", *,
    trial_seconds: int = 0, exact_id: bool = False, even_if_bad: bool = False,
    allow_downgrade: bool = False,
) -> dict:  # fmt: skip
    """Install what the store lacks, start the release in the idle slot, gate it, switch to it.

    With `trial_seconds` the switch is undone after that time unless `confirm` came before.
    With `exact_id` the same parts under another id are another release.
    Parts that were live and marked bad are refused but for `even_if_bad`, and with trusted keys
    configured a bundle older than the live one but for `allow_downgrade`.
    """
    began = time.monotonic()
    with hold.held(layout, owner, over):
        release = complete(layout, release)
        live = slots.release_in(layout, slots.live(layout))
        told = {"who": release.who, "reason": owner["reason"], "commit": release.commit,
                "model": release.model.get("model_id")}  # fmt: skip
        try:
            if is_live(layout, release.parts) and live == (release.id if exact_id else live):
                releases.mark(
                    layout, live, "good"
                )  # a deploy killed after its switch: still staged
                return {"changed": False, "release": live}
            rehearsal.refuse_second(rehearsal.state(layout))
            if not even_if_bad:
                check_not_bad(layout, release)
            bring(layout, release, allow_downgrade=allow_downgrade)
            way_back = Trial(release.id, live, {release.id: "rolled_back"})
            with trial.begun(layout, way_back, trial_seconds):
                activate(layout, release.id, watched=True)
            releases.mark(layout, release.id, "good")
        except (ReleaseError, OSError) as error:
            audit.record(layout, "refused", release.id, why=str(error), **told)
            raise
        finally:
            clean(layout)
        seconds = round(time.monotonic() - began, 1)
        slot = slots.live(layout)
        audit.record(layout, "deploy", release.id, seconds=seconds, slot=slot, **told)
    return {"changed": True, "release": release.id, "seconds": seconds}


def complete(layout: Layout, release: Release) -> Release:
    """Where a release brings no code of its own, it keeps the live commit; no model, its card."""
    if release.commit and release.model:
        return release
    live = live_release(layout)
    if live is None:
        raise ReleaseError(
            "No whole release is live on this host to keep code or model of. Deploy all."
        )
    return replace(release, commit=release.commit or live.commit, model=release.model or live.model)


def check_not_bad(layout: Layout, release: Release) -> None:
    """Refuse what was live before and had to go: it would have to go again."""
    for event in audit.history(layout):
        if event["event"] == "breach" and event.get("parts") == release.parts:
            raise ReleaseError(
                f"This is release {event['release']}, which was marked bad at {event['time']}: "
                f"{event['why']} To try it again: -e release_even_if_bad=true"
            )


def check_disk(layout: Layout, release: Release) -> None:
    """Refuse, before anything is unpacked, what would fill the disk."""
    sent = [layout.incoming / f"{part}-{digest}.tar" for part, digest in release.parts.items()]
    needed = 4 * sum(path.stat().st_size for path in sent if path.exists())
    if (free := shutil.disk_usage(layout.root).free) < needed:
        raise ReleaseError("The disk is nearly full. Make room on it, and deploy again.",
                           expected=f"{needed} bytes free", got=f"{free} bytes")  # fmt: skip


def bring(layout: Layout, release: Release, *, allow_downgrade: bool = False) -> None:
    """Have a release and its parts on the host, not yet serving."""
    check_disk(layout, release)
    for part in ("env", "app"):
        store.install(layout, part, release.parts[part])

    def vet(bundle: Path) -> None:
        signing.check(layout, bundle, str(release.model.get("signature", "")))
        if slots.live(layout) and not allow_downgrade:
            signing.check_age(layout, bundle, layout.live / "release" / "model")

    store.install(layout, "model", release.parts["model"], vet)
    assets.publish(layout)
    releases.create(layout, release)


def clean(layout: Layout) -> None:
    """Remove what nobody needs: old and half-made releases, and parts that no release uses."""
    held = {slots.release_in(layout, slot) for slot in layout.slots}
    if waiting := trial.pending(layout):
        held.add(waiting.before)
    releases.prune(layout, held - {None})
    store.prune(layout, releases.parts_in_use(layout))
    assets.publish(layout)

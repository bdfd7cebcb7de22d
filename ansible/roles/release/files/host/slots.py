"""The two slots: which one serves, what runs in each, and the switch between them."""

import hashlib
import json
import subprocess
import time
import urllib.request

from layout import PROGRAM, Layout, ReleaseError, link, write

WATCH = "frontdesk-watch"


def live(layout: Layout) -> str | None:
    """The name of the slot that serves; None before the first deploy."""
    name = layout.live.readlink().name if layout.live.is_symlink() else None
    return name if name in layout.slots else None


def idle(layout: Layout) -> str:
    return next(slot for slot in layout.slots if slot != live(layout))


def release_in(layout: Layout, slot: str | None) -> str | None:
    """The id of the release that a slot holds."""
    if slot is None:
        return None
    path = layout.slot(slot) / "release"
    return path.readlink().name if path.is_symlink() else None


def units_digest(slot: str) -> str:
    """sha256 of the slot's unit files with all their overrides: what a process began with."""
    texts = [
        _systemctl("cat", f"classifier@{slot}.{kind}").stdout for kind in ("socket", "service")
    ]
    return hashlib.sha256("".join(texts).replace(slot, "%i").encode()).hexdigest()


def is_current(layout: Layout, slot: str) -> bool:
    """Does the slot run what its release and the unit files say today?"""
    noted = layout.slot(slot) / "units"
    if not noted.exists() or noted.read_text().strip() != units_digest(slot):
        return False
    return is_running(slot)


def is_running(slot: str) -> bool:
    return _systemctl("is-active", f"classifier@{slot}.service").returncode == 0


def start(layout: Layout, slot: str, release_id: str, seconds: float) -> None:
    """Start a release in a slot that does not serve; ReleaseError with the log where it won't."""
    service = f"classifier@{slot}.service"
    stop(layout, slot)
    link(layout.slot(slot) / "release", f"../../releases/{release_id}")
    write(layout.slot(slot) / "units", units_digest(slot) + "\n")
    began = time.time()
    _systemctl("restart", f"classifier@{slot}.socket")
    try:
        failed = _systemctl("start", service, timeout=seconds).returncode
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(
            "The candidate does not get ready.", expected=f"a running unit within {seconds:.0f} s",
            got="a unit that is still starting", log=journal(slot, began),
        ) from error  # fmt: skip
    if failed:
        own = journal(slot, began, f"_SYSTEMD_UNIT={service}") or ["nothing in its log"]
        raise ReleaseError("The candidate does not start.", expected="a running unit", got=own[-1],
                           log=journal(slot, began))  # fmt: skip


def stop(layout: Layout, slot: str) -> None:
    """Stop what runs in a slot (requests in flight are answered); never the one that serves."""
    if slot == live(layout):
        raise ReleaseError(f"Slot {slot} serves and is not stopped.")
    keep_warm(slot, None)
    _systemctl("stop", f"classifier@{slot}.socket", f"classifier@{slot}.service")
    _systemctl("reset-failed", f"classifier@{slot}.socket", f"classifier@{slot}.service")
    _systemctl("start", f"classifier@{slot}.socket")


def empty(layout: Layout, slot: str, *, at_once: bool = False) -> None:
    """Stop a slot and take its release away; `at_once` where no client can have asked it."""
    if at_once and slot != live(layout):
        _systemctl("kill", "--signal=KILL", f"classifier@{slot}.service")
    stop(layout, slot)
    (layout.slot(slot) / "release").unlink(missing_ok=True)


def keep_warm(slot: str, seconds: int | None) -> None:
    """Let a slot run on for a while, then have systemd retire it; None takes the date back."""
    unit = f"classifier-retire-{slot}"
    _systemctl("stop", f"{unit}.timer")
    if seconds is not None:
        _run_later(unit, [f"--on-active={seconds}s", "--timer-property=AccuracySec=1s"],
                   ["retire", slot])  # fmt: skip


def keep_watch(release_id: str) -> None:
    """Have systemd watch over a release from now on; its watch takes the place of the last one.

    One that is killed begins anew.
    """
    _systemctl("stop", f"{WATCH}.service")
    options = ["--property=Nice=5", "--property=Restart=on-abnormal"]
    _run_later(WATCH, options, ["watch", release_id])


def is_watched() -> bool:
    return _systemctl("is-active", f"{WATCH}.service").returncode == 0


def _run_later(unit: str, options: list[str], call: list[str]) -> None:
    command = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", *options]
    done = subprocess.run(
        [*command, "/usr/bin/python3", str(PROGRAM), *call],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ReleaseError(f"systemd does not take {unit}: {done.stderr.strip()}")


def gate(layout: Layout, slot: str, release_id: str, seconds: float) -> dict:
    """Ask the candidate for the golden texts on its own socket; ReleaseError where it fails."""
    release = layout.releases / release_id
    began = time.time()
    try:
        done = subprocess.run(
            [str(release / "env/bin/python"), "-m", "classifier.serving.gate",
             "--socket", str(layout.socket(slot)), "--bundle", str(release / "model"),
             "--release-id", release_id, "--timeout", f"{max(seconds, 1):.1f}"],
            cwd=release / "app", user=layout.gate_user, group=layout.gate_user, extra_groups=[],
            env={"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, check=False,
            timeout=max(seconds, 1) + 1,
        )  # fmt: skip
        verdict = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(
            "The candidate gave the gate no answer.", expected=f"answers within {seconds:.0f} s",
            got="none", log=journal(slot, began),
        ) from error  # fmt: skip
    except (ValueError, IndexError) as error:
        lines = done.stderr.strip().splitlines()
        raise ReleaseError(
            f"The gate itself broke: {lines[-1] if lines else 'no output'}", log=lines[-20:]
        ) from error
    if done.returncode or not verdict["passed"]:
        failure = verdict.get("failure") or {}
        raise ReleaseError(
            f"The candidate failed its gate: {failure.get('cause', 'no cause given')}",
            expected=failure.get("expected"), got=failure.get("got"), log=journal(slot, began),
            gate=verdict,
        )  # fmt: skip
    return verdict


def switch(layout: Layout, slot: str | None) -> None:
    """Let `slot` serve, from one request to the next."""
    if slot is None:
        layout.live.unlink(missing_ok=True)
    else:
        link(layout.live, f"slots/{slot}")


def ask_edge(layout: Layout, release_id: str, seconds: float = 10) -> None:
    """Ask through Nginx until the release answers there; ReleaseError where it does not."""
    deadline = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this host, no proxy
    while True:
        try:
            with opener.open(layout.edge_url, timeout=2) as answer:
                got = json.load(answer).get("release_id")
        except (OSError, ValueError) as error:
            got = str(error)
        if got == release_id:
            return
        if time.monotonic() > deadline:
            raise ReleaseError("Nginx does not lead to the release.", expected=release_id, got=got)
        time.sleep(0.1)


def journal(slot: str, since: float, match: str = "") -> list[str]:
    """The unit's last 20 log lines since a UNIX time; only the process's own with a `match`."""
    whose = [match] if match else ["--unit", f"classifier@{slot}.service"]
    done = subprocess.run(
        ["journalctl", *whose, "--since", f"@{int(since)}", "--output", "cat", "--no-pager",
         "--lines", "20"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip().splitlines()


def _systemctl(*arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False,
                          timeout=timeout)  # fmt: skip

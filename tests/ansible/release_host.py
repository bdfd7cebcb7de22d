"""A host for the release program: a real folder tree; systemd and the gate are stood in for."""

import hashlib
import io
import json
import tarfile

import deploy
import layout as layouts
import slots
import store
from layout import PARTS, ReleaseError
from releases import Release

OWNER = {"token": "a:1:1", "who": "ops@desk", "reason": "deploy"}
OTHER = {"token": "b:2:2", "who": "dev@lap", "reason": "try things"}


class Host:
    """Counts what would be done to systemd, and answers as it would."""

    def __init__(self, layout):
        self.layout = layout
        self.running = set()
        self.warm = {}
        self.watched = None
        self.bad = set()  # releases that fail their gate
        self.unreachable = set()  # releases that Nginx does not lead to
        self.units = "1"
        self.returns_in = None  # seconds until the host returns from a trial
        self.made = "2026-01-01T00:00:00+00:00"  # when the next bundles were made
        self.number = 0

    def start(self, layout, slot, release_id, seconds):
        slots.stop(layout, slot)
        layouts.link(layout.slot(slot) / "release", f"../../releases/{release_id}")
        layouts.write(layout.slot(slot) / "units", self.units)
        self.running.add(slot)

    def stop(self, layout, slot):
        assert slot != slots.live(layout)
        self.running.discard(slot)

    def keep_warm(self, slot, seconds):
        self.warm[slot] = seconds

    def keep_watch(self, release_id):
        self.watched = release_id

    def is_watched(self):
        return self.watched is not None

    def is_current(self, layout, slot):
        noted = layout.slot(slot) / "units"
        return slot in self.running and noted.read_text() == self.units

    def is_running(self, slot):
        return slot in self.running

    def gate(self, layout, slot, release_id, seconds):
        assert slot != slots.live(layout)
        if release_id in self.bad:
            raise ReleaseError("wrong label", expected="a", got="b")

    def ask_edge(self, layout, release_id, seconds=10):
        if release_id in self.unreachable:
            raise ReleaseError("Nginx does not lead to the release.", got="nothing")
        assert slots.release_in(layout, slots.live(layout)) == release_id

    def release(self, **contents):
        """Upload the parts of a release with this content, and describe it.

        The content of a part's one file, or files by name.
        """
        self.number += 1
        parts = {}
        for part in PARTS:
            given = contents.get(part, "same")
            files = given if isinstance(given, dict) else {"file": given}
            if part == "model":
                files = files | {"bundle.json": card(files, self.made)}
            sent = {name: content.encode() for name, content in files.items()}
            parts[part] = upload(self.layout, part, sent)
        stamp = f"2026-01-01T00:00:{self.number:02}Z"
        return Release(
            f"r{self.number:02}", stamp, "ops", "abc", parts, {"model_id": "m", "accuracy": 1}
        )

    def deploy(self, trial_seconds=0, **contents):
        try:
            return deploy.deploy(
                self.layout, self.release(**contents), OWNER, trial_seconds=trial_seconds
            )
        finally:
            store.changed_files.cache_clear()  # each deploy is a process of its own

    @property
    def live(self):
        return slots.release_in(self.layout, slots.live(self.layout))


def card(files, made):
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    return json.dumps({"created": made, "files": digests})


def upload(layout, part, files, digest=None):
    folder = layout.root / "sent"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    digest = digest or store.tree_digest(folder)
    with tarfile.open(layout.incoming / f"{part}-{digest}.tar", "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
            (folder / name).unlink()
    return digest

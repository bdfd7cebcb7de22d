"""Releases on disk: what each is made of, who made it, and what became of it."""

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import bill
from layout import PARTS, Layout, ReleaseError, link, write

RECORD = "release.json"
ENVIRONMENT = "release.env"  # what the classifier's unit reads


@dataclass(frozen=True)
class Release:
    """One release: `parts` maps env, app and model to digests in the store."""

    id: str
    created: str
    who: str
    commit: str
    parts: dict[str, str]
    model: dict[str, object]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def create(layout: Layout, release: Release) -> Path:
    """Write a release folder that leads to its parts, marked staged; whole or not at all.

    One that is there (left earlier, and live on other hosts by now) stays, with what was changed
    in it by hand put right.
    """
    target, found = layout.releases / release.id, find(layout, release.id)
    if found and found.parts != release.parts:
        raise ReleaseError(f"Release {release.id} is on this host with other parts. Deploy anew.")
    if target.exists():
        _describe(layout, target, found or release)
        return target
    staging = layout.releases / f".new-{release.id}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    _describe(layout, staging, release)
    write(staging / "mark", "staged\n")
    staging.rename(target)
    return target


def _describe(layout: Layout, folder: Path, release: Release) -> None:
    for part in PARTS:
        link(folder / part, f"../../store/{part}/{release.parts[part]}")
    write(folder / RECORD, json.dumps(asdict(release), indent=2) + "\n")
    write(folder / ENVIRONMENT, _environment(layout, release))
    made_of = bill.of_release(layout, release.id, release.created, release.parts)
    write(folder / bill.NAME, json.dumps(made_of, indent=2) + "\n")


def _environment(layout: Layout, release: Release) -> str:
    model = layout.releases / release.id / "model"
    return f"APP_RELEASE_ID={release.id}\nAPP_BUNDLE_DIR={model}\n"


def changed_files(layout: Layout, release: Release) -> list[str]:
    """Of the files that say how the release is run, those that are not as they were written."""
    folder = layout.releases / release.id
    asked = folder / ENVIRONMENT
    whole = asked.is_file() and asked.read_text() == _environment(layout, release)
    links = [part for part in PARTS
             if not (folder / part).is_symlink()
             or (folder / part).readlink().name != release.parts[part]]  # fmt: skip
    return links + ([] if whole else [ENVIRONMENT])


def find(layout: Layout, release_id: str) -> Release | None:
    """Read one release; None where there is none, or where its record is missing or damaged."""
    try:
        found = Release(**json.loads((layout.releases / release_id / RECORD).read_text()))
        texts = [found.who, found.commit, *found.parts.values()]
        datetime.fromisoformat(found.created)
        whole = found.id == release_id and found.parts.keys() == set(PARTS)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    whole = whole and isinstance(found.model, dict) and all(isinstance(each, str) for each in texts)
    return found if whole else None


def read(layout: Layout, release_id: str) -> Release:
    """Read one release; ReleaseError where there is no whole one."""
    if found := find(layout, release_id):
        return found
    known = ", ".join(each.id for each in listed(layout)) or "none"
    path = layout.releases / release_id / RECORD
    why = f" ({path} is damaged or missing)" if path.parent.exists() else ""
    raise ReleaseError(f"There is no release {release_id} on this host{why}. Releases: {known}.")


def listed(layout: Layout) -> list[Release]:
    """All whole releases, oldest first."""
    found = [find(layout, path.name) for path in layout.releases.glob("[!.]*")]
    return sorted(filter(None, found), key=lambda release: (release.created, release.id))


def parts_in_use(layout: Layout) -> dict[str, set[str]]:
    """Digests by part of what any release needs, by its record or by what it leads to."""
    used = {part: {each.parts[part] for each in listed(layout)} for part in PARTS}
    for part in PARTS:
        links = layout.releases.glob(f"[!.]*/{part}")
        used[part] |= {path.readlink().name for path in links if path.is_symlink()}
    return used


def mark(layout: Layout, release_id: str, value: str | None = None) -> str:
    """Read a release's mark, after setting it where a value is given."""
    path = layout.releases / release_id / "mark"
    if value is not None:
        write(path, f"{value}\n")
    return path.read_text().strip() if path.exists() else "staged"


def prune(layout: Layout, spare: set[str]) -> list[str]:
    """Remove all but the newest `keep` good releases and those to spare; the ids that went."""
    good = [each.id for each in listed(layout) if mark(layout, each.id) == "good"]
    kept = spare | set(good[-layout.keep :])
    gone = []
    for folder in sorted(layout.releases.glob("*")):
        if folder.name not in kept:
            shutil.rmtree(folder)
            gone.append(folder.name)
    return gone

"""The page's files of all releases on the host, side by side: an older page finds its own."""

import os

import store
from layout import Layout, link


def publish(layout: Layout) -> None:
    """Lead from one folder to the files of every whole page in the store, and to nothing else.

    A name carries a sum of its content, so it does not matter which of several holders it leads to.
    """
    pages = [
        path
        for path in layout.store("app").glob("[!.]*")
        if store.is_whole(layout, "app", path.name)
    ]
    found = {path.name: path for page in pages for path in page.glob("web/assets/*")}
    layout.assets.mkdir(exist_ok=True)
    for name, path in found.items():
        place, target = layout.assets / name, os.path.relpath(path, layout.assets)
        if not place.is_symlink() or str(place.readlink()) != target:
            link(place, target)
    for place in layout.assets.iterdir():
        if place.name not in found:
            place.unlink()

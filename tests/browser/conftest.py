"""The page in a real browser: Debian's Chromium, and a host that serves it as everywhere."""

import functools
import http.server
import os
import shutil
import socket
import threading

import machine
import pytest
from hosts import Host, remove_leftover, write_inventory
from playwright.sync_api import sync_playwright

NAME = "frontdesk-browser"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# What Nginx forbids is told to the page, and by it to the console, where every test looks
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP forbids ${event.blockedURI} by ${event.violatedDirective}`));
"""


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium; installed, and noted for removal, where there is none."""
    if not any(map(shutil.which, PROGRAMS)):
        machine.install_packages("chromium")
    return next(filter(None, map(shutil.which, PROGRAMS)))


@pytest.fixture(scope="module")
def browser(chromium):
    flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def site(sample_bundle, tmp_path_factory):
    """A deployed host: what hosts.Host gives, and site.url."""
    complaint = machine.docker_answer()
    assert complaint is None, f"No Docker Engine answers ({complaint}). Use: make test"
    # Browsers trust the loopback as they trust HTTPS: what they forbid is then the page's doing
    port = free_port()
    written = tmp_path_factory.mktemp("site") / "inventory.yml"
    write_inventory(written, NAME, docker_host_http_port=port)
    made = Host(NAME, written, release_bundle_dir=str(sample_bundle))
    made.url = f"http://127.0.0.1:{port}/"
    remove_leftover(NAME)
    made.play("deploy.yml")
    yield made
    made.play("remove.yml")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="session")
def sources(root):
    """The address of the page's sources as they are: enough for logic that asks nothing."""
    handler = functools.partial(QuietHandler, directory=root / "service/web")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def call(browser, sources):
    """Call a function of a module: call("text.js", "percent", 0.5)."""
    page = browser.new_page()
    page.goto(sources + "favicon.svg")
    yield lambda module, name, *arguments: page.evaluate(
        "([module, name, list]) => import(module).then((held) => held[name](...list))",
        [f"/{module}", name, arguments],
    )
    page.close()


@pytest.fixture
def look(browser, site):
    """Open the page: look(view, **context options) -> Page.

    Afterwards nothing may have been asked of another host, and no console may hold an error but
    those that the test put into page.expected.
    """
    opened = []

    def open_page(view="text", **options):
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **options}
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.errors, page.asked, page.expected = [], [], ()
        page.add_init_script(REPORT_VIOLATIONS)
        page.on("console", lambda told: told.type == "error" and page.errors.append(told.text))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        opened.append(page)
        page.goto(f"{site.url}#{view}")
        return page

    yield open_page
    for page in opened:
        page.context.close()
    for page in opened:
        assert [url for url in page.asked if not url.startswith((site.url, "blob:"))] == []
        unexpected = [
            text for text in page.errors if not any(map(text.__contains__, page.expected))
        ]
        assert unexpected == []

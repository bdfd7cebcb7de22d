"""What all tests share: where things are, and how to run a program and see why it failed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


class Runner:
    """Runs programs of the environment; long ones into a log, with a line of progress."""

    def __init__(self, capture_manager):
        self._capture_manager = capture_manager

    def __call__(self, *words, folder=ROOT, check=True, timeout=300, **environment):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            [str(word) for word in words], cwd=folder, capture_output=True, text=True, check=False,
            timeout=timeout, stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": path, "NO_COLOR": "1", **environment},
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{words}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        return done

    def long(self, name, *words, **options):
        """The same, announced on the terminal, since it takes minutes."""
        began = time.monotonic()
        self._tell(f"\n  {name} ... ")
        done = self(*words, **options)
        self._tell(f"{time.monotonic() - began:.0f} s ")
        return done

    def _tell(self, text):
        with self._capture_manager.global_and_fixture_disabled():
            sys.stdout.write(text)
            sys.stdout.flush()


@pytest.fixture(scope="session")
def run(pytestconfig):
    return Runner(pytestconfig.pluginmanager.getplugin("capturemanager"))


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def sample_bundle(run, root):
    """A bundle of the sample data; trained once, and again only when data or code change."""
    bundle = root / "build/sample-bundle"
    run.long(
        "training on the sample data",
        sys.executable, "-m", "classifier", "train", "sample_data", "--output", bundle,
        folder=root / "service",
    )  # fmt: skip
    return bundle

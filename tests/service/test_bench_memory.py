"""The measurement of training's memory, on little data: that it measures, and where it writes."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "bench" / "memory.py"


def test_it_trains_twice_and_tells_the_growth(tmp_path):
    options = ["--output", "figures", "--megabytes", "1", "--require", "3", "--batch-size", "64"]
    done = subprocess.run(
        [sys.executable, PROGRAM, *options],
        cwd=tmp_path,  # another than the trainings', and --output is relative
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "figures" / "memory.json").read_text())
    few, many = found["runs"]
    assert many["texts"] >= 3 * few["texts"] > 0
    assert found["growth"] == many["peak_megabytes"] / few["peak_megabytes"]
    assert f"growth {found['growth']:.3f} with 4 times the data" in done.stdout
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["memory.json"]

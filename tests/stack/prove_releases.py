"""Deploys, rollbacks and kills on a host under steady load: prints what became of the requests.

    PYTHONPATH=service python tests/stack/prove_releases.py --inventory I --host NAME --full

Exits 1 when a request is lost where none may be, when an answer comes from another version than
it says or should, or when a switch makes the p99 more than three times the quiet one. The folder
`--output` gets releases.json and releases.csv. The host is a container on this machine.
"""

import argparse
import csv
import json
import sys
import tempfile
import time
from pathlib import Path

import versions
from classifier import bundle as bundles
from hosts import Host
from load import Load
from timeline import WINDOW_SECONDS, Timeline, misplaced, phases, switch_ratio, switches

ROOT = Path(__file__).resolve().parents[2]
MOST_RATIO = 3
REST_SECONDS = WINDOW_SECONDS + 3  # an act dies down, then the quiet is measured
IN_FLIGHT = 8  # what two workers with four threads may have in hand when they are killed
EXTENTS = {
    "short": {"quiet": 2, "deploys": 2, "rollbacks": 2, "model deploys": 1},
    "full": {"quiet": 5, "deploys": 20, "rollbacks": 5, "model deploys": 5},
}
KILLS = {
    "worker killed": "pkill -9 --newest --parent {main}",
    "master killed": "kill -9 {main}",
}


class Proof:
    """The acts of one proof, on one host."""

    def __init__(self, host, folder, bundle):
        self._host = host
        second = versions.changed_bundle(bundle, folder / "bundle", versions.rotate_labels)
        self._bundles = {bundles.load(each).model_id: each for each in (bundle, second)}
        service = ROOT / "service"
        self._services = [
            service,
            versions.changed_service(
                service, folder / "service", "gunicorn.conf.py", "# another version of the code\n"
            ),
        ]
        self._code = 0
        self.answers = versions.Answers(bundle, second)
        self.timeline = Timeline(lambda: host.status()["live"]["id"])

    def run(self, times):
        """Do each act as often as `times` says, with a rest after each."""
        acts = {
            "quiet": lambda: time.sleep(REST_SECONDS),
            "deploys": self._deploy,
            "rollbacks": lambda: self._host.play("rollback.yml"),
            "model deploys": self._deploy_model,
            **{phase: lambda line=line: self._kill(line) for phase, line in KILLS.items()},
        }
        time.sleep(REST_SECONDS)
        for phase, do in acts.items():
            for number in range(times.get(phase, 1)):
                with self.timeline.act(phase):
                    do()
                act = self.timeline.acts[-1]
                seconds = act.ended - act.began
                _say(f"{phase} {number + 1}: {seconds:.1f} s, {act.after} serves")
                time.sleep(REST_SECONDS)

    def _deploy(self):
        self._code = 1 - self._code
        self._deploy_model("all")

    def _deploy_model(self, parts="model"):
        (other,) = self._bundles.keys() - {self._host.status()["live"]["model"]["model_id"]}
        self._host.play(
            "deploy.yml",
            release_parts=parts,
            release_bundle_dir=str(self._bundles[other]),
            release_service_dir=str(self._services[self._code]),
        )

    def _kill(self, line):
        service = f"classifier@{self._host.status()['slot']}.service"
        main = f"$(systemctl show --value --property MainPID {service})"
        self._host.shell(line.format(main=main))
        time.sleep(5)  # as long as a restart may take


def judge(exchanges, timeline, answers):
    """Return the report, with all that may not be under `faults`."""
    for each in exchanges:
        each.failure = each.failure or answers.wrong(each)
    acts = timeline.acts
    report = {
        "phases": phases(exchanges, acts),
        "switches": switch_ratio(exchanges, acts),
        "misplaced": misplaced(exchanges, acts),
    }
    report["faults"] = report["misplaced"][:10]
    for phase, figures in report["phases"].items():
        lost = sum(figures["failed"].values())
        if lost > (IN_FLIGHT if phase in KILLS else 0):
            report["faults"].append(f"{phase}: {lost} requests failed: {figures['failed']}")
    if report["switches"]["ratio"] > MOST_RATIO:
        report["faults"].append(f"p99 during switches over quiet: {report['switches']}")
    return report


def table(report):
    """The phases as lines for a terminal."""
    lines = [f"{'phase':16}{'sent':>8}{'failed':>8}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}"]
    for phase, each in report["phases"].items():
        lines.append(
            f"{phase:16}{each['sent']:8}{sum(each['failed'].values()):8}"
            f"{each['p50_ms']:9}{each['p99_ms']:9}{each['max_ms']:9}"
        )
    found = report["switches"]
    lines.append(
        f"p99 around {found['switches']} switches {found['switch_p99_ms']} ms, quiet "
        f"{found['quiet_p99_ms']} ms (medians): {found['ratio']} times"
    )
    return "\n".join(lines)


def write(output, report, exchanges, timeline):
    """Write releases.json, and releases.csv with each request, for the picture."""
    output.mkdir(parents=True, exist_ok=True)
    began = exchanges[0].due
    moments = [round(at - began, 2) for at in switches(exchanges, timeline.acts)]
    (output / "releases.json").write_text(json.dumps({**report, "moments": moments}, indent=1))
    with (output / "releases.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["due_seconds", "milliseconds", "release", "failure"])
        for each in exchanges:
            milliseconds = round((each.done - each.due) * 1000, 2)
            rows.writerow([round(each.due - began, 3), milliseconds, each.release, each.failure])


def parser():
    made = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    made.add_argument("--inventory", type=Path, required=True)
    made.add_argument("--host", required=True)
    made.add_argument("--bundle", type=Path, default=ROOT / "build/sample-bundle")
    made.add_argument("--output", type=Path, default=ROOT / "build/proof")
    made.add_argument("--per-second", type=int, default=200)
    extent = made.add_mutually_exclusive_group()
    for name, times in EXTENTS.items():
        extent.add_argument(
            f"--{name}",
            dest="times",
            action="store_const",
            const=times,
            help=", ".join(f"{each} {phase}" for phase, each in times.items()),
        )
    made.set_defaults(times=EXTENTS["short"])
    return made


def main():
    options = parser().parse_args()
    # Each rollback leaves a release that was good: as many must be there, and be kept
    host = Host(
        options.host, options.inventory.resolve(), release_keep=options.times["rollbacks"] + 2
    )
    with tempfile.TemporaryDirectory() as folder:
        proof = Proof(host, Path(folder), options.bundle.resolve())
        with Load(host.address, options.per_second, versions.text) as load:
            proof.run(options.times)
        report = judge(load.exchanges, proof.timeline, proof.answers)
    write(options.output, report, load.exchanges, proof.timeline)
    print(table(report))
    for fault in report["faults"]:
        print(f"FAULT {fault}")
    return 1 if report["faults"] else 0


def _say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Releases to several hosts behind a load balancer under steady load: prints what became of it.

    PYTHONPATH=service python tests/stack/prove_fleet.py --hosts A,B,C --balancer D --full

Exits 1 when a request is lost, when an answer is wrong, when hosts differ after an act, or when an
act ends or reports otherwise than it should. Hosts and balancer are containers on this machine.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import fleet as fleets
import versions
from fleet import Fleet
from hosts import Host
from load import Load
from timeline import summary

ROOT = Path(__file__).resolve().parents[2]
TRIAL_SECONDS = (
    40  # of a batch: how long a host on trial waits for word, in the acts that cut it off
)


@dataclass
class Act:
    """One thing done to the fleet between two time.monotonic() values, and what all serve then."""

    name: str
    began: float
    ended: float
    serves: str


class Proof:
    """The acts of one proof; `faults` are lines on what was not as it should be."""

    def __init__(self, fleet, bundle, folder):
        self._fleet, self.faults, self.acts = fleet, [], []
        other = versions.changed_bundle(bundle, folder / "other", versions.rotate_labels)
        self._bundles = [bundle, other]
        self.answers = versions.Answers(bundle, other)

    def run(self, names):
        for name in names:
            before, began = self._serves(), time.monotonic()
            getattr(self, name)(before)
            after = self._serves()
            self.acts.append(Act(name, began, time.monotonic(), after))
            _say(f"{name}: {self.acts[-1].ended - began:.0f} s, {after} serves")
            time.sleep(2)

    def all_move(self, before):
        """One host after the other takes a release."""
        code, said = self._fleet.play("release.yml", **self._next())
        self._expect(code == 0, "a release to all hosts fails", said)
        self._expect(self._serves() != before, "hosts did not move", said)

    def one_refuses(self, before):
        """The last host refuses: those that moved return."""
        last = self._fleet.hosts[-1]
        fleets.let_no_candidate_start(last)
        code, said = self._fleet.play("release.yml", **self._next())
        fleets.let_candidates_start(last)
        self._turn_back()
        self._expect(code == 2, f"a refused release ends with {code}", said)
        words = f"{last.name} refused", "The candidate does not start", f"serves {before} again"
        self._expect(all(word in said for word in words), "the refusal is not named", said)
        self._expect(self._serves() == before, "hosts stay at a refused release", said)

    def one_is_cut_off_before_it_moves(self, before):
        """The second host is out of reach once the first has moved: that one returns."""
        first, second = self._fleet.hosts[:2]
        play = self._fleet.start("release.yml", **self._next())
        fleets.wait_for_a_move(first, before, play)
        fleets.cut_off(second)
        self._expect_a_return(play, second, before)

    def one_is_cut_off_after_it_moved(self, before):
        """The first host moves and is out of reach: it returns by itself, the others at once."""
        first = self._fleet.hosts[0]
        settings = {"release_batch": "100%", "release_batch_seconds": TRIAL_SECONDS}
        play = self._fleet.start("release.yml", **self._next(), **settings)
        fleets.wait_for_a_move(first, before, play)
        fleets.cut_off(first)
        self._expect_a_return(play, first, before)

    def one_is_down_and_comes_late(self, before):
        """A host that is down is left out, and gets the same release id in the next run."""
        last = self._fleet.hosts[-1]
        fleets.take_down(last)
        wanted = self._next()
        code, said = self._fleet.play("release.yml", **wanted)
        self._expect(code == 4, f"a release without one host ends with {code}", said)
        self._expect(f"{last.name} did not answer" in said, "the absent host is not named", said)
        fleets.bring_up(last)
        code, said = self._fleet.play("status.yml")
        self._expect("The hosts differ" in said, "status does not say that hosts differ", said)
        served = self._fleet.lives()
        code, said = self._fleet.play("release.yml", **wanted)
        self._expect(code == 0, "the release to the late host fails", said)
        self._expect(
            self._serves() == served[self._fleet.hosts[0].name], "it serves another id", said
        )

    def all_roll_back(self, before):
        code, said = self._fleet.play("rollback.yml")
        self._turn_back()
        self._expect(code == 0, "a rollback of all hosts fails", said)
        self._expect(self._serves() != before, "hosts did not roll back", said)

    def _expect_a_return(self, play, host, before):
        code, said = self._fleet.end(play)
        self._turn_back()
        self._expect(code not in (0, None), "a release to a host out of reach succeeds", said)
        self._expect(f"{host.name} refused" in said, "the host out of reach is not named", said)
        fleets.wait_for_a_return(host, before, TRIAL_SECONDS + 30)
        fleets.let_in(host)

    def _next(self):
        self._bundles.reverse()
        return {"release_bundle_dir": str(self._bundles[0])}

    def _turn_back(self):
        """What `_next` gave did not stay: it is next again."""
        self._bundles.reverse()

    def _serves(self):
        lives = self._fleet.lives()
        self._expect(len(set(lives.values())) == 1, f"hosts differ: {lives}", "")
        return lives[self._fleet.hosts[0].name]

    def _expect(self, holds, complaint, said):
        if not holds:
            self.faults.append(f"{complaint}\n{said[-4000:]}")


SHORT = ["all_move", "one_refuses"]
FULL = [
    *SHORT,
    "one_is_cut_off_before_it_moves",
    "one_is_cut_off_after_it_moved",
    "one_is_down_and_comes_late",
    "all_roll_back",
]


def judge(exchanges, proof):
    """Return (lines of a table, faults): of requests lost, wrong answers, and stray releases."""
    lines = [f"{'act':32}{'sent':>7}{'failed':>7}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}"]
    faults = []
    ends = [act.began for act in proof.acts[1:]] + [float("inf")]
    for act, end in zip(proof.acts, ends, strict=True):
        own = [each for each in exchanges if act.began <= each.due < end]
        for each in own:
            each.failure = each.failure or proof.answers.wrong(each)
        stray = {each.release for each in own if each.sent > act.ended} - {act.serves, ""}
        if stray:
            faults.append(f"{act.name}: after it {stray} answered, not only {act.serves}")
        told = summary(own)
        failed = sum(told["failed"].values())
        if failed:
            faults.append(f"{act.name}: {failed} requests failed: {told['failed']}")
        lines.append(
            f"{act.name:32}{told['sent']:7}{failed:7}"
            f"{told['p50_ms']:9}{told['p99_ms']:9}{told['max_ms']:9}"
        )
    return lines, faults


def main():
    made = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    made.add_argument("--hosts", required=True, help="names of three or more, with commas")
    made.add_argument("--balancer", required=True)
    made.add_argument("--bundle", type=Path, default=ROOT / "build/sample-bundle")
    made.add_argument("--per-second", type=int, default=50)
    made.add_argument("--short", dest="acts", action="store_const", const=SHORT, default=SHORT)
    made.add_argument("--full", dest="acts", action="store_const", const=FULL)
    made.add_argument("--acts", type=lambda names: names.split(","), help=", ".join(FULL))
    options = made.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(options.hosts.split(","), Path(folder))
        proof = Proof(fleet, options.bundle.resolve(), Path(folder))
        address = Host(options.balancer, None).address
        with Load(address, options.per_second, versions.text) as load:
            proof.run(options.acts)
        lines, faults = judge(load.exchanges, proof)
    print("\n".join(lines))
    for fault in proof.faults + faults:
        print(f"FAULT {fault}")
    return 1 if proof.faults or faults else 0


def _say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""One run: the plan is carried out on real parts, everything is mended, and the checker judges."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.faults.checker import Expected, Judgement, judge
from tests.faults.deeds import IN_HAND, Deeds
from tests.faults.plan import STORM, TEACHERS, Plan
from tests.faults.school import School, school
from tests.faults.servers import Servers

MENDED_WITHIN = 300.0
"""Seconds after the last fault until every promise must be kept. The service needs three or so; a busy machine more."""
_JUMP = timedelta(minutes=16)
"""What the clock makes after the last fault, again and again: longer than a refused password parks a mailbox."""
_JUMPS_AT_MOST = 20
"""All together less than a night: an answer to old mail is not given any more."""
_LOOKED_EVERY = 0.8
_LOOKS_MORE = 3
_LONGER = 6.0
"""Seconds more, at most, until what is to break at a command that is sure to come has broken: a machine may be slow."""


@dataclass
class Result:
    """What became of a run."""

    plan: Plan
    judgement: Judgement
    faults: list[str] = field(default_factory=list)
    """What else was wrong: a process that did not end when asked."""
    seconds: float = 0.0
    log: str = ""
    sabotage: str = ""

    @property
    def passed(self) -> bool:
        """Whether all was well in the end."""
        return self.judgement.kept and not self.faults

    def __str__(self) -> str:
        judged = self.judgement
        wrong = [f"    WRONG: {each}" for each in (*judged.broken, *judged.owed, *self.faults)]
        counts = (
            f"    {judged.letters} letters, {judged.answers} answers, {judged.routes} at the office "
            f"({judged.excused} twice within the window), {self.seconds:.1f} s"
        )
        wrong += [f"    note: {each} lies in Drafts" for each in judged.drafts]
        again = f"    again: {reproduction(self.plan.seed, self.sabotage)}"
        return "\n".join([str(self.plan), counts, *wrong, *([again] if not self.passed else [])])


def reproduction(seed: int, sabotage: str = "") -> str:
    """The command that runs one seed again."""
    return f".venv/bin/python -m tests.faults {seed}" + (f" --sabotage {sabotage}" if sabotage else "")


def run(plan: Plan, folder: Path, servers: Servers, *, sabotage: str = "", patience: float = MENDED_WITHIN) -> Result:
    """Carries a plan out and judges: `patience` seconds after the last fault every promise must be kept."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    servers.smtp.behave()
    with school(plan, folder, servers, sabotage=sabotage) as place:
        storm = _Storm(place)
        storm.connect()
        storm.rage()
        storm.mend()
        judgement = storm.wait_for_judgement(patience)
        codes = place.stop()
        # Asked before it listens to signals, it ends by the signal: systemd takes both for a good end.
        wrong = [code for code in codes if code not in {0, -signal.SIGTERM}]
        faults = [f"a process that was asked to end ended with {code}" for code in wrong]
        log = place.log.read_text(errors="replace") if place.log.exists() else ""
        return Result(plan, judgement, faults, time.monotonic() - began, log, sabotage)


class _Storm:
    def __init__(self, place: School) -> None:
        self.place = place
        self.plan = place.plan
        self.deeds = Deeds(place)
        self._supervised = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def connect(self) -> None:
        """The mailboxes are connected in peace, with an old letter in each."""
        for teacher in range(TEACHERS):
            self.place.write(self.place.family(teacher), (teacher,), "old")
        self.place.perform("run", "--once")

    def rage(self) -> None:
        """Letters come, and things break and are mended, each at its time."""
        for number in range(self.plan.processes):
            self.place.start(number)
        self.place.wait_until_up()
        self._supervisor.start()
        deeds: list[tuple[float, Callable[[], None]]] = []
        for letter in self.plan.letters:
            sender = self.place.robot if letter.kind == "robot" else self.place.family(letter.family)
            deeds.append((letter.at, lambda a=sender, b=letter.teachers, c=letter.kind: self.place.write(a, b, c)))
        for fault in self.plan.faults:
            deeds += self.deeds.of(fault)
        began = time.monotonic()
        with self.deeds.administered():
            for at, deed in sorted(deeds, key=lambda each: each[0]):
                time.sleep(max(0.0, began + at - time.monotonic()))
                deed()
            time.sleep(max(0.0, began + STORM - time.monotonic()))
            while self.deeds.awaited and time.monotonic() < began + STORM + _LONGER:
                time.sleep(0.05)

    def mend(self) -> None:
        """Everything works again, whatever the plan left broken. Whoever writes now is owed an answer."""
        self.deeds.mend()
        for number, family in enumerate(self.place.late_families):
            self.place.write(family, (number,), ("urgent", "routine")[number % 2])

    def wait_for_judgement(self, patience: float) -> Judgement:
        """Looks until all that is owed is there, the clock going on; then a while longer, for what comes twice."""
        deadline, jumps, sent = time.monotonic() + patience, 0, -1
        longer = _LOOKS_MORE
        while longer and time.monotonic() < deadline:
            time.sleep(_LOOKED_EVERY)
            found = judge(self.place.view, self._expected(), in_full=False)
            if found.broken:
                break
            longer -= found.kept and not found.drafts
            if sent == self.place.post.commands and jumps < _JUMPS_AT_MOST:
                # What is in hand just now, somebody else may take over: its lease is over before it is out.
                self.deeds.troubled.append([time.time(), time.time() + IN_HAND])
                self.place.jump(_JUMP)
                jumps += 1
            sent = self.place.post.commands
            if jumps == _JUMPS_AT_MOST and found.kept:
                break  # what still lies in Drafts stays there
        self._supervised.set()
        self._supervisor.join()
        return judge(self.place.view, self._expected())

    def _expected(self) -> Expected:
        troubled, blinded = (
            [(begin, end) for begin, end in each] for each in (self.deeds.troubled, self.deeds.blinded)
        )
        return Expected(self.place.late_families, troubled, blinded)

    def _supervise(self) -> None:
        while not self._supervised.wait(0.05):
            with self.deeds.paused:
                self.place.supervise()

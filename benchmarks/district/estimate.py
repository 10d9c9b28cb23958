"""Machines and money, computed from what was measured; every assumption is a field, and is printed."""

import math
from dataclasses import dataclass

DAYS_OF_SCHOOL = 180
KEPT_DAYS = 400
"""How long mail's record is kept unless the school says otherwise (retention.mail_days)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of processor, bytes."""

    sweep: float
    """Of a worker, for a look that finds nothing."""
    sweep_database: float
    message: float
    """Of a worker, for a message's whole way."""
    message_database: float
    memory: float
    """Of one worker."""
    growth: float
    """Of the database, for a message."""


@dataclass(frozen=True, slots=True)
class Connector:
    """Milliseconds of processor that a real system's connector takes, from benchmarks.poll (benchmarks/README.md)."""

    name: str
    poll: float
    message: float
    writes: float
    """Requests that write a message's label, its answer, its route: benchmarks.poll does not measure them, and each is
    taken for a poll."""


REAL = (
    Connector("IMAP", 0.55, 0.040, 3),
    Connector("Gmail", 1.56, 0.794, 3),
    Connector("Microsoft 365", 0.98, 0.551, 3),
    Connector("Exchange Server", 2.83, 0.366, 3),
)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What nobody measured here."""

    mails: float = 50
    """A day and mailbox."""
    in_peak: float = 0.4
    peak_hours: float = 2
    look_every: float = 50
    """Seconds."""
    filled: float = 0.6
    """The share of a core that is used at the peak: the rest is for what comes at once."""
    cores: int = 4
    memory: float = 16e9
    """Of one machine."""
    machine_a_month: float = 120
    """Dollars for such a machine, rented by the month; look up your own."""
    gigabyte_a_month: float = 0.12
    """Dollars for a gigabyte of disk that keeps copies."""
    largest_database: int = 64
    """Cores of the largest single PostgreSQL that one would run; beyond that the district has several."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What so many mailboxes take at the peak."""

    mailboxes: int
    looks: float
    """A second."""
    messages: float
    """A second."""
    worker_cores: float
    database_cores: float
    machines: int
    """For the workers."""
    database_machines: int
    databases: int
    growth: float
    """Bytes of the database on a school day."""
    kept: float
    """Bytes, once as much is forgotten as comes."""
    month: float
    """Dollars."""


def needed(mailboxes: int, measured: Measured, connector: Connector, assumed: Assumed) -> Needed:
    """What `mailboxes` take. A worker is a process that fills one core."""
    looks = mailboxes / assumed.look_every
    messages = mailboxes * assumed.mails * assumed.in_peak / (assumed.peak_hours * 3600)
    real_message = connector.message + connector.writes * connector.poll
    worker = looks * (measured.sweep + connector.poll) + messages * (measured.message + real_message)
    database = looks * measured.sweep_database + messages * measured.message_database
    worker_cores, database_cores = worker / 1000 / assumed.filled, database / 1000 / assumed.filled
    processes = math.ceil(worker_cores)
    by_memory = processes * measured.memory / (0.8 * assumed.memory)
    databases = math.ceil(database_cores / assumed.largest_database)
    shared = worker_cores + database_cores <= assumed.cores
    machines = 1 if shared else math.ceil(max(processes / assumed.cores, by_memory))
    database_machines = 0 if shared else math.ceil(database_cores / assumed.cores)
    growth = mailboxes * assumed.mails * measured.growth
    kept = growth * DAYS_OF_SCHOOL * KEPT_DAYS / 365
    month = (machines + database_machines) * assumed.machine_a_month + kept / 1e9 * assumed.gigabyte_a_month
    return Needed(
        mailboxes, looks, messages, worker_cores, database_cores, machines, database_machines, databases, growth, kept,
        month,
    )  # fmt: skip

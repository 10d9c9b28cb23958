"""Every mail program of the town does to its mailbox what is asked of it, before and after the mailbox is moved."""

import email.policy
from collections.abc import Iterator
from datetime import date, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

import pytest

from connectors.labels import Label
from service.sample.envelopes import DOMAIN
from tests.soak.mail_systems import MailSystems
from tests.soak.program import Program
from tests.soak.year import ALLIANCE, MOVED, Year, local

DAY = date(2025, 11, 3)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Program]]:
    year, moved = Year(teachers=3), f"{MOVED}@{DOMAIN}"
    systems = MailSystems(tmp_path_factory.mktemp("town"), year, lambda: local(DAY, 12))
    there = systems.programs()
    kinds = {"Maildir": there[ALLIANCE], "IMAP": there[year.on_imap[0]], "Exchange": there[moved]}
    yield kinds | {"Microsoft 365": systems.moves(moved)[1]}
    systems.close()


def mail(name: str, days_ago: int) -> bytes:
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"], made["Message-ID"] = "ana@family.example", "a@maple.example", f"<{name}@family.example>"
    made["Date"] = format_datetime(local(DAY, 9) - timedelta(days=days_ago))
    made.set_content("Hello.\n")
    return made.as_bytes()


@pytest.mark.parametrize("kind", ["Maildir", "IMAP", "Exchange", "Microsoft 365"])
def test_a_mail_program_labels_moves_deletes_and_lets_old_mail_expire(kind: str, programs: dict[str, Program]) -> None:
    program = programs[kind]
    names = {name: f"{name}@family.example" for name in ("old", "one", "two", "three")}
    for name in names:
        days = 100 if name == "old" else 1
        program.deliver(mail(name, days), local(DAY, 9) - timedelta(days=days))
    program.sends(mail("sent", 100), local(DAY, 9) - timedelta(days=100))
    assert set(names.values()) <= set(program.shown())
    program.label(names["one"], frozenset({Label.URGENT, Label.PLAN_AGREED}))
    assert program.shown()[names["one"]] == {Label.URGENT, Label.PLAN_AGREED}
    program.rename(names["one"])
    assert program.shown()[names["one"]] == frozenset()
    program.archive([names["one"], names["two"]])
    assert not {names["one"], names["two"]} & set(program.shown())
    program.bring_back(names["one"])
    assert names["one"] in program.shown()
    program.empty_archive()
    program.delete([names["one"]])
    sent = program.sent()
    assert program.expire(local(DAY, 9) - timedelta(days=50)) == 2
    assert program.sent() == sent - 1
    assert set(program.shown()) & set(names.values()) == {names["three"]}
    program.delete([names["three"]])

"""Every setting, typed and documented. `config.load` reads them from a TOML file; secrets come from the environment."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, time
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Misplaced(ValueError):
    """A fault of a whole table that a person would look for at one of its keys: `key` says at which."""

    def __init__(self, key: tuple[str | int, ...], expected: str) -> None:
        """`key` is relative to the table; `expected` completes the sentence "expected …"."""
        super().__init__(expected)
        self.key = key


def _address(value: str) -> str:
    local, at, domain = value.strip().lower().rpartition("@")
    if not at or not local or not domain or any(c.isspace() or c in "<>,;" for c in value.strip()):
        raise ValueError("an e-mail address such as office@maple.example is expected")
    return f"{local}@{domain}"


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("an IANA time zone such as America/Chicago is expected") from error
    return value


def _time_of_day(value: object) -> object:
    # Left to itself, pydantic reads 800 as 800 seconds past midnight.
    if isinstance(value, str) and (parts := re.fullmatch(r"(\d{1,2})(:\d{2})(:\d{2})?", value.strip())):
        with suppress(ValueError):
            value = time.fromisoformat(f"{int(parts[1]):02}{parts[2]}{parts[3] or ''}")
    if isinstance(value, time) and value.tzinfo is None:
        return value
    raise ValueError('a time of day such as "08:00" is expected')


def _calendar_date(value: object) -> object:
    # Left to itself, pydantic reads 20260901 as seconds since 1970.
    if isinstance(value, str):
        with suppress(ValueError):
            value = date.fromisoformat(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("a date such as 2026-09-01 is expected")


def _language(value: str) -> str:
    code = value.strip().replace("_", "-").lower()
    if not re.fullmatch("[a-z]{2,3}(-[a-z]{4})?", code) or code.partition("-")[0] not in Locale("en").languages:
        raise ValueError('an ISO 639-1 language code such as "en", "es" or "zh-Hant" is expected')
    return code


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("the name of an environment variable is expected, not the password itself")
    return value


def _days(value: str) -> str:
    first, _, last = value.strip().partition("/")
    try:
        begins, ends = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise ValueError('a day or two with a slash, such as "2026-12-01/2026-12-05", is expected') from error
    if ends < begins:
        raise ValueError("a last day that is not before the first is expected")
    return f"{begins}/{ends}"


EmailAddress = Annotated[str, AfterValidator(_address)]
TimeZoneName = Annotated[str, AfterValidator(_zone)]
TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d{2}(:\d{2})?$", "examples": ["08:00"]}),
]
CalendarDate = Annotated[date, BeforeValidator(_calendar_date)]
LanguageCode = Annotated[str, AfterValidator(_language)]
VariableName = Annotated[str, AfterValidator(_variable)]
Days = Annotated[str, AfterValidator(_days)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Stage(StrEnum):
    """How far a mailbox has come: each stage does what the one before does, and more."""

    OBSERVE = "observe"
    """Read and record; write nothing anywhere."""
    TAG = "tag"
    """Also put labels on new mail, and route urgent mail to the office."""
    REPLY = "reply"
    """Also answer families, and leave drafts for hard conversations in the teacher's Drafts."""


class Holiday(_Section):
    """One stretch without school."""

    first: CalendarDate
    """First day without school."""
    last: CalendarDate | None = None
    """Last day without school; the first day where left out."""
    name: str = ""
    """What families call it, e.g. "winter break"."""

    @model_validator(mode="after")
    def _in_order(self) -> "Holiday":
        if self.last is not None and self.last < self.first:
            raise Misplaced(("last",), "a day that is not before first")
        return self


class School(_Section):
    """The school and its calendar."""

    name: str = Field(min_length=1)
    """Name that families know the school by."""
    timezone: TimeZoneName
    """IANA time zone, e.g. America/Chicago."""
    domains: tuple[str, ...] = ()
    """Mail domains of the school's own staff, e.g. maple.example. Mail from them is never answered. The mailboxes' own
    domains always count."""
    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    """Weekdays with school."""
    opens: TimeOfDay = time(8, 0)
    """When the school day begins, local time."""
    closes: TimeOfDay = time(15, 30)
    """When the school day ends, local time."""
    holidays: tuple[Holiday, ...] = ()
    """Days and stretches without school."""
    holidays_ics: Path | None = None
    """An iCalendar file whose all-day events are days without school; relative to the configuration file."""
    languages: tuple[LanguageCode, ...] = Field(default=("en",), min_length=1)
    """Languages of the school, ISO 639-1; the first is the staff's."""
    country: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    """ISO 3166 code of the country, e.g. US: for the emergency and crisis numbers that families in need are told."""
    class_periods: bool = True
    """Whether the day has class periods, so that a family may be asked for one."""
    roster: Path | None = None
    """The school's lists: a CSV file with the columns student, guardian_email and perhaps others, or a folder or zip
    archive of OneRoster or School Data Sync files (docs/howto/roster.md). Relative to the configuration file. Brought
    into the database whenever its content has changed."""

    @model_validator(mode="after")
    def _day_has_hours(self) -> "School":
        if self.opens >= self.closes:
            if "closes" in self.model_fields_set:
                raise Misplaced(("closes",), f"a time of day after opens ({self.opens:%H:%M})")
            raise Misplaced(("opens",), f"a time of day before closes ({self.closes:%H:%M})")
        if not self.days:
            raise Misplaced(("days",), "at least one weekday")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)


Topic = Literal[
    "health",
    "safety",
    "wellbeing",
    "pickup_transport",
    "custody",
    "whereabouts",
    "deadline",
    "attendance",
    "behavior",
    "bullying",
    "grades",
    "homework",
    "meeting",
    "special_education",
    "event",
    "materials_fees",
    "technology",
    "thanks",
    "other",
]
"""What a message is about (docs/labelling.md, "Topics"). The classifier's encoder gives them in this order."""
OFFICE_DESK = "office"
"""The name of the desk that [office] is: it gets what no other desk handles."""


class Office(_Section):
    """The front office: where same-day matters go."""

    address: EmailAddress
    """Mailbox that urgent mail is routed to."""
    phone: str = Field(min_length=3)
    """Phone number as families dial it."""
    opens: TimeOfDay | None = None
    """When the phone is answered; the school's opening where left out."""
    closes: TimeOfDay | None = None
    """Until when the phone is answered; the school's closing where left out."""
    members: tuple[EmailAddress, ...] = ()
    """Addresses of the people who read this mailbox and answer from their own: they too may say "taken" or "done"."""
    minutes: int | None = Field(default=None, ge=5, le=480)
    """After how many school minutes an urgent item that nobody at the office has taken goes on: to `next`, then as a
    reminder each school day. Left out, it stays at the office."""
    next: str | None = None
    """Name of the desk that gets it then."""
    on_call: EmailAddress | None = None
    """Who also gets urgent mail while the office is closed, and what nobody has taken when it closes."""
    routine_topics: tuple[Topic, ...] = ()
    """Topics of routine mail that the school wants at the office too, e.g. attendance, pickup_transport, technology."""
    reply_to: EmailAddress | None = None
    """One of the mailboxes below that replies of the office go to ("taken", "done"), so that they do not fill the
    teacher's inbox. Left out, they go to the teacher, and the service reads them there."""


class Desk(_Section):
    """A desk beside the front office: nurse, counselor, transport, administration."""

    name: str = Field(min_length=1, max_length=40, pattern=r"^[^,\s]([^,]*[^,\s])?$")
    """What the staff calls it, e.g. "nurse"; without a comma."""
    recipients: tuple[EmailAddress, ...] = Field(min_length=1, max_length=20)
    """Who gets its mail, all in one."""
    members: tuple[EmailAddress, ...] = ()
    """Addresses of the people behind `recipients` that are lists or shared mailboxes: they too may say "taken"."""
    topics: tuple[Topic, ...] = ()
    """What it handles, e.g. health; none where it only comes in when another desk does not answer."""
    next: str | None = None
    """Name of the desk that gets what nobody here has taken; the office where left out."""
    minutes: int = Field(default=20, ge=5, le=480)
    """After how many school minutes."""
    office_too: bool = True
    """Whether the front office gets the urgent mail of these topics as well. Families are told that the front office
    has their message only then; otherwise they are asked to call."""


class CrisisLine(_Section):
    """Somebody to talk to at any hour."""

    name: str = Field(min_length=1)
    """What the line is called, in its own language."""
    phone: str = Field(min_length=2)
    """Number as families dial it."""
    text: bool = False
    """Whether the same number takes text messages."""


class Crisis(_Section):
    """What a family in a crisis is told beside the office's number. Left out, the numbers of `school.country` hold."""

    emergency: str | None = None
    """The emergency number."""
    lines: tuple[CrisisLine, ...] | None = None
    """Lines that listen at any hour."""


class CallWindow(_Section):
    """A time of the week in which a teacher can be called."""

    day: Weekday
    """Which weekday."""
    opens: TimeOfDay
    """From when, local time."""
    closes: TimeOfDay
    """Until when, local time."""

    @model_validator(mode="after")
    def _in_order(self) -> "CallWindow":
        if self.opens >= self.closes:
            raise Misplaced(("closes",), f"a time of day after opens ({self.opens:%H:%M})")
        return self


class Term(_Section):
    """A stretch of the school year that figures are computed for, where the roster names none: one [[terms]] each."""

    title: str = Field(min_length=1, max_length=60)
    """What people call it, e.g. "Fall 2026". Each has another."""
    first: CalendarDate
    """Its first day."""
    last: CalendarDate
    """Its last day."""

    @model_validator(mode="after")
    def _in_order(self) -> "Term":
        if self.last < self.first:
            raise Misplaced(("last",), "a day that is not before first")
        return self


class PartnershipCalls(_Section):
    """A time, twice a month or so, in which a teacher can be called for a few minutes: offered in answers to routine
    mail and in drafts of good news."""

    day: Weekday
    """Which weekday."""
    weeks: tuple[Annotated[int, Field(ge=1, le=4)], ...] = Field(default=(1, 3), min_length=1)
    """Which of that weekday in the month, e.g. [1, 3]: the first and the third. One without school is left out."""
    opens: TimeOfDay
    """From when, local time."""
    closes: TimeOfDay
    """Until when, local time."""
    minutes: Literal[5, 10] = 5
    """How long one call is."""

    @model_validator(mode="after")
    def _in_order(self) -> "PartnershipCalls":
        if self.opens >= self.closes:
            raise Misplaced(("closes",), f"a time of day after opens ({self.opens:%H:%M})")
        return self


class OwnWording(_Section):
    """The school's own sentences, where it wants others than the built-in ones (docs/howto/wording.md)."""

    folder: Path | None = None
    """Folder with a file of own sentences for each language, e.g. es.toml, as `alliance wording export` writes them;
    relative to the configuration file."""
    crisis_read_by: str = Field(default="", max_length=80)
    """Who at the school, by name, has read the notes in a crisis with the school's own sentences, e.g. "Dana Cho,
    counselor". Without it, these notes keep the built-in sentences, and own ones for them are refused."""


class Norm(_Section):
    """What families are told about replies, and when they are told."""

    reply_within_hours: tuple[int, int] = (24, 48)
    """The norm, in school hours: from, to. A school hour is an hour of a school day; other days stand still."""
    answer_again_after_school_days: int = Field(default=4, ge=1, le=60)
    """A family gets one answer of a kind within this many school days."""
    call_after_minutes: int = Field(default=30, ge=5, le=240)
    """After how long without word from the office a family with an urgent matter is asked to call."""
    answer_within_hours: int = Field(default=72, ge=1, le=24 * 14)
    """Mail older than this (clock hours) is tagged, never answered: an answer to old mail confuses."""
    answers_per_hour: int = Field(default=40, ge=5, le=500)
    """So many answers may leave one mailbox within an hour; then its answers stop, and the administrator is told. A
    third of 120 families writing within one hour is more than a busy day brings, and less than a loop makes."""
    answers_pause_hours: int = Field(default=24, ge=1, le=168)
    """After so many clock hours a mailbox whose answers stopped gives some again by itself, if nobody has said
    `alliance answers resume` before."""

    @model_validator(mode="after")
    def _in_order(self) -> "Norm":
        low, high = self.reply_within_hours
        if not 1 <= low <= high <= 24 * 10:
            raise Misplaced(("reply_within_hours",), "two numbers in order, from 1 to 240")
        return self


MICROSOFT_SIGN_IN = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)
"""Hosts that Microsoft's accounts sign in at: worldwide, US Government, China."""
_GUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class CaseSettings(_Section):
    """Cases: a hard conversation with one family, from its first message to the plan that is agreed."""

    one_matter_days: int = Field(default=14, ge=1, le=120)
    """So many days after its last message a case takes further conflict mail of the same family, also from another
    thread; after that, another thread is another case."""
    repeated: int = Field(default=3, ge=2, le=20)
    """From how many cases of one family with one teacher within `term_days` on the teacher is offered the coach."""
    term_days: int = Field(default=90, ge=7, le=366)
    """How far back cases are counted, in days."""


class Coach(_Section):
    """Who stands by teachers in hard conversations: a coach, a counselor, a deputy. Without this table nobody but the
    teacher is told of a case."""

    name: str = Field(min_length=1, max_length=80)
    """What teachers call them, e.g. "Sam Lee, instructional coach"."""
    addresses: tuple[EmailAddress, ...] = Field(min_length=1, max_length=5)
    """Who is told, each in a mail of their own: which teacher and since when, no name and no word of a family."""
    hours: int = Field(default=24, ge=1, le=240)
    """After how many school hours without an answer they are told, counted from the teacher's reminder."""
    early: bool = False
    """Whether they are told at once of a hostile message, and of a family's repeated cases. Otherwise only the teacher
    reads that the coach is there."""


Security = Literal["tls", "starttls", "none"]
_Server = TypeVar("_Server", "ImapServer", "SmtpServer")


class ImapServer(_Section):
    """An IMAP server. TLS is the default; "none" is refused unless `allow_insecure` says that it is meant."""

    host: str = Field(min_length=1)
    """Host name of the server."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port; 993 for tls, 143 otherwise, where left out."""
    security: Security = "tls"
    """tls (from the first byte), starttls, or none."""
    allow_insecure: bool = False
    """Allows security = "none". Only for a server on the same machine."""
    ca_file: Path | None = None
    """PEM file of a private certificate authority."""
    timeout_seconds: float = Field(default=30, gt=0, le=300)
    """How long one answer of the server may take."""
    fallback: Literal["flagged", "folders"] = "flagged"
    """What stands for labels where the server allows no keywords: the flag (star) for urgent and conflict, or copies in
    folders Alliance/Urgent, Alliance/Conflict."""
    sent_folder: str | None = None
    """Name of the Sent folder where the server does not mark one (RFC 6154)."""
    drafts_folder: str | None = None
    """Name of the Drafts folder where the server does not mark one (RFC 6154)."""

    @model_validator(mode="after")
    def _insecure_is_meant(self) -> "ImapServer":
        return _refuse_plain(self)


class SmtpServer(_Section):
    """The server that takes outgoing mail."""

    host: str = Field(min_length=1)
    """Host name of the server."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port; 465 for tls, 587 for starttls, 25 for none, where left out."""
    security: Security = "tls"
    """tls (from the first byte), starttls, or none."""
    allow_insecure: bool = False
    """Allows security = "none". Only for a server on the same machine."""
    ca_file: Path | None = None
    """PEM file of a private certificate authority."""
    timeout_seconds: float = Field(default=30, gt=0, le=45)
    """How long one answer of the server may take."""
    authenticate: bool = True
    """Whether to sign in, with the mailbox's user name and password."""

    @model_validator(mode="after")
    def _insecure_is_meant(self) -> "SmtpServer":
        return _refuse_plain(self)


def _refuse_plain(server: _Server) -> _Server:
    if server.security == "none" and not server.allow_insecure:
        raise Misplaced(
            ("security",),
            '"tls" or "starttls" ("none" sends passwords in clear; allow_insecure = true if that is meant)',
        )
    return server


class MaildirFolder(_Section):
    """A mailbox as a Maildir on this machine's disk."""

    path: Path
    """The Maildir (with new, cur and tmp); relative to the configuration file. Sent and Drafts are .Sent and .Drafts
    inside it (Maildir++)."""
    outgoing: Path | None = None
    """Maildir that takes outgoing mail, for a local mail system to pick up. Left out: over [smtp]."""


class Gmail(_Section):
    """Google Workspace and Gmail, over the Gmail API. Keys and tokens are stored by `alliance connect gmail`."""

    auth: Literal["service-account", "oauth"] = "service-account"
    """service-account: one key with domain-wide delegation for every teacher. oauth: each teacher agrees once."""
    topic: str | None = Field(default=None, pattern=r"^projects/[^/]+/topics/[^/]+$")
    """Pub/Sub topic that Gmail tells of new mail, e.g. projects/maple/topics/mail. Without it, Gmail is polled."""
    subscription: str | None = Field(default=None, pattern=r"^projects/[^/]+/subscriptions/[^/]+$")
    """Pull subscription of that topic."""
    units_per_minute_per_user: int = Field(default=6_000, ge=250)
    """Gmail's quota for one mailbox, in quota units a minute; 15000 for Cloud projects made before May 2026."""
    units_per_minute: int = Field(default=1_200_000, ge=250)
    """Gmail's quota for the whole Cloud project, in quota units a minute."""
    timeout_seconds: float = Field(default=30, gt=0, le=300)
    """How long one answer may take."""
    endpoint: str | None = None
    """Another address of the Gmail API: an emulator's."""
    pubsub_endpoint: str | None = None
    """Another address of the Pub/Sub API: an emulator's."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> "Gmail":
        if self.topic and not self.subscription:
            raise Misplaced(("subscription",), "a pull subscription of the topic")
        if self.subscription and not self.topic:
            raise Misplaced(("topic",), "the topic of the subscription")
        return self


class Graph(_Section):
    """Microsoft 365, over Microsoft Graph. Secrets and tokens are stored by `alliance connect graph`."""

    tenant: str = Field(min_length=1)
    """Directory (tenant) id, or a domain of the tenant."""
    client_id: str = Field(min_length=1)
    """Application (client) id of the app registration."""
    auth: Literal["application", "device-code"] = "application"
    """application: application permissions for every teacher, with a certificate or a secret. device-code: each teacher
    signs in once."""
    cloud: Literal["global", "us-government", "us-defense", "china"] = "global"
    """Which of Microsoft's clouds the tenant is in."""
    notification_url: str | None = Field(default=None, pattern=r"^https://")
    """Public https address at which Microsoft reaches this service to tell of new mail. Without it, mail is polled."""
    notification_listen: str = Field(default="127.0.0.1:8765", pattern=r"^[^:]+:\d{1,5}$")
    """Host and port that notifications arrive at behind the school's TLS proxy."""
    timeout_seconds: float = Field(default=30, gt=0, le=300)
    """How long one answer may take."""
    endpoint: str | None = None
    """Another address of Microsoft Graph: an emulator's."""
    authority: str | None = None
    """Another address to sign in at: an emulator's."""


class Exchange(_Section):
    """Exchange Server (2016, 2019, Subscription Edition), over Exchange Web Services. Not for Exchange Online."""

    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    """Address of the web service, e.g. https://mail.maple.example/EWS/Exchange.asmx; found by Autodiscover where left
    out."""
    auth: Literal["ntlm", "basic", "oauth"] = "ntlm"
    """How to sign in."""
    username: str | None = None
    r"""The service account, e.g. MAPLE\alliance or alliance@maple.example; each mailbox's own user where left out."""
    impersonation: bool = True
    """Whether the service account acts for the teachers (role ApplicationImpersonation)."""
    tenant: str | None = None
    """For oauth: the directory (tenant) id, or "adfs"."""
    client_id: str | None = None
    """For oauth: the application (client) id."""
    authority: str | None = None
    """For oauth: where to sign in, e.g. https://adfs.maple.example."""
    ca_file: Path | None = None
    """PEM file of a private certificate authority."""
    timeout_seconds: float = Field(default=60, gt=0, le=300)
    """How long one answer may take."""
    allow_insecure: bool = False
    """Allows an http:// endpoint. Only for a server on the same machine."""

    @model_validator(mode="after")
    def _insecure_is_meant(self) -> "Exchange":
        if self.endpoint and self.endpoint.startswith("http:") and not self.allow_insecure:
            raise Misplaced(
                ("endpoint",), "an https address (http shows every password; allow_insecure = true if meant)"
            )
        if self.auth == "oauth" and not (self.tenant and self.client_id):
            raise Misplaced(("client_id" if self.tenant else "tenant",), "tenant and client_id, which oauth needs")
        return self


class Classification(_Section):
    """How sure the classifier must be before it tags. Left out, the model's own numbers hold, which were chosen to miss
    as little urgent mail as it can (`alliance classify --explain` shows them)."""

    urgent_from: float | None = Field(default=None, gt=0, lt=1)
    """From which probability on a message is urgent. Lower finds more, and gives the office more false alarms."""
    conflict_from: float | None = Field(default=None, gt=0, lt=1)
    """From which probability on a message that is not urgent is a conflict."""
    doubt: float | None = Field(default=None, ge=0, le=5)
    """How near to a threshold, in log odds on either side, a message is marked "please check". 0 marks only messages in
    a language that the model has not learned."""


class MailboxSettings(_Section):
    """One teacher's mailbox."""

    address: EmailAddress
    """The mailbox's address."""
    aliases: tuple[EmailAddress, ...] = ()
    """Other addresses whose mail arrives here."""
    teacher: str = Field(min_length=1)
    """The teacher's name as families use it, e.g. "Ms. Rivera"."""
    call_windows: tuple[CallWindow, ...] = ()
    """When the teacher can be called: offered to families who are upset."""
    partnership_calls: tuple[PartnershipCalls, ...] = ()
    """When the teacher can be called for a few minutes: offered to every family."""
    away: tuple[Days, ...] = ()
    """Days on which the teacher's own out-of-office answer is on, first/last, e.g. "2026-12-01/2026-12-05": no routine
    note goes out beside it. Gmail, Microsoft 365 and Exchange Server are asked as well; IMAP and Maildir cannot be."""
    grade: str = ""
    """Grade, for the scorecard."""
    team: str = ""
    """Team, for the scorecard."""
    digest: bool = True
    """Whether this teacher gets the morning mail of [digest]."""
    connector: str = "imap"
    """imap, gmail, graph (Microsoft 365), exchange (Exchange Server), maildir, or the name of an installed connector
    (entry point alliance.connectors)."""
    stage: Stage = Stage.OBSERVE
    """observe, tag or reply."""
    username: str | None = None
    """Sign-in name; the address where left out."""
    password_env: VariableName | None = None
    """Name of the environment variable that holds the password; ALLIANCE_PASSWORD_ and the address in capitals with _
    for every other character where left out. With _FILE behind the name, a file that holds it."""
    imap: ImapServer | None = None
    """This mailbox's own IMAP server, instead of [imap]."""
    smtp: SmtpServer | None = None
    """This mailbox's own SMTP server, instead of [smtp]."""
    maildir: MaildirFolder | None = None
    """Where the Maildir is, for connector = "maildir"."""
    options: dict[str, Any] = {}
    """Settings of a third-party connector, which checks them itself."""

    @property
    def days_away(self) -> tuple[tuple[date, date], ...]:
        """First and last day of each stretch in `away`."""
        ends = (days.partition("/") for days in self.away)
        return tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, _, last in ends)


class Role(StrEnum):
    """What somebody does at the school, and so may see and do in the web pages."""

    TEACHER = "teacher"
    """Their own mailbox's matters."""
    OFFICE = "office"
    """What is handed to the office."""
    LEADER = "leader"
    """Counts, and cases that need a coach."""
    ADMINISTRATOR = "administrator"
    """How the service runs, and who did what."""


class Staff(_Section):
    """Somebody who may sign in to the web pages, beside the teachers, who may by their mailboxes."""

    address: EmailAddress
    """Where sign-in links go: an address that this person alone reads."""
    name: str = Field(min_length=1, max_length=80)
    """The name that colleagues see, e.g. "Sam Lee"."""
    role: Role
    """teacher, office, leader or administrator. Who is two of these stands here twice."""
    leads: tuple[str, ...] = ()
    """For a leader: the teams whose teachers' figures they see in the scorecard, as the mailboxes name them; the whole
    school where left out."""


class OpenId(_Section):
    """Signing in to the web pages with the school's own accounts, by OpenID Connect; docs/howto/web.md. The client
    secret is stored by `alliance credentials store web/openid`."""

    issuer: str = Field(pattern=r"^https://[^\s?#]+$")
    """The provider: https://accounts.google.com, https://login.microsoftonline.com/TENANT/v2.0, or any other whose
    discovery document lies behind it at /.well-known/openid-configuration."""
    client_id: str = Field(min_length=1)
    """The id that the provider gave these pages."""
    name: str = Field(min_length=1, max_length=40)
    """What the staff calls the provider, e.g. Google: it stands on the button."""
    domains: tuple[str, ...] = ()
    """Mail domains whose accounts may sign in this way; those of the staff's own addresses where left out."""
    address_from: Literal["email", "preferred_username", "upn"] | None = None
    """The claim that holds somebody's school address. Left out: preferred_username at Microsoft, elsewhere email, which
    the provider must say is verified. Any other must be one that only the provider's administrators can set."""
    ca_file: Path | None = None
    """PEM file of a private certificate authority."""
    timeout_seconds: float = Field(default=10, gt=0, le=60)
    """How long one answer of the provider may take."""

    @model_validator(mode="after")
    def _one_tenant(self) -> "OpenId":
        host, _, path = self.issuer.removeprefix("https://").partition("/")
        if host.lower() in MICROSOFT_SIGN_IN and not re.fullmatch(f"{_GUID}/v2\\.0", path):
            expected = f"https://{host}/TENANT/v2.0, TENANT being your tenant's own id: any other lets strangers in"
            raise Misplaced(("issuer",), expected)
        return self

    @property
    def microsoft(self) -> bool:
        """Whether the provider is Microsoft Entra."""
        return self.issuer.removeprefix("https://").partition("/")[0].lower() in MICROSOFT_SIGN_IN

    @property
    def google(self) -> bool:
        """Whether the provider is Google."""
        return self.issuer.rstrip("/") == "https://accounts.google.com"


class Web(_Section):
    """The web pages for the staff, served by `alliance web` behind the school's TLS proxy."""

    url: str = Field(pattern=r"^https://[a-z0-9.-]+(:\d{1,5})?/?$")
    """Public https address of the pages, e.g. https://inbox.maple.example: a host name and nothing behind it."""
    listen: str = Field(default="127.0.0.1:8766", pattern=r"^[^:]+:\d{1,5}$")
    """Host and port that the proxy passes requests on to."""
    proxies: tuple[str, ...] = ("127.0.0.1",)
    """IP addresses of the proxy. What it says of the visitor's address is believed, from nobody else."""
    link_minutes: int = Field(default=15, ge=5, le=60)
    """How long a sign-in link can be used."""
    idle_minutes: int = Field(default=60, ge=5, le=24 * 60)
    """After how long without a page being opened somebody is signed out."""
    session_hours: int = Field(default=12, ge=1, le=7 * 24)
    """After how long somebody is signed out in any case."""
    openid: OpenId | None = None
    """Signing in with the school's own accounts, beside the links by mail."""

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash behind it."""
        return self.url.rstrip("/")


class Digest(_Section):
    """The mail that each teacher gets on a school morning, where there is something to tell: who waits for an answer,
    whom to call, what was promised for today, what the office has seen to."""

    enabled: bool = True
    """Whether there is one. `digest = false` at a mailbox turns it off for one teacher."""
    at: TimeOfDay | None = None
    """When it is sent, local time, before the school opens; an hour before, where left out. A service that starts late
    that morning sends it until the school opens, and not after."""
    from_stage: Literal["tag", "reply"] = "tag"
    """From which stage on a mailbox gets it. In stage observe nothing is written, so there is none."""
    school_days: int = Field(default=10, ge=1, le=60)
    """Family mail older than this many school days is no longer named in it."""


class Glow(_Section):
    """Good news: which families have had none from a teacher yet this term, and drafts for them."""

    drafts_per_day: int = Field(default=3, ge=1, le=10)
    """So many drafts of good news a teacher gets in one day at most, each because they asked for it. None is ever sent
    by the service."""
    named_per_day: int = Field(default=3, ge=0, le=5)
    """So many families the morning mail names who have had no good word yet, on days with little else; 0 for none."""


class Scorecard(_Section):
    """The Alliance Scorecard (docs/scorecard.md)."""

    smallest_group: int = Field(default=10, ge=5, le=100)
    """Figures of a group of fewer families are withheld, and with them others that they could be computed from."""
    weekly_mail: bool = True
    """Whether each leader among the [[staff]] gets a mail with the figures on the first school morning of a week, from
    service.notices_from, at the time that [digest] names."""


class Retention(_Section):
    """How long what is on record is kept, in days (docs/privacy.md says why so long). Mailboxes are never touched: this
    is about the record of them. A term that runs is kept whole."""

    daily: bool = True
    """Whether the service erases once a day what is older; `alliance purge` does so at any time."""
    mail_days: int = Field(default=400, ge=180, le=3650)
    """Messages, what was done about them, what teachers wrote: a conversation goes when its last message is older."""
    cases_days: int = Field(default=730, ge=180, le=3650)
    """The office's items and conflict cases that are over, with their messages."""
    lists_days: int = Field(default=730, ge=180, le=3650)
    """Contacts and incidents."""
    roster_days: int = Field(default=730, ge=180, le=3650)
    """People on the roster, counted from the day they left, and what held of the others before."""


class Service(_Section):
    """How the service runs."""

    database: str = "alliance.db"
    """SQLite file, relative to the configuration file, or an SQLAlchemy URL."""
    poll_seconds: float = Field(default=60, ge=1, le=3600)
    """How often a mailbox without push is looked at; with push, the longest wait."""
    batch: int = Field(default=200, ge=1, le=2000)
    """Messages read and committed together."""
    lease_seconds: int = Field(default=120, ge=60, le=3600)
    """How long a worker may take over one delivery before another looks after it. Longer than SMTP's time-outs."""
    settle_seconds: int = Field(default=60, ge=0, le=3600)
    """How long to leave a mail server in peace before asking what became of an interrupted sending."""
    vault: Path | None = None
    """Folder of the encrypted keys, tokens and passwords that `alliance connect` stores; vault beside the SQLite
    file where left out. Needed there with a database URL."""
    administrator: EmailAddress | None = None
    """Who is told when a mailbox's credentials stop working."""
    notices_from: EmailAddress | None = None
    """A mailbox of the same mail system, no teacher's, that such notices and sign-in links are sent from; without it,
    notices stand in the log and in `alliance doctor` only."""
    keep_subjects: bool = False
    """Whether the database keeps subjects. Off, it keeps no words of any message."""
    models: Path | None = None
    """Folder of the models that `alliance learn` makes; models beside the SQLite file where left out. Needed there with
    a database server."""


class Monitoring(_Section):
    """Watching the service itself (docs/howto/monitoring.md)."""

    listen: str | None = Field(default=None, pattern=r"^[^:]+:\d{1,5}$")
    """Host and port where `alliance run` and `alliance worker` tell how they are (/livez, /readyz) and count
    (/metrics), e.g. 127.0.0.1:9464. It asks for no password and names no person; keep it inside the school's network.
    Nothing listens where left out."""
    mailbox_labels: bool = False
    """Whether the metrics also tell of each mailbox by its address when it was last looked at. For a school; ten
    thousand mailboxes are ten thousand series."""
    logs: Literal["auto", "text", "json"] = "auto"
    """How log lines are written: text for people, json with one object a line for programs, auto text on a terminal and
    json elsewhere."""
    alerts: bool = True
    """Whether service.administrator gets a mail when something below happens, and one when it is over."""
    silent_minutes: int = Field(default=60, ge=10, le=1440)
    """After so many minutes in which a mailbox could not be looked at."""
    no_mail_days: int = Field(default=3, ge=0, le=30)
    """After so many whole school days without any new mail in a mailbox that otherwise gets some almost every day; 0
    for never."""
    queue_minutes: int = Field(default=30, ge=10, le=1440)
    """After so many minutes in which work that was due is not done: urgent mail to the office, labels, answers."""
    unclaimed_minutes: int = Field(default=60, ge=0, le=960)
    """After so many minutes of the office's hours in which nobody took an urgent item; 0 for never."""


class Workers(_Section):
    """Each `alliance worker` of a district (docs/howto/district.md); `alliance run` has one thread for each mailbox."""

    threads: int = Field(default=24, ge=1, le=200)
    """Mailboxes that one worker works on at once. Most of the time each waits for its mail server."""
    open_mailboxes: int = Field(default=500, ge=0, le=20_000)
    """Mailboxes that one worker keeps connected between looks; each takes some memory here and a connection there."""
    connections_per_server: int = Field(default=500, ge=1, le=100_000)
    """Mailboxes of one IMAP server, or of one other mail system, that all workers together have open at once."""


class _Same:
    """Ten thousand mailboxes, told from others by being these very ones: every message asks for their domains."""

    def __init__(self, mailboxes: tuple[MailboxSettings, ...]) -> None:
        self.mailboxes = mailboxes

    def __hash__(self) -> int:
        return id(self.mailboxes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.mailboxes is self.mailboxes


@lru_cache(maxsize=4)
def _domains_of(same: _Same) -> frozenset[str]:
    return frozenset(box.address.rpartition("@")[2] for box in same.mailboxes)


def addresses_used_twice(mailboxes: Iterable[tuple[int, MailboxSettings]]) -> Iterator[Misplaced]:
    """One fault for each address that an earlier mailbox has already. Mailboxes come with their place in the list."""
    seen: set[str] = set()
    for place, mailbox in mailboxes:
        for key, address in (("address", mailbox.address), *(("aliases", alias) for alias in mailbox.aliases)):
            if address in seen:
                yield Misplaced(("mailboxes", place, key), f"an address of its own ({address} has a mailbox already)")
            seen.add(address)


class Settings(BaseSettings):
    """The whole configuration. `config.load` fills it from a TOML file and the environment, which wins; built directly,
    it holds what it is given and nothing else."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        env_prefix="ALLIANCE_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    school: School
    """The school and its calendar."""
    office: Office
    """The front office: where same-day matters go."""
    desks: tuple[Desk, ...] = ()
    """Desks beside the front office, one [[desks]] each."""
    crisis: Crisis = Crisis()
    """What a family in a crisis is told beside the office's number."""
    norm: Norm = Norm()
    """What families are told about replies, and when they are told."""
    wording: OwnWording = OwnWording()
    """The school's own sentences, where it wants others than the built-in ones."""
    cases: CaseSettings = CaseSettings()
    """Cases: hard conversations, until a plan is agreed."""
    coach: Coach | None = None
    """Who stands by teachers in hard conversations."""
    classifier: Classification = Classification()
    """How sure the classifier must be before it tags."""
    digest: Digest = Digest()
    """The mail that each teacher gets on a school morning."""
    glow: Glow = Glow()
    """Good news: which families have had none yet, and drafts for them."""
    scorecard: Scorecard = Scorecard()
    """The Alliance Scorecard: whom its figures protect."""
    retention: Retention = Retention()
    """How long what is on record is kept."""
    service: Service = Service()
    """How the service runs."""
    monitoring: Monitoring = Monitoring()
    """Watching the service itself."""
    worker: Workers = Workers()
    """What each worker of a district takes on."""
    imap: ImapServer | None = None
    """The IMAP server of all mailboxes that name none of their own."""
    smtp: SmtpServer | None = None
    """The SMTP server of all mailboxes that name none of their own."""
    gmail: Gmail | None = None
    """Google Workspace and Gmail, for connector = "gmail"."""
    graph: Graph | None = None
    """Microsoft 365, for connector = "graph"."""
    exchange: Exchange | None = None
    """Exchange Server, for connector = "exchange"."""
    web: Web | None = None
    """The web pages for the staff."""
    staff: tuple[Staff, ...] = ()
    """Who may sign in to the web pages beside the teachers, one [[staff]] each."""
    terms: tuple[Term, ...] = ()
    """The terms of the school year, for the scorecard, where the roster names none; without either, a school year is
    one term, from August 1 to July 31."""
    mailboxes: tuple[MailboxSettings, ...] = Field(min_length=1)
    """The teachers' mailboxes, one [[mailboxes]] each."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keeps the process's environment out of settings that are built directly."""
        return (init_settings,)

    @model_validator(mode="after")
    def _addresses_are_unique(self) -> "Settings":
        for fault in addresses_used_twice(enumerate(self.mailboxes)):
            raise fault
        return self

    @model_validator(mode="after")
    def _terms_have_titles_of_their_own(self) -> "Settings":
        titles = [term.title for term in self.terms]
        for place, title in enumerate(titles):
            if title in titles[:place]:
                raise Misplaced(("terms", place, "title"), f"a title of its own ({title} is a term already)")
        return self

    @model_validator(mode="after")
    def _desks_are_sound(self) -> "Settings":
        names = {OFFICE_DESK}
        handled: dict[str, str] = {}
        for place, desk in enumerate(self.desks):
            if desk.name.lower() in names:
                raise Misplaced(("desks", place, "name"), f"a name of its own ({desk.name} is a desk already)")
            names.add(desk.name.lower())
            for topic in desk.topics:
                if topic in handled:
                    raise Misplaced(("desks", place, "topics"), f"topics of its own ({handled[topic]} has {topic})")
                handled[topic] = desk.name
        following = [(("desks", place, "next"), desk.next) for place, desk in enumerate(self.desks)]
        for key, name in (*following, (("office", "next"), self.office.next)):
            if name is not None and name.lower() not in names:
                raise Misplaced(key, f"the name of a desk ({', '.join(sorted(names))})")
        return self

    @model_validator(mode="after")
    def _office_is_sound(self) -> "Settings":
        office = self.office
        if office.next is not None and office.minutes is None:
            raise Misplaced(("office", "minutes"), "after how many school minutes next gets what nobody took")
        if office.reply_to is not None and office.reply_to not in {box.address for box in self.mailboxes}:
            raise Misplaced(("office", "reply_to"), "the address of one of the [[mailboxes]], which the service reads")
        return self

    @model_validator(mode="after")
    def _digest_comes_before_school(self) -> "Settings":
        if self.digest.at is not None and self.digest.at >= self.school.opens:
            raise Misplaced(("digest", "at"), f"a time of day before the school opens ({self.school.opens:%H:%M})")
        return self

    @model_validator(mode="after")
    def _staff_are_people(self) -> "Settings":
        names: dict[str, str] = {}
        shared = {self.office.address, self.service.notices_from}
        for place, person in enumerate(self.staff):
            if person.address in shared:
                raise Misplaced(("staff", place, "address"), "an address that one person alone reads")
            if names.setdefault(person.address, person.name) != person.name:
                raise Misplaced(
                    ("staff", place, "name"), f"one name for one address (it is {names[person.address]} above)"
                )
        if self.web is not None and self.service.notices_from is None:
            raise Misplaced(
                ("service", "notices_from"), "the mailbox that sign-in links are sent from, which [web] needs"
            )
        return self

    @property
    def staff_domains(self) -> frozenset[str]:
        """Domains whose mail is the staff's own, lower case."""
        own = _domains_of(_Same(self.mailboxes)) | {self.office.address.rpartition("@")[2]}
        return own | {domain.lower().lstrip("@") for domain in self.school.domains}

    def mailbox(self, address: str) -> MailboxSettings:
        """The mailbox with this address. Raises KeyError."""
        for box in self.mailboxes:
            if box.address == address.lower():
                return box
        raise KeyError(address)

"""The map of what the database holds: of whom, why, what `alliance forget` does with it, and how old it gets.

A test holds it against the tables: a table, or a column, that is not declared here fails it. docs/privacy.md shows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What `alliance forget` does with a table's rows that tell of a family."""

    ERASED = "erased"
    NOTHING = "tells of no family"
    KEPT = "kept"
    """With the reason that stands beside it."""


@dataclass(frozen=True, slots=True)
class Held:
    """One table."""

    table: str
    what: str
    fate: Fate
    family: str = ""
    """Columns that tell of a family, apart by spaces."""
    rest: str = ""
    """The other columns: of the staff, of machines, of days, numbers of rows."""
    reason: str = ""
    """Why it is kept, where it is."""
    age: str = "as long as the installation"
    """How old it gets."""
    exported: bool = False
    """Whether `alliance export-family` hands it out."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column."""
        return frozenset(f"{self.family} {self.rest}".split())


_MAIL = "retention.mail_days, by conversation"
_CASES = "retention.cases_days after it was over"
_LISTS = "retention.lists_days"
_ROSTER = "retention.roster_days after they left"
_WITH = "with what it belongs to"

DATA_MAP: tuple[Held, ...] = (
    # Mail
    Held(
        "message", "who wrote to whom when, its label, and how it was judged: no text", Fate.ERASED,
        "provider_id rfc_message_id fingerprint thread sender family subject received_at tag urgent conflict unsure "
        "language labels guard set_aside",
        "id mailbox direction recorded_at backfill own model removed_at", age=_MAIL, exported=True,
    ),
    Held(
        "delivery", "what was done about a message: label, answer, route, draft", Fate.ERASED,
        "message_id dedupe_key facts recipient rfc_message_id draft_id last_error",
        "id mailbox kind state step attempts handovers next_attempt_at lease_until lease_holder deaths created_at "
        "finished_at",
        age=_WITH, exported=True,
    ),
    Held(
        "correction", "labels that a person changed", Fate.ERASED, "message_id from_tag to_tag",
        "id mailbox at followed_at", age=_WITH, exported=True,
    ),
    Held("address_spelling", "how an address stands on mail", Fate.ERASED, "spelling address"),
    Held(
        "answer_let_out", "answers of the last two days, to stop loops", Fate.ERASED,
        "delivery_id person wrote_at", "mailbox gravity known at", age="2 to 3 days",
    ),
    Held(
        "letter_recipient", "addresses that a teacher wrote to", Fate.ERASED, "message_id address", age=_WITH,
        exported=True,
    ),
    Held("teacher_letter", "families that a teacher wrote to, by keyed checksum", Fate.ERASED, "message_id family",
         age=_WITH),
    Held("judgement", "whether a teacher's letter is good news", Fate.ERASED, "message_id positive score",
         "model by at", age=_WITH, exported=True),
    # The office, and hard conversations
    Held(
        "item", "a matter of a family at the office", Fate.ERASED,
        "reference family topic tag opened_at last_mail_at",
        "id mailbox state holder path steps reminders changed_at stepped_at escalates_at", age=_CASES, exported=True,
    ),
    Held("item_mail", "the messages of an item", Fate.ERASED, "message_id item_id", age=_WITH),
    Held("item_event", "what happened to an item", Fate.ERASED, "item_id kind at", "id desk by", age=_WITH,
         exported=True),
    Held(
        "conflict_case", "a hard conversation with a family: its times and where it stands", Fate.ERASED,
        "reference family state hostile opened_at last_mail_at first_answer_at last_answer_at waiting_since "
        "consented_at agreed_at agreed_mark",
        "id mailbox takes_until agreed_by changed_at reminded_at coach_told_at coach_offered_at steps looks_at "
        "looked_at",
        age=_CASES, exported=True,
    ),
    Held("case_mail", "the messages of a case", Fate.ERASED, "message_id case_id", age=_WITH),
    Held("case_event", "what happened to a case", Fate.ERASED, "case_id kind at", "id by", age=_WITH, exported=True),
    # Contacts and incidents
    Held(
        "contact", "calls, texts, notes and meetings: day, kind, tone", Fate.ERASED,
        "reference student on_day kind tone reached",
        "id mailbox source logged_by logged_at over_at withdrawn_at withdrawn_by", age=_LISTS, exported=True,
    ),
    Held(
        "incident", "behavior incidents from the school's own list: day and short word", Fate.ERASED,
        "reference student on_day kind baseline_day", "id imported_at changed_at withdrawn_at", age=_LISTS,
        exported=True,
    ),
    Held(
        "glow_draft", "that a draft of good news was saved for a family", Fate.ERASED, "family rfc_message_id",
        "id mailbox term day asked_by asked_at state saving attempts next_attempt_at lease_until reason finished_at",
        age="retention.mail_days", exported=True,
    ),
    Held("home_helper", "families that help a class from home", Fate.ERASED, "family since",
         "id mailbox said_by withdrawn_at", exported=True),
    # The roster
    Held(
        "roster_person", "students, guardians, teachers, staff: name, language", Fate.ERASED,
        "id kinds given_name family_name schools language", "matched since until", age=_ROSTER, exported=True,
    ),
    Held("roster_grade", "grades, since when", Fate.ERASED, "student grade schools since until", "id", age=_ROSTER,
         exported=True),
    Held("roster_family", "which family a student belongs to, since when", Fate.ERASED, "student family since until",
         "id", age=_ROSTER, exported=True),
    Held("roster_address", "addresses, since when", Fate.ERASED, "address person since until", "id matched",
         age=_ROSTER, exported=True),
    Held("roster_care", "who looks after whom, since when", Fate.ERASED, "student guardian since until",
         "id by_guardian", age=_ROSTER, exported=True),
    Held("roster_membership", "places in classes, since when", Fate.ERASED,
         "id person school_class begins ends since until", "number", age=_ROSTER, exported=True),
    Held("roster_match", "whose an address is that no list names", Fate.ERASED, "address person",
         "id matched_at unmatched_at", age=_ROSTER, exported=True),
    Held("roster_school", "the schools", Fate.NOTHING, rest="id name since until"),
    Held("roster_term", "the terms", Fate.NOTHING, rest="id title begins ends is_year since until"),
    Held("roster_class", "the classes", Fate.NOTHING, rest="id title school grades terms since until"),
    Held("roster_import", "that lists were imported, and a checksum of them", Fate.NOTHING,
         rest="id at digest from_settings added changed ended rejected"),
    # Figures
    Held("scorecard_family", "how a family stands with its groups in a term", Fate.ERASED, "family standings", "term",
         age="until the term's mail is erased", exported=True),
    Held("scorecard_case", "a case in a term's figures", Fate.ERASED, "case_id opened_on agreed_on school_days groups",
         "term", age="until the term's mail is erased"),
    Held("scorecard_incident", "an incident in a term's figures", Fate.ERASED,
         "incident_id student on_day baseline_day again_on recovered groups", "term",
         age="until the term's mail is erased"),
    Held("scorecard_mark", "what the figures have to look at again", Fate.ERASED, "key", "id kind", age="minutes"),
    Held("scorecard_tally", "numbers of groups", Fate.KEPT, rest="term grouping key numbers",
         reason="numbers of groups; those of terms that are over stay as they were told"),
    Held("scorecard_told", "figures as a mail of the week told them", Fate.KEPT,
         rest="term grouping key monday measure value told_at", reason="numbers of groups that are large enough"),
    Held("scorecard_week", "numbers of a mailbox's week", Fate.KEPT, rest="mailbox monday numbers due_at passed_at",
         reason="numbers; counted again without the family where the term runs"),
    Held("carried_week", "numbers of what was erased", Fate.KEPT, rest="mailbox monday numbers",
         reason="numbers with nobody behind them, of terms that are over"),
    Held("scorecard_state", "how far the figures are", Fate.NOTHING,
         rest="id version looked_at day settings rests_on"),
    Held("scorecard_withholding", "which groups are too small to be shown", Fate.NOTHING,
         rest="term changed judged rests_on withheld"),
    Held("team_record", "which team a mailbox belonged to", Fate.NOTHING, rest="id mailbox team since until"),
    # What stays of what was forgotten
    Held("tombstone", "keyed checksums of what was forgotten", Fate.KEPT, "digest", "at",
         reason="so that mail and lists do not bring it back; without the name one cannot tell whose it is"),
    Held("past_answer", "that somebody forgotten was answered, by keyed checksum", Fate.KEPT, "person tag crisis at",
         "id mailbox", reason="so that nobody is answered twice", age="120 days"),
    Held("erasure", "receipts: how many rows were erased", Fate.KEPT, rest="id reference act at counts scrubbed_at",
         reason="the proof; names nobody"),
    Held("retention", "up to when records were erased for their age", Fate.NOTHING,
         rest="id mail_before lists_before looked_at"),
    Held("audit_name", "names behind random words in the audit log", Fate.ERASED, "token name"),
    Held("audit", "who of the staff saw and did what", Fate.KEPT, rest="number at person act about digest",
         reason="a chain; of families it holds numbers and random words, which mean nothing once those are erased"),
    Held("audit_head", "its last entry", Fate.NOTHING, rest="id number digest"),
    # The staff, and the service itself
    Held("mailbox", "how far each mailbox was read", Fate.NOTHING, rest="address cursor connected_at"),
    Held("digest", "that a teacher's morning was looked at", Fate.NOTHING,
         rest="id mailbox day decided_at notice_id sent_at"),
    Held("glow_wish", "that a teacher asked for drafts", Fate.NOTHING, rest="id mailbox morning asked_at done_at"),
    Held("heard_reply", "that a teacher's answer to a morning mail was heard", Fate.NOTHING,
         rest="id mailbox fingerprint on_day heard_at doubts", age="retention.mail_days"),
    Held("weekly_mail", "that a leader's week was told", Fate.NOTHING,
         rest="id leader monday decided_at notice_id told sent_at"),
    Held("notice", "mails of the service's own, to the staff", Fate.NOTHING,
         rest="id kind rfc_message_id created_at next_attempt_at lease_until attempts handovers told_at"),
    Held("own_answer", "whether a teacher's out-of-office answer is on", Fate.NOTHING,
         rest="mailbox asked_at told_at on begins ends to_families"),
    Held("answer_stop", "that a mailbox's answers stopped", Fate.NOTHING,
         rest="mailbox stopped_at cause resumed_at notice"),
    Held("parking", "mailboxes that refuse the service", Fate.NOTHING,
         rest="mailbox since reason sending lifted_at outage_notice lifting_notice"),
    Held("sign_in_link", "links of the staff, as checksums", Fate.NOTHING,
         rest="digest person destination created_at expires_at used_at", age="1 day after it ran out"),
    Held("web_session", "who of the staff is signed in, as checksums", Fate.NOTHING,
         rest="digest person created_at seen_at expires_at", age="1 day after it ran out"),
    Held("openid_trip", "who was sent to the OpenID provider, as checksums", Fate.NOTHING,
         rest="digest browser destination created_at expires_at used_at", age="1 day after it ran out"),
    Held("throttle", "how often somebody tried, by keyed checksum", Fate.NOTHING, rest="bucket begins_at count",
         age="1 day"),
    Held("installation", "the installation's secret", Fate.NOTHING, rest="id key"),
    Held("look", "when each mailbox was last looked at", Fate.NOTHING, rest="mailbox looked_at"),
    Held("alert", "what is wrong with the service", Fate.NOTHING,
         rest="id kind subject since noticed_at over_at told all_clear"),
    Held("running_process", "which processes run", Fate.NOTHING, rest="name role version began_at seen_at"),
    Held("schema_floor", "how old a program may be", Fate.NOTHING, rest="id revision"),
    Held("worker", "which workers live", Fate.NOTHING, rest="id version began_at alive_until"),
    Held("mailbox_turn", "whose turn each mailbox is", Fate.NOTHING,
         rest="mailbox system pace due_at woken holder last_holder number taken_at failures"),
    Held("allowance", "what providers allow", Fate.NOTHING, rest="name paid_at"),
    Held("connection_share", "connections of each worker", Fate.NOTHING, rest="server worker held"),
    Held("push_ticket", "how notifications are known to be genuine", Fate.NOTHING,
         rest="ticket mailbox digest expires_at"),
    Held("careful_mailbox", "mailboxes in which a process died", Fate.NOTHING, rest="mailbox since left"),
    Held("reading_trace", "messages that a process had in hand as it died", Fate.NOTHING,
         rest="mailbox message digest process deaths begun_at", age="1 month"),
    Held("queue_migration", "steps of the queue's own tables", Fate.NOTHING, rest="name applied_at"),
)  # fmt: skip
"""Every table."""


def as_markdown() -> Iterator[str]:
    """The map as docs/privacy.md shows it, line by line."""
    yield "| table | what it holds | columns that tell of a family | on `alliance forget` | kept |"
    yield "|---|---|---|---|---|"
    for held in DATA_MAP:
        columns = ", ".join(f"`{column}`" for column in held.family.split()) or "none"
        fate = f"{held.fate}: {held.reason}" if held.reason else str(held.fate)
        yield f"| `{held.table}` | {held.what} | {columns} | {fate} | {held.age} |"


if __name__ == "__main__":
    print("\n".join(as_markdown()))

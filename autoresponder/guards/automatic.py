"""Guards against mail that a program wrote: what its header says of itself, and how robots begin."""

import re

from autoresponder.guards.case import Case
from autoresponder.guards.phrases import (
    AWAY_CONSEQUENCE,
    AWAY_ENDING,
    AWAY_SUBJECT,
    AWAY_TEXT,
    LEAVING,
    REPLY_PREFIX,
    SAYS_AUTOMATIC,
)
from autoresponder.identifiers import is_own_message_id
from connectors.message import MARKER

_COMMENT = re.compile(r"\([^()]{0,200}\)")


def own_mail(case: Case) -> str | None:
    """This service's own answers and routes are never answered. Rule: RFC 3834 §2 (no answer to an answer)."""
    if MARKER.lower() in case.fields:
        return "It is one of this service's own mails."
    if case.message.message_id and is_own_message_id(case.message.message_id):
        return "Its Message-ID is one of this service's own."
    return None


def auto_submitted(case: Case) -> str | None:
    """Mail that says it was sent automatically. Rule: RFC 3834 §2 and §5 (Auto-Submitted other than "no")."""
    for name in ("auto-submitted", "x-auto-submitted", "auto-submit"):
        for value in case.fields.get(name, ()):
            keyword = _COMMENT.sub("", value).partition(";")[0].strip().lower()
            if keyword != "no":
                return f"Its {name.title()} field says that a program sent it."
    return None


def null_return_path(case: Case) -> str | None:
    """Mail without a return address on its envelope is a notification. Rule: RFC 3834 §2, RFC 5321 §4.5.5 (null
    reverse-path)."""
    path = case.return_path
    if path == "" or (path is not None and re.match(r"mailer-?daemon(?:@|\Z)", path)):
        return "Its return path is empty, as of a notification that nobody may answer."
    return None


_PRECEDENCE = frozenset({"bulk", "list", "junk", "auto_reply", "auto-reply", "autoreply"})


def precedence(case: Case) -> str | None:
    """Mail that says it is bulk, list or junk. Rule: RFC 3834 §2 (Precedence), RFC 2076 §3.9."""
    for name in ("precedence", "x-precedence", "preference"):
        for value in case.fields.get(name, ()):
            if value.strip().lower() in _PRECEDENCE:
                return f"Its {name.title()} field says {value.strip().lower()}."
    return None


_LIST_FIELDS = (
    *("list-id", "list-post", "list-unsubscribe", "list-unsubscribe-post", "list-help", "list-subscribe"),
    *("list-owner", "list-archive", "list-software", "mailing-list", "x-mailing-list", "x-beenthere"),
    *("x-mailman-version", "x-list-administrivia", "x-ml-name", "x-ml-info", "x-mlserver", "x-listserver"),
    *("x-listprocessor-version", "x-listmember", "x-google-group-id", "x-egroups-return", "x-yahoo-newman-id"),
    *("x-listbox-post-id", "x-mailgun-mailing-list-id", "x-sympa-to"),
)


def mailing_list(case: Case) -> str | None:
    """Mail that came through a mailing list. Rule: RFC 2369 and RFC 2919 (List-* fields), RFC 5230 §4.6."""
    name = case.present(_LIST_FIELDS)
    return f"It came through a mailing list ({name.title()})." if name else None


_CAMPAIGN_FIELDS = (
    *("x-campaign", "x-campaignid", "x-campaign-id", "campaign-id", "x-mc-user", "x-csa-complaints", "x-rpcampaign"),
    *("x-elq-sid", "x-sfmc-stack", "x-roving-id", "x-mktarchive", "x-mandrill-user", "x-newsletter", "x-mailingid"),
    *("x-report-abuse-to", "x-klaviyo-message-id", "x-mj-mid", "x-cheetahmailid", "x-ahmailid"),
)


def newsletter(case: Case) -> str | None:
    """Newsletters and marketing. Rule: RFC 8058 and Google's sender guidelines (Feedback-ID); else two of the phrases
    that such mail ends with."""
    name = case.present(_CAMPAIGN_FIELDS)
    if name:
        return f"It was sent by a mailing service ({name.title()})."
    feedback = case.first("feedback-id").strip().lower()
    # Fastmail puts this field on mail that people write.
    if feedback and not feedback.endswith(":fastmail"):
        return "It was sent by a mailing service (Feedback-Id)."
    text = case.message.newest
    ends = f"{text[:1_500]}\n{text[-4_000:]}" if len(text) > 5_500 else text
    folded = ends.casefold()
    if sum(phrases.stand_in(folded) for phrases in LEAVING) >= 2:
        return "It reads like a newsletter, with a way to unsubscribe."
    return None


_SUPPRESSED = frozenset({"all", "oof", "autoreply"})


def auto_response_suppress(case: Case) -> str | None:
    """Mail whose sender asks for no automatic answer. Rule: [MS-OXCMAIL] §2.1.3.2.20 (All, OOF and AutoReply; the other
    values are about receipts)."""
    for value in case.fields.get("x-auto-response-suppress", ()):
        asked = {word.strip().lower() for word in re.split(r"[,;\s]+", value)}
        if asked & _SUPPRESSED:
            return "It asks for no automatic answer (X-Auto-Response-Suppress)."
    return None


_MARKS = (
    *("x-autoreply", "x-auto-reply", "auto-reply", "autoreply", "x-mail-autoreply", "x-autoreply-from"),
    *("x-auto-reply-from", "x-autorespond", "x-autoresponder", "x-autoresponse", "x-auto-response", "x-autogenerated"),
    *("x-auto-generated", "x-fc-machinegenerated", "x-amazon-auto-reply", "x-vacation", "x-loop", "x-cron-env"),
    *("x-bluebottle-request", "x-boxbe-cr", "x-challenge-response", "x-github-reason", "x-bugzilla-reason"),
    *("x-jira-fingerprint", "x-launchpad-message-rationale", "x-gitlab-project", "x-redmine-host", "x-trac-version"),
    *("x-otrs-loop", "x-rt-loop-prevention", "x-zendesk-from-account-id"),
)
# CommuniGate marks what a person's rule passed on with the same field as its answers.
_MARK_SAYS_NO = frozenset({"no", "false", "0", "none", "forward", "redirect", "mirror"})
_ROBOT_MAILERS = re.compile(
    r"\bvacation\b|auto-?(?:reply|respon)|\bkana response\b|listserv|majordomo|mailman|\bezmlm\b|\bsmartlist\b|"
    r"\bphplist\b|mailchimp|\bmail(?:er)?lite\b|constant ?contact|campaign ?(?:enterprise|monitor)|\bbulk\b|"
    r"mass ?mail|"
    r"group ?mail|\bsendblaster\b|\bdirect ?mail\b",
    re.IGNORECASE,
)


def autoresponder_mark(case: Case) -> str | None:
    """Marks that vacation programs and other robots set. Rule: the fields in use beside RFC 3834, listed in
    docs/reference/guards.md."""
    for name in _MARKS:
        for value in case.fields.get(name, ()):
            if value.strip().lower() not in _MARK_SAYS_NO:
                return f"It bears the mark of an automatic answer ({name.title()})."
    if "autoresponder" in case.first("x-post-messageclass").lower():  # Mailtraq
        return "It bears the mark of an automatic answer (X-Post-Messageclass)."
    if any(value.strip().lower().startswith("autorespond") for value in case.fields.get("delivered-to", ())):  # qmail
        return "It bears the mark of an automatic answer (Delivered-To)."
    for name in ("x-mailer", "user-agent"):
        if _ROBOT_MAILERS.search(case.first(name)[:200]):
            return f"It was sent by a program that answers or mails to many ({name.title()})."
    return None


def out_of_office_subject(case: Case) -> str | None:
    """Absence notes that bear no mark but their subject. Rule: RFC 3834 §3.1.5 (responders say so in the subject); the
    phrases of common programs in the families' languages."""
    subject = case.message.subject[:300]
    bare = subject[REPLY_PREFIX.match(subject).end() :]  # type: ignore[union-attr]  # matches the empty string too
    if bare != subject and case.message.newest != case.message.text:
        return None  # a person answers an absence note, and quotes it
    if AWAY_SUBJECT.match(bare) or AWAY_ENDING.search(bare):
        return "Its subject is that of an automatic answer."
    return None


def automatic_in_words(case: Case) -> str | None:
    """Text that says of itself that a program sent it, or begins like an absence note. Rule: RFC 3834 §3.2
    (responders explain themselves in the text)."""
    if SAYS_AUTOMATIC.search(case.beginning):
        return "It says that it was sent automatically."
    beginning = case.beginning[:1_200]
    if AWAY_TEXT.search(beginning[:400]) and AWAY_CONSEQUENCE.search(beginning):
        return "It begins like an absence note."
    return None

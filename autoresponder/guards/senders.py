"""Guards about who sent it: addresses behind which nobody reads, staff, and senders that are not who they say."""

import re

from autoresponder.guards.case import Case, local_part
from autoresponder.outgoing import usable_address
from connectors.mime import SEVERAL_AUTHORS


def no_usable_sender(case: Case) -> str | None:
    """Mail from nobody, from several authors, or from an address that cannot be written to. Rule: RFC 5322 §3.6.2, RFC
    5321 §4.1.2."""
    if not case.sender:
        return "It names no sender."
    if SEVERAL_AUTHORS in case.message.defects:
        return "It names several authors, and an answer is for one."
    if usable_address(case.sender) is None:
        return "Its sender's address is not one that mail can be sent to."
    return None


_SYSTEM = re.compile(
    r"(?:mailer-?_?daemon|post_master|mail-?daemon|mdaemon|daemon|postmaster|postmast|pmdf|maildelivery|"
    r"mail-?delivery(?:-?subsystem)?|maildeliverysystem|mailerdaemon|"
    r"mail-?router|mail-?system|mailsystem|system|root|nobody|cron|uucp|usenet|www-data|apache|www|smtp|mmdf|smtpd?|"
    r"double-bounce|"
    r"fetchmail-daemon|fetchmail|listserv|listserver|list-?manager|listmaster|listproc|majordomo|majordom|mailman|"
    r"smartlist|ezmlm|sympa|"
    r"lsmtp|autoanswer|autoreply|auto-?reply|auto_reply|autorespond(?:er)?|auto-?responder|auto-?response|"
    r"auto-?confirm|auto-?notify|automailer|auto-?mailer|autobot|"
    r"vacation|mailbot|robot|bounces?|mail-?bounce|bounced|undeliver(?:ed|able)|returned?-?mail|mail-?return|"
    r"email-?bounce|"
    r"administrator-?mail|mail-?admin-?bounce|symantec_?antivirus\w*|antivirus|virus-?(?:alert|scanner|admin)|"
    r"mailscanner|mailguard|"
    r"fbl|feedbackloop|abuse-?report|staff_report|scomp|dmarc-?(?:reports?|noreply)|noreply-dmarc\w*|"
    r"tlsrpt)",
    re.IGNORECASE,
)
_SYSTEM_AFFIX = re.compile(
    r"(?:owner-.{1,64}|.{1,64}-request|request-.{1,64}|.{1,64}-bounces?|bounces?[-+=_.].{1,256}|"
    r".{1,64}-bounces?\+.{1,256}|.{1,64}-errors|errors-.{1,64}|"
    r".{0,64}mailer-daemon.{0,64}|.{0,64}postmaster.{0,16}|msprvs\d?=.{1,256}|prvs-bounce.{1,64}|return[-+].{1,256}|"
    r".{1,64}-return-.{1,256}|"
    r".{1,64}-confirm(?:\+.{1,100})?|.{1,64}-unsubscribe|.{1,64}-subscribe)",
    re.IGNORECASE,
)
_SYSTEM_NAME = re.compile(
    r"\s*[\"']?(?:mail(?:er)?[\s-]?(?:delivery|daemon|administrator|router)(?:[\s-]?(?:sub)?system|[\s-]?service)?|"
    r"system administrator|"
    r"internet mail delivery|postmaster|email delivery (?:system|subsystem)|message delivery|"
    r"delivery (?:notification|subsystem)|"
    r"mail system internal data|automatic e?-?mail delivery software|système de distribution|microsoft outlook\Z)\b",
    re.IGNORECASE,
)


def system_sender(case: Case) -> str | None:
    """Mail from daemons, postmasters, list programs and bounce addresses. Rule: RFC 3834 §2 (owner-, -request,
    MAILER-DAEMON), RFC 2142 §5, RFC 5230 §4.6."""
    name = case.message.sender.name if case.message.sender is not None else ""
    if _SYSTEM_NAME.match(name[:120]):
        return "Its sender is a mail system, not a person."
    envelope = [address.email for address in case.addresses("sender")[:3]]
    if case.return_path:
        envelope.append(case.return_path)
    if _is_system(local_part(case.sender)):
        return "Its sender is a mail system, not a person."
    if any(_is_system(local_part(address)) for address in envelope):
        return "It was handed in by a mail system (its return path or Sender field)."
    return None


def _is_system(local: str) -> bool:
    local = local[:300]
    return _SYSTEM.fullmatch(local) is not None or _SYSTEM_AFFIX.fullmatch(local) is not None


_NO_REPLY = re.compile(
    r"(?:.{0,80}[-_.+=])?(?:no[-_.]?reply(?:here)?|no[-_.]?replies|not?[-_.]?reply|do[-_.]?not[-_.]?(?:reply|respond|"
    r"answer)(?:[-_.]?to[-_.]?this)?|dont[-_.]?reply|donot[-_.]?reply|"
    r"no[-_.]?respond(?:er|a)?|no[-_.]?respuesta|no[-_.]?conteste[srn]?|n[aã]o[-_.]?respond(?:a|er)|"
    r"ne[-_.]?pas[-_.]?r[eé]pondre|nicht[-_.]?antworten|keine[-_.]?antwort|"
    r"noresponse|no[-_.]?response|noresp|norespond|unattended|unmonitored|nao[-_.]?responda|nepasrepondre|"
    r"nonrispondere|"
    r"auto[-_.]?(?:generated|notification)|notifications?|notify|notifier|notificaciones|notifica[cç][oõ]es|alerts?|"
    r"email[-_.]?alerts?|newsletters?|e?news[-_.]?letter|mailings?|mailer|bulletin|boletin|promotions?|promo|"
    r"donotreply|system[-_.]?(?:mail|message|notification)s?|automat(?:ed|ic)(?:[-_.]?(?:mail|message|"
    r"e-?mail)s?)?)(?:[-_.+=\d].{0,120})?",
    re.IGNORECASE,
)


def no_reply_sender(case: Case) -> str | None:
    """Addresses that say that nobody reads there. Rule: RFC 6854 §1 and common practice (noreply@, notifications@,
    newsletter@); addresses that people use at work, such as info@, are answered."""
    if _NO_REPLY.fullmatch(local_part(case.sender)[:300]):
        return "Its sender's address says that nobody reads there."
    if any(_NO_REPLY.fullmatch(local_part(address.email)[:300]) for address in case.message.reply_to[:5]):
        return "It asks for answers to an address where nobody reads."
    return None


def staff(case: Case) -> str | None:
    """The school's own staff: the note is for families. Rule: this product's own (school.domains)."""
    domain = case.message.sender.domain if case.message.sender is not None else ""
    if domain and any(domain == own or domain.endswith(f".{own}") for own in case.staff_domains):
        return "It comes from the school's own staff."
    return None


_COMMENT = re.compile(r"\([^()]{0,300}\)")
_DMARC_FAILED = re.compile(r"(?:^|[;\s])dmarc\s{0,5}(?:/\s?1)?\s{0,5}=\s{0,5}(?:hard)?fail\b", re.IGNORECASE)


def spoofed(case: Case) -> str | None:
    """Mail that is not from the domain it names: an answer would hit a stranger. Rule: RFC 7489 §6.6, RFC 8601 §5.

    Only what the last server on the way wrote can be believed: the topmost Authentication-Results field, and further
    ones under the same authserv-id (a server may write one field per check). Fields below may be the sender's own
    invention. Should our server write none, the topmost is foreign; then a sender who forges a failure only loses
    the courtesy of an answer, and a forged "pass" gains nothing here.
    """
    results = case.fields.get("authentication-results", ())
    if not results:
        return None
    top = _authserv_id(results[0])
    for position, value in enumerate(results):
        if (position == 0 or (top and _authserv_id(value) == top)) and _DMARC_FAILED.search(
            _COMMENT.sub(" ", value[:8_000])
        ):
            return "The receiving server found that it is not from the domain it names (DMARC)."
    return None


def _authserv_id(value: str) -> str:
    """The name of the server that wrote the field; empty where it begins with a result at once, as Microsoft's does."""
    first = _COMMENT.sub(" ", value[:300]).partition(";")[0].strip().lower()
    return "" if "=" in first else first.split(" ", 1)[0]

"""What of a mail server's own sentences may be repeated: the words that mail servers say, and their codes.

A server that refuses a message may quote it, its subject most of all ("554 spam: 'your child …'"), and what a connector
says of a failure ends on record and in the log. So a word is repeated only if it is one that servers use when they talk
about mail; everything else becomes "…". The administrator who needs the rest finds it in the server's own log.
"""

import re

_LONGEST = 300
_CODE = re.compile(r"[245]\d\d|[245]\.\d{1,3}\.\d{1,3}|\[?[A-Z]{4,20}\]?|X\d{1,6}")
"""A reply code (RFC 5321 §4.2), an enhanced one (RFC 3463), an IMAP response code (RFC 5530)."""
_SAID_IN_CAPITALS = """
    ALERT ALREADYEXISTS APPEND AUTH AUTHENTICATIONFAILED AUTHORIZATIONFAILED BADCHARSET CANNOT CLIENTBUG
    CONTACTADMIN CORRUPTION DATA DKIM DMARC EHLO EXPIRED EXPUNGEISSUED FROM HELO IMAP INUSE LIMIT MAIL NONEXISTENT
    NOOP NOPERM OVERQUOTA PRIVACYREQUIRED QUIT RCPT READONLY RFC RSET SERVERBUG SIZE SMTP STARTTLS TOOBIG TRYCREATE
    UNAVAILABLE UNKNOWNCTE
"""
_SAID = """
    a abuse accept accepted access account action address again alias all allowed already an and any are as at
    attachment attempt authentic authenticated authentication authorization authorized bad badly be because been
    bits blacklisted blocked body bounce busy but bytes can cannot certificate change check choose client closed
    closing command complete configuration connect connection contact contain contains content corrupt could daily
    data database day deferred delayed delivered delivery denied denies destination detected device different
    directory disabled disallowed disk does domain dropped due duplicate empty encountered encryption enough error
    exceeded exceeds exist exists expired failed failure fatal file filter first fixed folder for forbidden format
    found free from full gateway go greylisted greylisting group has have header headers hello help high host
    hostname hour if illegal implemented in inactive incoming incorrect infected insufficient internal invalid ip is
    it its key know known large later length limit line list listed load local locked login long loop lost mail
    mailbox mailboxes maximum maybe memory message messages mime minute minutes missing must name network no none
    not now number occurred of on only open operation or organization out outgoing over own parameter parameters
    parse password per period permanent permanently permission permissions phishing please policy postmaster problem
    process processing prohibited protocol provided queue quota rate reached read reason receive received recipient
    recipients refused reject rejected relay relaying remote removed reply report reputation request requested
    required requires resource resources restricted retry right rights route rule sandbox scan scanner second
    seconds security see send sender senders sending sent sequence server service session short signature size slow
    smtp so sorry space spam state status storage store submission such support supported suspended suspicious
    syntax system take temporarily temporary terminated text the there this threat time timeout times tls to too
    transaction transport try trying type unable unavailable unexpected unknown unroutable unsolicited unsupported
    until use used user username users using valid verification verify via violates violation virus wait was while
    will with within without wrong you your
"""
_CODES, _WORDS = frozenset(_SAID_IN_CAPITALS.split()), frozenset(_SAID.split())
_PART = re.compile(r"[^\s]+")


def server_words(text: str) -> str:
    """What a server said, as far as it may be repeated; at most 300 characters."""
    kept: list[str] = []
    for part in _PART.findall(text[: _LONGEST * 4]):
        bare = part.strip(".,:;!?()'\"<>-")
        word = part if _is_code(bare) or bare.lower() in _WORDS else "…"
        if word != "…" or kept[-1:] != ["…"]:
            kept.append(word)
    return " ".join(kept)[:_LONGEST]


def _is_code(text: str) -> bool:
    if text.isdigit():
        return len(text) == 3 and _CODE.fullmatch(text) is not None
    return _CODE.fullmatch(text) is not None and (text.strip("[]") in _CODES or text[0].isdigit())

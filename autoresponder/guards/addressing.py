"""The guard about whom it was written to."""

from autoresponder.guards.case import Case

_FURTHER_FIELDS = ("bcc", "resent-to", "resent-cc", "resent-bcc")


def not_addressed_to_teacher(case: Case) -> str | None:
    """Mail that does not name the teacher's address: circulars, blind copies, redirected mail. Rule: RFC 5230 §4.5, RFC
    3834 §2."""
    if case.mailbox is None:
        return None
    own = {_plain(address) for address in (case.mailbox.address, *case.mailbox.aliases)}
    further = (address for name in _FURTHER_FIELDS for address in case.addresses(name))
    if any(_plain(address.email) in own for address in (*case.message.to, *case.message.cc, *further)):
        return None
    return "It is not addressed to the teacher (not in To or Cc)."


def _plain(address: str) -> str:
    """`address` without a detail behind "+" (RFC 5233 §4)."""
    local, at, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"

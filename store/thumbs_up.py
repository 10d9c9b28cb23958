"""How often families confirmed something with a thumbs-up, a thank-you or an "ok"."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlmodel import col

from autoresponder.guards import content, thanks
from connectors.mailbox import Direction
from store.among import among
from store.tables import MessageRecord

_GUARDS = (content.reaction.__name__, thanks.thanks_only.__name__)
"""The guards that know such a message."""


def thumbs_up(connection: Connection, mailbox: str, senders: Collection[str], since: datetime, until: datetime) -> int:
    """How many such messages came from `senders`, as they are written on mail, from `since` to before `until`."""
    query = (
        select(func.count())
        .select_from(MessageRecord)
        .where(
            among(MessageRecord.sender, sorted(senders)),
            col(MessageRecord.mailbox) == mailbox,
            col(MessageRecord.received_at) >= since,
            col(MessageRecord.received_at) < until,
            col(MessageRecord.direction) == Direction.RECEIVED,
            among(MessageRecord.guard, _GUARDS),
        )
    )
    return int(connection.execute(query).scalar_one())

"""Who reads the scorecard, and so whose figures they see. Pure."""

from dataclasses import dataclass

from config.settings import Role, Settings


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads figures. Everybody sees those of everybody and of schools; the rest is as below."""

    mailbox: str | None = None
    """A teacher's own: they see themselves and their team."""
    leads: frozenset[str] | None = None
    """The teams that a leader sees, with their teachers; empty for the whole school, with every grade, team and
    teacher. None for who leads nobody."""

    @property
    def leads_everybody(self) -> bool:
        """Whether they see every group."""
        return self.leads is not None and not self.leads

    def may_see_teacher(self, mailbox: str, team: str | None) -> bool:
        """Whether a teacher's figures are for them: their own, or those of somebody whom they lead."""
        return mailbox == self.mailbox or self.leads_everybody or (self.leads is not None and team in self.leads)


LEADER = Reader(leads=frozenset())
"""A principal, and whoever runs the command line: every group."""


def reader_of(settings: Settings, address: str) -> Reader:
    """What the settings say of the person with this address, in whatever roles they are named there."""
    address = address.strip().lower()
    mine = [member for member in settings.staff if member.address == address and member.role is Role.LEADER]
    leads = None
    if mine:
        # Who is named once without teams leads the whole school.
        everywhere = any(not member.leads for member in mine)
        leads = frozenset() if everywhere else frozenset(team for member in mine for team in member.leads)
    boxes = {box.address for box in settings.mailboxes}
    return Reader(address if address in boxes else None, leads)

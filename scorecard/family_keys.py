"""Keeps what is on record under a family's key found, whatever the roster learns: records are filed again under the key
that the family has now.

A key changes where an address that nobody knew comes onto the roster, where families become one, and once, where the
keys were made of children's names. Running it again does no harm, and catches what a worker wrote under an old key
while the roster changed.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from sqlalchemy import Connection, and_, bindparam, delete, func, select, update
from sqlmodel import col

from autoresponder.family import family_key, key_by_names, person
from scorecard.roster_reading import Home, homes
from store.case_tables import CaseMail, ConflictCase, TeacherLetter
from store.chunks import chunks
from store.tables import Item, ItemMail, MessageRecord

_Pairs: TypeAlias = set[tuple[str, str]]
_AT_ONCE = 500


def file_again(connection: Connection, key: bytes) -> int:
    """Files messages, letters, cases and items again whose family's key has changed. `key` is the installation's
    secret. Returns how many keys were replaced."""
    known = _Keys(homes(connection), key)
    messages, cases = _pairs(connection, MessageRecord), _pairs(connection, ConflictCase)
    letters = set(connection.execute(select(col(TeacherLetter.family)).distinct()).scalars())
    items = set(connection.execute(select(col(Item.family)).distinct()).scalars())
    old = known.renamed.keys() & {family for _, family in messages | cases} | known.renamed.keys() & (letters | items)
    if not old:
        return 0
    plain = {each: next(iter(known.renamed[each])) for each in old if len(known.renamed[each]) == 1}
    shared = old - plain.keys()
    if shared:
        _by_their_mail(connection, shared, known)
    _rename(connection, ConflictCase, [{"m": m, "old": f, "new": plain[f]} for m, f in cases if f in plain])
    _rename(connection, Item, [{"old": each, "new": plain[each]} for each in items & plain.keys()])
    _rename(connection, MessageRecord, [{"m": m, "old": f, "new": plain[f]} for m, f in messages if f in plain])
    _letters(connection, {each: plain[each] for each in letters & plain.keys()})
    return len(old)


def file_apart(connection: Connection, key: bytes, address: str) -> None:
    """Files what an address wrote under the address itself, for whose it is was said by mistake. A case or an item goes
    along where nobody else wrote in it."""
    message, own = MessageRecord, family_key(None, address, key)
    families = {home.families[0] for home in homes(connection).values() if home.families}
    of_families = {family_key(family, address, key) for family in families}
    rows = connection.execute(
        select(col(message.id), col(message.sender), col(message.family)).where(
            func.lower(col(message.sender)).endswith("@" + address.rpartition("@")[2], autoescape=True)
        )
    )
    mine = {row.id: own for row in rows if person(row.sender) == address and row.family in of_families}
    for table, link, of in ((ConflictCase, CaseMail, CaseMail.case_id), (Item, ItemMail, ItemMail.item_id)):
        mails: dict[int, set[int]] = defaultdict(set)
        for some in chunks(sorted(mine), _AT_ONCE):
            held = select(col(of)).where(col(link.message_id).in_(some))
            for number, mail in connection.execute(select(col(of), col(link.message_id)).where(col(of).in_(held))):
                mails[number].add(mail)
        _write(connection, table, {number: own for number, held in mails.items() if held <= mine.keys()})
    _write(connection, message, mine)


class _Keys:
    """The key of every family on the roster, and those under which it may be on record."""

    def __init__(self, known: Mapping[str, Home], key: bytes) -> None:
        self._known = known
        self._key = key
        renamed: dict[str, set[str]] = defaultdict(set)
        now: set[str] = set()
        for address, home in known.items():
            current = self._of(address, home)
            now.add(current)
            for old in self._olds(address, home):
                renamed[old].add(current)
        # What is still somebody's key stays theirs: those whom a family lost begin anew.
        self.renamed = {old: new for old, new in renamed.items() if old not in now}

    def of_sender(self, sender: str | None, old: str) -> str | None:
        """The key of who wrote from an address, where `old` may have been theirs."""
        address = person(sender or "")
        home = self._known.get(address)
        return self._of(address, home) if home is not None and old in self._olds(address, home) else None

    def _of(self, address: str, home: Home) -> str:
        return family_key(home.families[0] if home.families else None, address, self._key)

    def _olds(self, address: str, home: Home) -> set[str]:
        olds = {family_key(family, address, self._key) for family in home.earlier}
        olds.add(family_key(None, address, self._key))
        if home.students:
            olds.add(key_by_names([student.name for student in home.students], self._key))
        return olds


def _pairs(connection: Connection, table: Any) -> _Pairs:
    rows = connection.execute(select(table.mailbox, table.family).where(table.family.is_not(None)).distinct())
    return {(mailbox, family) for mailbox, family in rows}


def _rename(connection: Connection, table: Any, values: list[dict[str, str]]) -> None:
    if values:
        old = table.family == bindparam("old")
        where = and_(old, table.mailbox == bindparam("m")) if "m" in values[0] else old
        connection.execute(update(table.__table__).where(where).values(family=bindparam("new")), values)


def _letters(connection: Connection, plain: Mapping[str, str]) -> None:
    """A letter to both parents, who were two families and are one, went to one."""
    letter = TeacherLetter
    for some in chunks(sorted(plain), _AT_ONCE):
        to = select(col(letter.message_id)).where(col(letter.family).in_(some))
        rows = connection.execute(
            select(col(letter.message_id), col(letter.family)).where(col(letter.message_id).in_(to))
        )
        there = {(number, family) for number, family in rows}
        for number, family in sorted(there):
            if family not in some:
                continue
            where = (col(letter.message_id) == number, col(letter.family) == family)
            renamed = (number, plain[family])
            if renamed in there:
                connection.execute(delete(letter).where(*where))
            else:
                connection.execute(update(letter).where(*where).values(family=plain[family]))
                there.add(renamed)


def _by_their_mail(connection: Connection, shared: Collection[str], known: _Keys) -> None:
    """Two families had one key, for their children have one name: whose something is, says who wrote it. What nobody
    on the roster wrote stays as it is."""
    message = MessageRecord
    columns: tuple[Any, ...] = (col(message.id), col(message.sender), col(message.family))
    whose: dict[int, str] = {}
    for some in chunks(sorted(shared), _AT_ONCE):
        for number, sender, family in connection.execute(select(*columns).where(col(message.family).in_(some))):
            new = known.of_sender(sender, family)
            if new is not None:
                whose[number] = new
    for table, link, of in ((ConflictCase, CaseMail, CaseMail.case_id), (Item, ItemMail, ItemMail.item_id)):
        _with_their_mail(connection, table, link, of, shared, whose)
    _write(connection, message, whose)


def _with_their_mail(
    connection: Connection, table: Any, link: Any, of: Any, shared: Collection[str], whose: Mapping[int, str]
) -> None:
    new: dict[int, str] = {}
    for some in chunks(sorted(shared), _AT_ONCE):
        rows = connection.execute(
            select(table.id, link.message_id)
            .join(link, of == table.id)
            .where(table.family.in_(some))
            .order_by(link.message_id)
        )
        for number, mail in rows:
            if mail in whose:
                new.setdefault(number, whose[mail])
    _write(connection, table, new)


def _write(connection: Connection, table: Any, new: Mapping[int, str]) -> None:
    if new:
        statement = update(table.__table__).where(table.id == bindparam("n")).values(family=bindparam("new"))
        connection.execute(statement, [{"n": number, "new": family} for number, family in new.items()])

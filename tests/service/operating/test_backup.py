"""A backup is whole or there is none; and who restores last night's answers no family twice."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from config.secrets import Secrets
from config.settings import Service, Settings
from service.cli import app
from service.operating.backup import BackupError, back_up, contents_of, restore, thin_out
from store.copying import rows_of
from store.database import Database, StoreError
from tests.servers.postgres import Postgres
from tests.service.maple import ANA, BO, RIVERA, SCHOOL_TOML, Maple

CY = "cy@family.example"


@pytest.fixture(params=["sqlite", "postgresql"])
def locations(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where the database is, and where the restored one is to be."""
    if request.param == "sqlite":
        yield str(tmp_path / "live" / "alliance.db"), str(tmp_path / "restored" / "alliance.db")
    else:
        postgres_server: Postgres = request.getfixturevalue("postgres_server")
        yield postgres_server.database(), postgres_server.database()


def settings_at(maple: Maple, location: str, folder: Path) -> Settings:
    """The school's settings, with the database there and everything else in `folder`."""
    service = Service(database=location, vault=folder / "vault", models=folder / "models")
    return maple.settings.model_copy(update={"service": service})


def school_at(location: str) -> Maple:
    """The school on a database of its own."""
    if "://" not in location:
        Path(location).parent.mkdir(parents=True, exist_ok=True)
    return Maple(database=Database.open(location))


def configuration(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alliance.toml").write_text(SCHOOL_TOML)
    return folder / "alliance.toml"


@pytest.mark.parametrize("atomic_send", [False, True])
def test_after_last_nights_backup_is_restored_no_family_is_answered_twice_and_none_is_forgotten(
    locations: tuple[str, str], tmp_path: Path, *, atomic_send: bool
) -> None:
    live, empty = locations
    maple = school_at(live)
    maple.system.atomic_send = atomic_send
    maple.round()
    maple.write("urgent where is he", ANA)
    maple.write("routine question", BO)
    maple.rounds(3)
    settings = settings_at(maple, live, tmp_path / "live")
    made = back_up(settings, configuration(tmp_path / "live"), {}, tmp_path / "backups", maple.clock())

    # The day after: one was answered and one waits while the disk dies.
    maple.clock.forward(hours=20)
    maple.write("urgent again", BO)
    maple.write("routine thanks", CY)
    maple.rounds(3)
    answered = {family: len(maple.answers(family)) for family in (ANA, BO, CY)}
    routed = sorted(maple.routed())
    assert answered == {ANA: 1, BO: 2, CY: 1}
    maple.write("urgent now", CY)
    maple.database.close()

    restore(settings_at(maple, empty, tmp_path / "restored"), {}, made)
    after = Maple(database=Database.open(empty))
    after.system, after.clock, after._letters = maple.system, maple.clock, maple._letters
    after.rounds(6)
    assert {family: len(after.answers(family)) for family in (ANA, BO, CY)} == answered | {CY: 2}
    assert sorted(after.routed()) == sorted([*routed, "urgent now"])
    after.write("routine question", "new@family.example")
    after.rounds(3)
    assert len(after.answers("new@family.example")) == 1
    assert after.unsent() == []
    after.database.close()


def test_a_restored_database_has_every_row_and_goes_on_numbering(locations: tuple[str, str], tmp_path: Path) -> None:
    live, empty = locations
    maple = school_at(live)
    maple.round()
    for number in range(5):
        maple.write("routine question", f"family{number}@family.example")
    maple.rounds(2)
    rows = rows_of(maple.database)
    settings = settings_at(maple, live, tmp_path / "live")
    made = back_up(settings, configuration(tmp_path / "live"), {}, tmp_path / "backups", maple.clock())
    restore(settings_at(maple, empty, tmp_path / "restored"), {}, made)
    restored = Maple(database=Database.open(empty))
    assert rows_of(restored.database) == rows
    assert rows["message"] == 10  # five letters, five answers
    restored.system, restored.clock, restored._letters = maple.system, maple.clock, maple._letters
    restored.write("routine question", "new@family.example")
    restored.rounds(2)
    assert rows_of(restored.database)["message"] == 12
    for database in (maple.database, restored.database):
        database.close()


def test_a_backup_taken_while_mail_is_read_is_of_one_moment(locations: tuple[str, str], tmp_path: Path) -> None:
    live, empty = locations
    maple = school_at(live)
    maple.round()
    maple.write("urgent where is he", ANA)
    settings = settings_at(maple, live, tmp_path / "live")
    with maple.database.write() as connection:  # somebody is in the middle of something
        connection.exec_driver_sql("UPDATE mailbox SET cursor = 'half done'")
        made = back_up(settings, configuration(tmp_path / "live"), {}, tmp_path / "backups", maple.clock())
    restore(settings_at(maple, empty, tmp_path / "restored"), {}, made)
    restored = Database.open(empty)
    with restored.read() as connection:
        assert "half done" not in connection.exec_driver_sql("SELECT cursor FROM mailbox").scalars().all()
    for database in (maple.database, restored):
        database.close()


class TestFolders:
    """What lies in a backup, on SQLite."""

    @pytest.fixture
    def live(self, tmp_path: Path) -> Settings:
        maple = school_at(str(tmp_path / "live" / "alliance.db"))
        maple.round()
        maple.database.close()
        configuration(tmp_path / "live")
        settings = settings_at(maple, str(tmp_path / "live" / "alliance.db"), tmp_path / "live")
        Secrets.of(settings, {}).put(f"password/{RIVERA}", "correct horse")
        (tmp_path / "live" / "models" / "one").mkdir(parents=True)
        (tmp_path / "live" / "models" / "one" / "weights").write_bytes(b"\x00" * 10)
        return settings

    def made(self, live: Settings, tmp_path: Path, *, hours: int = 0) -> Path:
        now = Maple().clock() + timedelta(hours=hours)
        return back_up(live, tmp_path / "live" / "alliance.toml", {}, tmp_path / "backups", now)

    def elsewhere(self, live: Settings, tmp_path: Path) -> Settings:
        folder = tmp_path / "new"
        service = Service(database=str(folder / "alliance.db"), vault=folder / "vault", models=folder / "models")
        return live.model_copy(update={"service": service})

    def test_vault_and_models_are_in_it_and_the_key_is_not(self, live: Settings, tmp_path: Path) -> None:
        made = self.made(live, tmp_path)
        names = set(contents_of(made).files)
        assert {"database/alliance.db", "models/one/weights", "alliance.toml"} < names
        key = (tmp_path / "live" / "vault.key").read_bytes().strip()
        assert all(key not in path.read_bytes() for path in made.rglob("*") if path.is_file())
        assert all(
            path.stat().st_mode & 0o077 == 0 for path in [made, *made.rglob("*")] if path.name != "alliance.toml"
        )
        new = self.elsewhere(live, tmp_path)
        restored = restore(new, {"ALLIANCE_VAULT_KEY": key.decode()}, made)
        assert (restored.secrets, restored.unopened) == (1, ())
        assert Secrets.of(new, {"ALLIANCE_VAULT_KEY": key.decode()}).get(f"password/{RIVERA}") == "correct horse"

    def test_a_key_that_does_not_open_the_vault_is_said(self, live: Settings, tmp_path: Path) -> None:
        made = self.made(live, tmp_path)
        other = "Zm9yIHRlc3RzIG9ubHksIDMyIGJ5dGVzIG9mIGtleSE="
        restored = restore(self.elsewhere(live, tmp_path), {"ALLIANCE_VAULT_KEY": other}, made)
        assert restored.unopened == (f"password/{RIVERA}",)

    @pytest.mark.parametrize("file", ["database/alliance.db", "models/one/weights", "backup.json"])
    def test_a_backup_that_somebody_or_a_disk_changed_is_not_restored(
        self, live: Settings, tmp_path: Path, file: str
    ) -> None:
        made = self.made(live, tmp_path)
        content = bytearray((made / file).read_bytes())
        content[len(content) // 2] ^= 1
        (made / file).write_bytes(content)
        new = self.elsewhere(live, tmp_path)
        with pytest.raises(BackupError):
            restore(new, {}, made)
        assert not Path(new.service.database).exists()

    def test_a_backup_that_lacks_a_file_is_not_restored(self, live: Settings, tmp_path: Path) -> None:
        made = self.made(live, tmp_path)
        (made / "models" / "one" / "weights").unlink()
        with pytest.raises(BackupError, match="models/one/weights"):
            contents_of(made)

    def test_nothing_is_overwritten(self, live: Settings, tmp_path: Path) -> None:
        made = self.made(live, tmp_path)
        before = Path(live.service.database).read_bytes()
        with pytest.raises((BackupError, StoreError), match="is there already"):
            restore(live, {}, made)
        assert Path(live.service.database).read_bytes() == before

    def test_a_backup_of_a_newer_version_is_refused_and_leaves_nothing(self, live: Settings, tmp_path: Path) -> None:
        with sqlite3.connect(live.service.database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
            connection.execute("UPDATE schema_floor SET revision = 'from-the-future'")
        made = self.made(live, tmp_path)
        new = self.elsewhere(live, tmp_path)
        with pytest.raises(StoreError, match="newer version"):
            restore(new, {}, made)
        assert not Path(new.service.database).exists()

    def test_a_backup_that_fails_half_way_leaves_nothing_that_looks_like_one(
        self, live: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(shutil, "copyfile", full)
        with pytest.raises(OSError, match="No space"):
            self.made(live, tmp_path)
        assert list((tmp_path / "backups").iterdir()) == []

    def test_the_newest_are_kept_and_a_half_one_never_counts(self, live: Settings, tmp_path: Path) -> None:
        made = [self.made(live, tmp_path, hours=hours) for hours in range(3)]
        (tmp_path / "backups" / "alliance-20990101T000000Z").mkdir()
        assert thin_out(tmp_path / "backups", 2) == made[:1]
        assert all(path.is_dir() for path in made[1:])

    def test_the_commands_say_what_they_did(self, live: Settings, tmp_path: Path) -> None:
        toml = tmp_path / "live" / "alliance.toml"
        toml.write_text(
            SCHOOL_TOML + '[service]\ndatabase = "alliance.db"\n[[mailboxes]]\naddress = "rivera@maple.example"\n'
            'teacher = "Ms. Rivera"\nconnector = "maildir"\nmaildir.path = "mail"\n'
        )
        said = _alliance("backup", str(tmp_path / "backups"), "-c", str(toml))
        assert said.exit_code == 0, said.output
        made = Path(said.output.removeprefix("backed up into ").strip())
        assert "is whole" in _alliance("restore", str(made), "--check").output
        assert _alliance("restore", str(made), "-c", str(toml)).exit_code == 2
        (tmp_path / "live").rename(tmp_path / "dead")
        (tmp_path / "live").mkdir()
        (tmp_path / "dead" / "alliance.toml").rename(toml)
        (tmp_path / "dead" / "vault.key").rename(tmp_path / "live" / "vault.key")
        said = _alliance("restore", str(made), "-c", str(toml))
        assert said.exit_code == 0, said.output
        assert "restored what was backed up" in said.output
        assert (tmp_path / "live" / "alliance.db").exists()


def _alliance(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))

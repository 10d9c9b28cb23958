"""The check of the school's own wording: at the start of the service, by `alliance wording check` and by the doctor."""

from collections.abc import Iterator

from autoresponder.own_wording import OwnFile, own_files
from autoresponder.where_used import Place, where_used
from config.faults import ConfigError, Fault
from config.settings import Settings
from config.textfile import shortened


def check_wording(settings: Settings) -> tuple[OwnFile, ...]:
    """The school's files of own sentences, all of them sound; none where it has no own wording. Raises `ConfigError`
    with every fault: file, line, sentence, and what to write."""
    folder = settings.wording.folder
    files = () if folder is None else tuple(own_files(folder))
    faults = [fault for file in files for fault in (*file.faults, *_unread(file, settings))]
    if faults:
        raise ConfigError(sorted(faults, key=lambda fault: (fault.origin, fault.line or 0)))
    return files


def _unread(file: OwnFile, settings: Settings) -> Iterator[Fault]:
    """What would be said in a crisis, and nobody at the school is named who has read it."""
    if settings.wording.crisis_read_by:
        return
    for sentence in file.says:
        if where_used()[sentence] == (Place.CRISIS,):
            yield Fault(
                str(file.path),
                "says",
                f"the built-in sentence (“{shortened(sentence)}” stands in a note in a crisis)",
                file.lines[sentence],
                advice='take it out: says = ""; or let the counselor read all notes of `alliance wording preview '
                "--crisis` and put the name into wording.crisis_read_by",
            )

from datetime import datetime


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A school's local time, as naive as the corpus has it."""
    return datetime(year, month, day, hour, minute)  # noqa: DTZ001

"""What a school configures: mailboxes, calendar, norm, office, feature stages."""

from config.calendar import NoSchoolDay, SchoolCalendar
from config.faults import ConfigError, Fault
from config.load import load
from config.passwords import password_for
from config.settings import Settings

__all__ = ["ConfigError", "Fault", "NoSchoolDay", "SchoolCalendar", "Settings", "load", "password_for"]

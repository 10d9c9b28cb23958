"""Which model a school uses: the shipped one, or one that its corrections made."""

import structlog

import classifier
from classifier import Bearings, Classifier
from classifier.errors import ModelError
from classifier.models import SHIPPED_NAME, Models
from config.calendar import SchoolCalendar
from config.settings import Service, Settings
from service.logs import said
from store.database import file_of

log = structlog.get_logger()


def models_of(service: Service) -> Models | None:
    """The school's own models: in `service.models`, or beside the SQLite file; None where there is neither. Raises
    StoreError for an impossible database location."""
    if service.models is not None:
        return Models(service.models)
    file = file_of(service.database)
    return None if file is None else Models(file.absolute().parent / "models")


def in_use(models: Models | None) -> str:
    """The version in use, as far as that can be told; otherwise, as `alliance run` does, the shipped one."""
    try:
        return SHIPPED_NAME if models is None else models.in_use()
    except ModelError:
        return SHIPPED_NAME


def bearings_of(settings: Settings, calendar: SchoolCalendar | None = None) -> Bearings:
    """What the classifier must know of the school. `calendar` is the school's, read anew where it is left out; raises
    ConfigError where it cannot be read."""
    calendar = calendar or SchoolCalendar.of(settings.school, settings.office)
    return Bearings(calendar, settings.school.languages[0], settings.classifier)


def open_strictly(service: Service, bearings: Bearings | None = None) -> Classifier:
    """The classifier with the model in use. Raises ModelError, StoreError where it cannot be had."""
    models = models_of(service)
    folder = None if models is None else models.path(models.in_use())
    return classifier.load(folder, bearings)


def open_in_use(service: Service, bearings: Bearings | None = None) -> Classifier:
    """The classifier with the model in use. Where that is damaged or missing, the shipped one takes its place, and the
    log says so: mail is tagged a little less well rather than not at all. Raises ModelError where the shipped one does
    not load either."""
    try:
        return open_strictly(service, bearings)
    except ModelError as error:
        loaded = classifier.load(None, bearings)
        log.error("the model in use cannot be used, the shipped one takes its place", reason=said(error))
        return loaded

"""Why a message was flagged, found again from its text: what the classifier said is on record, its reasons are not."""

from zoneinfo import ZoneInfo

import structlog

from classifier.verdict import Verdict
from connectors.message import Message
from service.letters import letter_of
from service.logs import place
from service.pipeline import Reader

log = structlog.get_logger()


def judged_again(message: Message, classifier: Reader, zone: ZoneInfo) -> Verdict | None:
    """The verdict with its reasons; None where the classifier chokes on the message. `zone` is the school's."""
    try:
        return next(iter(classifier.read([letter_of(message, zone)])))
    except Exception as error:  # noqa: BLE001 - the reasons are a help; the message is what people need
        log.error("the reasons could not be found again", error=place(error))
        return None

"""Loading a model, as fast as two cores allow."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from classifier.errors import ModelError
from classifier.language import Languages

if TYPE_CHECKING:
    from classifier.reader import Bearings, Classifier

SHIPPED = Path(__file__).parent / "model"
"""The model that comes with the package."""


def load(path: Path | None = None, bearings: "Bearings | None" = None) -> "Classifier":
    """The classifier with the model in the folder `path`, the shipped one where left out. `bearings` are the school's
    calendar, thresholds and language. Raises `ModelError`."""
    folder = path or SHIPPED
    if not (folder / "config.cfg").is_file():
        raise ModelError(f"{folder} holds no model; `alliance train --out {folder}` makes one")
    # The language identifier unpacks its tables outside Python's lock; spaCy is imported meanwhile.
    with ThreadPoolExecutor(max_workers=1) as beside:
        languages = beside.submit(Languages)
        opened: Classifier = import_module("classifier.reader").Classifier.open(folder, languages.result, bearings)
        return opened

"""Loading a model, as fast as two cores allow."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from classifier.errors import ModelError
from classifier.language import Languages

if TYPE_CHECKING:
    from classifier.reader import Classifier

SHIPPED = Path(__file__).parent / "model"
"""The model that comes with the package."""


def load(path: Path | None = None) -> "Classifier":
    """The classifier with the model in the folder `path`, the shipped one where left out. Raises `ModelError`."""
    folder = path or SHIPPED
    if not (folder / "config.cfg").is_file():
        raise ModelError(f"{folder} holds no model; `alliance train --out {folder}` makes one")
    # The language identifier unpacks its tables outside Python's lock; spaCy is imported meanwhile.
    with ThreadPoolExecutor(max_workers=1) as beside:
        languages = beside.submit(Languages)
        opened: Classifier = import_module("classifier.reader").Classifier.open(folder, languages.result)
        return opened

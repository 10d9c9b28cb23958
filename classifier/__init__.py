"""Reads a family's newest text and says how soon and by whom it wants an answer. Local; nothing leaves the machine.

`Classifier`, `Bearings` and `load` are imported when they are first asked for (PEP 562): whoever only needs
`classifier.verdict` does not wait for spaCy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from classifier import silence  # noqa: F401 - before anything imports ONNX Runtime

if TYPE_CHECKING:
    from classifier.opening import load
    from classifier.reader import Bearings, Classifier

__all__ = ["Bearings", "Classifier", "load"]

_STANDS_IN = {"Bearings": "classifier.reader", "Classifier": "classifier.reader", "load": "classifier.opening"}


def __getattr__(name: str) -> Any:
    if name not in _STANDS_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_STANDS_IN[name]), name)

"""spaCy, imported without its command line.

`import spacy` imports `spacy.cli` only to offer `spacy.info()`, and with it an HTTP client, a project runner and more:
a third of the time until the first verdict. Every module of ours that needs spaCy imports it from here. Whoever calls
`spacy.info()` or imports `spacy.cli` later gets the real one.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

_CLI, _INFO = "spacy.cli", "spacy.cli.info"


def _info(*args: Any, **options: Any) -> Any:
    return importlib.import_module(_INFO).info(*args, **options)


def _import_spacy() -> ModuleType:
    if _CLI in sys.modules or "spacy" in sys.modules:
        return importlib.import_module("spacy")
    package, module = ModuleType(_CLI), ModuleType(_INFO)
    package.__path__ = []
    setattr(module, "info", _info)  # noqa: B010 - a module has no such attribute for the type checker
    sys.modules.update({_CLI: package, _INFO: module})
    try:
        return importlib.import_module("spacy")
    finally:
        for name, stand_in in ((_CLI, package), (_INFO, module)):
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


spacy: Any = _import_spacy()
"""The module; `Any`, because much of it is compiled and without types."""

"""Which model commands read with: the one that they are told, or the one in use."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, load_settings

if TYPE_CHECKING:
    from classifier import Classifier
    from classifier.models import Models
    from config import Settings

ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="DIR|VERSION",
        help="A folder that `alliance train --out` wrote, a version that `alliance model list` shows, or shipped. Left "
        "out: the one in use where there is a configuration file, otherwise the shipped one.",
    ),
]
"""Write `model: ModelOption = None`."""


def load_model(model: Path | None) -> "Classifier":
    """The classifier, or why there is none, on standard error, and exit code 2."""
    from classifier import load  # noqa: PLC0415  (so that `alliance --help` does not wait for spaCy)
    from classifier.errors import ModelError  # noqa: PLC0415
    from classifier.models import SHIPPED_NAME  # noqa: PLC0415

    try:
        if model is not None and (model.is_dir() or str(model) == SHIPPED_NAME):
            return load(model if model.is_dir() else None)
        settings = _settings()
        return load(model) if settings is None else _load_for(settings, model)
    except ModelError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def _load_for(settings: "Settings", model: Path | None) -> "Classifier":
    """The school's model in use, or the version of its own that is named `model`. Raises ModelError."""
    # Half a second, for schools: who only tries a message has no database.
    from classifier import load  # noqa: PLC0415
    from classifier.errors import ModelError  # noqa: PLC0415
    from service.models import bearings_of, models_of, open_strictly  # noqa: PLC0415
    from store.database import StoreError  # noqa: PLC0415

    try:
        if model is None:
            return open_strictly(settings.service).at(bearings_of(settings))
        models = models_of(settings.service)
        versions = [] if models is None else [each.name for each in models.versions()]
        folder = models.path(model.name) if models is not None and str(model) in versions else model
        return load(folder, bearings_of(settings))
    except StoreError as error:
        raise ModelError(str(error)) from error


def models_or_exit(settings: "Settings") -> "Models":
    """The school's own models; or why there can be none, on standard error, and exit code 2."""
    from service.models import models_of  # noqa: PLC0415
    from store.database import StoreError  # noqa: PLC0415

    try:
        models = models_of(settings.service)
    except StoreError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if models is None:
        typer.echo(
            "With a database server, say in service.models in which folder learned models are to live.", err=True
        )
        raise typer.Exit(2)
    return models


def _settings() -> "Settings | None":
    """The settings that every other command would read; None where there is no configuration file."""
    named = os.environ.get("ALLIANCE_CONFIG")
    if named is None and not DEFAULT_CONFIG.is_file():
        return None
    return load_settings(Path(named) if named else DEFAULT_CONFIG)

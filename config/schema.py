"""The JSON schema of the configuration."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from config.settings import Settings


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the TOML file; every key has a description."""
    schema = Settings.model_json_schema()
    for name, field in Settings.model_fields.items():
        # pydantic leaves a table's description to the definition that it refers to; editors look beside the key.
        schema["properties"][name].setdefault("description", field.description)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "Alliance Inbox configuration"}

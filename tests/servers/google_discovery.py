"""Requests held against the discovery documents that google-api-python-client ships: path, method, parameters, body."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from googleapiclient.discovery_cache import get_static_doc

_WORD = re.compile(r"[A-Za-z0-9_-]*={0,2}")
_WHOLE_NUMBER = re.compile(r"-?\d{1,40}")


_KINDS = {"object": dict, "array": list, "boolean": bool, "integer": int, "string": str}


class Unlawful(Exception):
    """A request that the discovery document does not allow."""


@dataclass(frozen=True)
class Asked:
    """One request, as the discovery document calls it."""

    method: str
    """Its id, e.g. gmail.users.messages.get."""
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: Any


@dataclass(frozen=True)
class _Method:
    id: str
    verb: str
    pattern: re.Pattern[str]
    upload: re.Pattern[str] | None
    parameters: Mapping[str, Mapping[str, Any]]
    request: str | None


class Discovery:
    """One API's document."""

    def __init__(self, name: str, version: str) -> None:
        document = json.loads(get_static_doc(name, version))
        self.schemas: Mapping[str, Any] = document["schemas"]
        self._common = document["parameters"]
        self._methods: dict[str, list[_Method]] = {}
        for method in _methods(document):
            self._methods.setdefault(method.verb, []).append(method)

    def read(self, verb: str, path: str, query: Mapping[str, Sequence[str]], body: Any) -> Asked:
        """The request, where the document allows it. Raises Unlawful."""
        for method in self._methods.get(verb, ()):
            found = method.pattern.fullmatch(path)
            uploaded = method.upload.fullmatch(path) if method.upload else None
            match = found or uploaded
            if match is None:
                continue
            asked = Asked(method.id, match.groupdict(), query, body)
            self._parameters(method, query, uploading=uploaded is not None)
            self._body(method, body)
            return asked
        raise Unlawful(f"{verb} {path} is no method of the API")

    def _parameters(self, method: _Method, query: Mapping[str, Sequence[str]], *, uploading: bool) -> None:
        for name, values in query.items():
            known = method.parameters.get(name) or self._common.get(name)
            if known is None or (name == "uploadType" and not uploading):
                raise Unlawful(f"{method.id} has no parameter {name}")
            if len(values) > 1 and not known.get("repeated"):
                raise Unlawful(f"{method.id}: {name} is given twice")
            for value in values:
                _text(f"{method.id}: {name}", known, value)
        for name, known in method.parameters.items():
            if known.get("required") and known["location"] == "query" and name not in query:
                raise Unlawful(f"{method.id} needs {name}")
        if uploading and "uploadType" not in query:
            raise Unlawful(f"{method.id}: an upload needs uploadType")

    def _body(self, method: _Method, body: Any) -> None:
        if method.request is None:
            if body is not None:
                raise Unlawful(f"{method.id} takes no body")
            return
        if body is None:
            raise Unlawful(f"{method.id} needs a body")
        self._value(method.id, {"$ref": method.request}, body)

    def _value(self, where: str, schema: Mapping[str, Any], value: Any) -> None:
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type", "")
        if not isinstance(value, _KINDS.get(kind, object)) or (kind == "integer" and isinstance(value, bool)):
            raise Unlawful(f"{where} is no {kind}")
        if kind == "object":
            for name, each in value.items():
                known = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                if known is None:
                    raise Unlawful(f"{where} has no property {name}")
                self._value(f"{where}.{name}", known, each)
        elif kind == "array":
            for each in value:
                self._value(where, schema["items"], each)
        elif kind == "string":
            _text(where, schema, value)


@cache
def discovery(name: str, version: str) -> Discovery:
    """The document of an API."""
    return Discovery(name, version)


def _text(where: str, schema: Mapping[str, Any], value: str) -> None:
    kind, form = schema.get("type"), schema.get("format", "")
    if "enum" in schema and value not in schema["enum"]:
        raise Unlawful(f"{where}: {value!r} is none of {schema['enum']}")
    if kind == "boolean" and value not in ("true", "false"):
        raise Unlawful(f"{where}: {value!r} is no boolean")
    if (kind == "integer" or form in ("uint64", "int64", "uint32")) and not _WHOLE_NUMBER.fullmatch(value):
        raise Unlawful(f"{where}: {value!r} is no whole number")
    if form == "byte" and not _WORD.fullmatch(value):
        raise Unlawful(f"{where} is no base64url")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise Unlawful(f"{where}: {value!r} does not match {schema['pattern']}")


def _methods(resource: Mapping[str, Any]) -> Any:
    for found in resource.get("methods", {}).values():
        upload = found.get("mediaUpload", {}).get("protocols", {}).get("simple", {}).get("path")
        yield _Method(
            found["id"],
            found["httpMethod"],
            _pattern(found["path"]),
            _pattern(upload) if upload else None,
            found.get("parameters", {}),
            found.get("request", {}).get("$ref"),
        )
    for inner in resource.get("resources", {}).values():
        yield from _methods(inner)


def _pattern(path: str) -> re.Pattern[str]:
    def part(found: re.Match[str]) -> str:
        plain = found[0].startswith("{+")
        return f"(?P<{found[1]}>{'.+' if plain else '[^/:]+'})"

    escaped = re.sub(r"\{\+?(\w+)\}", part, path.lstrip("/").replace(".", r"\."))
    return re.compile("/" + escaped)

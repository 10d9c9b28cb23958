"""Batches: https://learn.microsoft.com/graph/json-batching."""

import json
from base64 import b64encode
from typing import Any

from tests.servers.graph.wire import Answer, Request, Violation, read_request

BATCH_LIMIT = 20


def parts_of(request: Request) -> list[dict[str, Any]]:
    """The parts of a batch, checked as the documentation says."""
    body = request.json()
    parts = body.get("requests")
    if set(body) != {"requests"} or not isinstance(parts, list) or not parts:
        raise Violation("$batch: the body holds a list of requests and nothing else")
    if len(parts) > BATCH_LIMIT:
        text = "Number of batch request steps exceeds the maximum value of 20."
        raise Violation(text, code="MaximumValueExceeded")
    seen: set[str] = set()
    for part in parts:
        unknown = set(part) - {"id", "method", "url", "headers", "body", "dependsOn"}
        if unknown or not isinstance(part.get("id"), str) or part["id"].lower() in seen:
            raise Violation(f"$batch: properties {sorted(unknown)}, id {part.get('id')!r}")
        if not set(part.get("dependsOn", ())) <= {one["id"] for one in parts[: len(seen)]}:
            raise Violation(f"$batch: {part['id']} depends on what does not stand before it")
        if not str(part.get("url", "")).startswith("/"):
            raise Violation(f"$batch: the URL {part.get('url')!r} is not relative to the version")
        types = {name.lower() for name in part.get("headers", {})}
        if "body" in part and "content-type" not in types:
            raise Violation(f"$batch: write request {part['id']} does not contain a Content-Type header")
        seen.add(part["id"].lower())
    return parts


def part_request(request: Request, part: dict[str, Any]) -> Request:
    headers = {"Authorization": request.headers["authorization"]} | part.get("headers", {})
    body = part.get("body")
    raw = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return read_request(part["method"], f"/v1.0{part['url']}", headers, raw, request.base, part=True)


def part_answer(id_: str, answer: Answer, mime: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": id_, "status": answer.status, "headers": dict(answer.headers)}
    if answer.body is not None:
        shown["headers"]["Content-Type"] = answer.content_type.split(";odata.streaming")[0]
        shown["body"] = answer.body
        if isinstance(answer.body, bytes):
            shown["body"] = (
                b64encode(answer.body).decode() if mime == "base64" else answer.body.decode("utf-8", "replace")
            )
    return shown

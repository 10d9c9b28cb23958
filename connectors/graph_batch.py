"""Many requests in one: https://learn.microsoft.com/graph/json-batching."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from connectors.backoff import Busy, Patience
from connectors.errors import MailboxError, Throttled
from connectors.graph_errors import BUSY, FAULTS, Failure, Refused, failure_in, of_account
from connectors.graph_quota import Budget

_Answer = TypeVar("_Answer")

BATCH = 20
"""Requests in one batch: https://learn.microsoft.com/graph/json-batching#batch-size-limitations."""
_BATCH_WHEN_OVERRUN = 4
"""Requests to one mailbox at a time: https://learn.microsoft.com/graph/throttling-limits#limits-per-mailbox."""
_ID = 'IdType="ImmutableId"'
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch. `path` is below the mailbox, with its query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    prefer: str = ""
    """Preferences beside the immutable ids."""


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """How one part of a batch was answered. `body` is JSON, or a text."""

    failure: Failure | None
    body: Any = None
    account: MailboxError | None = None
    """The error of a failure that is about the account and not about this request."""

    def wanted(self) -> Any:
        """The body. Raises Refused, the error of the account, and Throttled where patience ended."""
        if self.failure is None:
            return self.body
        if self.account is not None:
            raise self.account
        if self.failure.status in BUSY and not self.failure.of_message:
            raise Throttled(f"Microsoft Graph is busy ({self.failure})", self.failure.retry_after)
        raise Refused(self.failure)


class Post(Protocol):
    """Posts a batch, and reads the JSON of the answer; again, with another token, where that raises Refused of 401."""

    def __call__(self, content: bytes, read: Callable[[Any], _Answer], requests: int) -> _Answer:
        """`requests` are in the batch. Raises Refused, MailboxError."""
        ...


class Batches:
    """The batches of one mailbox."""

    def __init__(
        self, address: str, post: Post, patience: Patience, budget: Budget, clock: Callable[[], datetime]
    ) -> None:
        """`clock` tells the time, aware."""
        self._address = address
        self._post = post
        self._patience = patience
        self._budget = budget
        self._clock = clock
        self._overrun = False
        """Whether the parts of a batch were too many for the mailbox at a time."""

    def run(self, parts: Sequence[Part]) -> list[PartAnswer]:
        """See `GraphClient.batch`."""
        answers: dict[int, PartAnswer] = {}
        waiting = dict(enumerate(parts))
        faults: dict[int, int] = {}

        def ask() -> None:
            size = _BATCH_WHEN_OVERRUN if self._overrun else BATCH
            numbers = list(waiting)
            for start in range(0, len(numbers), size):
                chosen = {number: waiting[number] for number in numbers[start : start + size]}
                for number, answer in self._asked(chosen).items():
                    answers[number] = answer
                    failure = answer.failure
                    faults[number] = faults.get(number, 0) + (failure is not None and failure.of_message)
                    if failure is None or failure.status not in BUSY or faults[number] >= FAULTS:
                        del waiting[number]
            if waiting:
                failures = [failure for number in waiting if (failure := answers[number].failure) is not None]
                self._overrun = self._overrun or any(failure.status == 429 for failure in failures)
                named = [failure.retry_after for failure in failures if failure.retry_after is not None]
                raise Busy(f"Microsoft Graph, {self._address}: busy ({failures[0]})", max(named, default=None))

        try:
            self._patience.run(ask)
        except Throttled:
            if not all(number in answers for number in range(len(parts))):
                raise
        return [answers[number] for number in range(len(parts))]

    def _asked(self, parts: Mapping[int, Part]) -> dict[int, PartAnswer]:
        requests = [
            {
                "id": str(number),
                "method": part.method,
                "url": part.path,
                "headers": preferring(part.prefer) | dict(part.headers) | ({} if part.body is None else _JSON),
            }
            | ({} if part.body is None else {"body": part.body})
            for number, part in parts.items()
        ]

        def read(body: Any) -> dict[int, PartAnswer]:
            responses = body.get("responses") if isinstance(body, dict) else None
            found: dict[int, PartAnswer] = {}
            for response in responses if isinstance(responses, list) else ():
                number = response.get("id") if isinstance(response, dict) else None
                if isinstance(number, str) and number.isdecimal() and int(number) in parts:
                    found[int(number)] = self._part_answer(response)
            for one in found.values():
                if one.failure is not None and one.failure.status == 401:
                    raise Refused(one.failure)  # the token ran out on the way: all of it again with another
            lacking = PartAnswer(Failure(502, "NoAnswer"))
            return {number: found.get(number, lacking) for number in parts}

        return self._post(json.dumps({"requests": requests}).encode(), read, len(parts))

    def _part_answer(self, response: Mapping[str, Any]) -> PartAnswer:
        status, body = response.get("status"), response.get("body")
        if isinstance(status, int) and 200 <= status < 300:
            return PartAnswer(None, body)
        given = response.get("headers")
        named = {str(name).lower(): value for name, value in given.items()} if isinstance(given, dict) else {}
        status = status if isinstance(status, int) else 502
        failure = failure_in(status, body, named.get("retry-after"), self._clock(), named.get("x-ms-throttle-scope"))
        self._budget.refused(failure)
        return PartAnswer(failure, account=of_account(failure, self._address))


def preferring(more: str) -> dict[str, str]:
    """The header that asks for immutable ids, and for `more`."""
    return {"Prefer": f"{_ID}, {more}" if more else _ID}

"""Calls of the Gmail API through google-api-python-client: paced, patient, in batches where there are many.

The client library builds each request from the discovery document that it ships (no network), and reads each answer.
What it would do by itself about retries, sleeping and connections is done here, where it can be stopped and bounded.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

from googleapiclient.discovery import build
from googleapiclient.errors import BatchError, HttpError
from googleapiclient.http import BatchHttpRequest, HttpRequest

from connectors.backoff import Busy, Patience, longest_wait
from connectors.errors import ConnectFailed, FetchFailed, MailboxError, Throttled
from connectors.gmail_errors import LineBroke, NotReached, Refusal, Unclear, meaning, read_refusal
from connectors.gmail_http import AnswerTooLarge, Authority, Transport
from connectors.gmail_quota import UNITS, Pace

AT_ONCE = 50
"""Requests of one batch: Google advises no more, or the batch itself is throttled."""
ROOT = "https://gmail.googleapis.com/"
_NO_ANSWER = frozenset({"gmail.users.drafts.delete", "gmail.users.messages.batchModify"})
"""Methods that answer with nothing."""
_LONGEST_WAIT = 30.0
"""Seconds that a call waits for quota; what takes longer is the runner's to wait for."""
_PAUSE_AFTER_QUOTA = 1.0
_PAUSE_OF_PROJECT = 10.0
"""Seconds without requests where Google names none: of one mailbox, of all."""

# It logs each address at DEBUG (with the Message-ID that is searched for) and whole refusing answers at WARNING.
logging.getLogger("googleapiclient").setLevel(logging.ERROR)

Answer = dict[str, Any]
"""A JSON object of Google's, as the client library reads it. It goes no further than the module that asked."""
Outcome = Answer | MailboxError
_Result = TypeVar("_Result")


class Faulty(Busy):
    """The server has a fault that may pass; unlike a full quota, it does not say that nothing was done."""

    def __init__(self, text: str, after: float | None = None, *, of_this_alone: bool = False) -> None:
        """`of_this_alone` where the fault may lie in what was asked for, and not in the server as a whole."""
        super().__init__(text, after)
        self.of_this_alone = of_this_alone


class TooLarge(FetchFailed):
    """A message is too large to be read together with others."""


class Unreadable(FetchFailed):
    """Google answers everything else and fails over this one, again and again."""


class Unconnected:
    """Stands in the shared service for the connection, which each mailbox has for itself."""

    def request(self, *args: object, **kwargs: object) -> None:
        del args, kwargs
        raise RuntimeError("each request is executed with its own mailbox's connection")

    def close(self) -> None:
        """Nothing was opened."""


@lru_cache(maxsize=8)
def service(root: str) -> Any:
    """The Gmail API at `root`, as methods that build requests. Shared by all mailboxes; it holds no connection."""
    return build(
        "gmail",
        "v1",
        http=Unconnected(),
        static_discovery=True,
        cache_discovery=False,
        client_options={"api_endpoint": root},
    )


class Calls:
    """Executes requests of one mailbox. Not thread-safe; `pace` may be shared."""

    def __init__(
        self,
        address: str,
        authority: Authority,
        pace: Pace,
        *,
        root: str | None = None,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience | None = None,
    ) -> None:
        """`root` is the API's address where it is not Google's own; `timeout` in seconds."""
        self.address = address
        self.pace = pace
        self.root = f"{root.rstrip('/')}/" if root else ROOT
        self.transport = Transport(authority, timeout)
        self._authority = authority
        self._sleep = sleep
        self._patience = replace(patience or Patience(), sleep=sleep)

    @property
    def users(self) -> Any:
        """The methods of the API's collection "users", which build requests."""
        return service(self.root).users()

    def at_root(self, request: HttpRequest) -> HttpRequest:
        """An upload with the right address: where the API's is another than Google's, the library mixes both."""
        root = urlsplit(self.root)
        request.uri = urlunsplit(urlsplit(request.uri)._replace(scheme=root.scheme, netloc=root.netloc))
        return request

    def run(self, request: HttpRequest) -> Answer:
        """Executes a request that may be repeated. Raises `Refused` where Google will not, `Throttled`, ConnectFailed,
        AuthenticationFailed, InsecureConnection."""
        return self._patiently(lambda: self._reconnected(lambda: self._execute(request)))

    def run_once(self, request: HttpRequest) -> Answer:
        """Executes a request that may be carried out once. It is repeated only after an answer that says that nothing
        was done. Raises as `run`, and `LineBroke` where it may have been carried out; `Throttled` leaves that open."""

        def execute() -> Answer:
            try:
                return self._execute(request)
            except Faulty as error:
                if error.of_this_alone:
                    raise Unclear(str(error)) from error
                raise Throttled(str(error), error.after) from error

        return self._patiently(execute)

    def run_large(self, request: HttpRequest, largest: int) -> Answer:
        """`run` for an answer of at most `largest` bytes. Raises AnswerTooLarge too."""
        usual, self.transport.largest = self.transport.largest, largest
        try:
            return self.run(request)
        finally:
            self.transport.largest = usual

    def stream(self, request: HttpRequest, read: Callable[[str], _Result | Refusal]) -> _Result:
        """Executes a GET whose answer `read` takes as it arrives, from the request's address."""

        def execute() -> _Result:
            self._spend(UNITS[request.methodId])
            result = read(str(request.uri))
            if isinstance(result, Refusal):
                raise self._meaning(result)
            return result

        return self._patiently(lambda: self._reconnected(execute))

    def batch(self, requests: Mapping[str, HttpRequest]) -> dict[str, Outcome]:
        """Executes many requests that may be repeated, by any names. What failed is returned under its name, `TooLarge`
        and `Unreadable` among it; parts that were refused for the moment are asked again alone. Raises ConnectFailed,
        AuthenticationFailed, InsecureConnection where nothing can be asked."""
        waiting = list(requests)
        outcomes: dict[str, Outcome] = {}
        size = AT_ONCE
        while waiting:
            chunk = waiting[:size]
            try:
                outcomes |= self._batch({name: requests[name] for name in chunk})
            except AnswerTooLarge:
                if len(chunk) > 1:
                    size = max(1, len(chunk) // 4)
                    continue
                outcomes[chunk[0]] = TooLarge(f"Google, for {self.address}: the message is too large for a batch")
            waiting = waiting[len(chunk) :]
        return outcomes

    def close(self) -> None:
        """Closes every connection; the next request opens new ones."""
        self.transport.close()

    def _batch(self, requests: Mapping[str, HttpRequest]) -> dict[str, Outcome]:
        waiting, outcomes, faults = dict(requests), dict[str, Outcome](), dict[str, Busy]()
        renewed = False

        def execute() -> None:
            nonlocal renewed
            parts = self._reconnected(lambda: self._execute_batch(waiting))
            busy: Busy | None = None
            for name, part in parts.items():
                if isinstance(part, Refusal) and part.status == 401 and not renewed:
                    busy = Busy("the access token ran out in the middle of a batch", 0.0)
                    continue
                outcome = self._meaning(part) if isinstance(part, Refusal) else part
                if isinstance(outcome, Busy):
                    busy = _longer(busy, outcome)
                    faults[name] = outcome
                    continue
                del waiting[name]
                outcomes[name] = outcome if isinstance(outcome, dict | MailboxError) else ConnectFailed(str(outcome))
            if busy is not None:
                if busy.after == 0.0 and not renewed:
                    renewed = True
                    self._authority.renew()
                raise busy

        try:
            self._patience.run(execute)
        except Throttled as error:
            alone = _of_this_alone(error.__cause__)
            for name in waiting:
                fault = faults.get(name)
                broken = alone and _of_this_alone(fault)
                outcomes[name] = Unreadable(str(fault)) if broken else error
        return outcomes

    def _execute(self, request: HttpRequest) -> Answer:
        self._spend(UNITS[request.methodId])
        try:
            answer = request.execute(http=self.transport)
        except HttpError as error:
            raise self._meaning(_refusal(error)) from None
        if isinstance(answer, dict):
            return answer
        if request.methodId in _NO_ANSWER:
            return {}
        # The library gives what is no JSON as it came. Taken for an empty answer, it would lose mail.
        raise Faulty(f"Google, for {self.address}: its answer cannot be read", of_this_alone=True)

    def _execute_batch(self, requests: Mapping[str, HttpRequest]) -> dict[str, Answer | Refusal]:
        self._spend(sum(UNITS[request.methodId] for request in requests.values()))
        parts: dict[str, Answer | Refusal] = {}

        def take(name: str, answer: object, error: HttpError | None) -> None:
            if error is not None:
                parts[name] = _refusal(error)
            elif isinstance(answer, dict):
                parts[name] = answer
            else:
                parts[name] = Refusal(502, frozenset(), "it cannot be read")

        batch = BatchHttpRequest(callback=take, batch_uri=urljoin(self.root, "batch"))
        for name, request in requests.items():
            if request.body is None:
                request.headers = {}  # the batch's own hold for its parts too
            batch.add(request, request_id=name)
        try:
            batch.execute(http=self.transport)
        except BatchError as error:
            raise Faulty("Google's answer to a batch cannot be read") from error
        except HttpError as error:
            raise self._meaning(_refusal(error)) from None
        except (KeyError, ValueError, IndexError, TypeError) as error:  # parts that lack, or are none
            raise Faulty("Google's answer to a batch is not whole") from error
        return parts

    def _spend(self, units: int) -> None:
        longest = longest_wait(_LONGEST_WAIT)
        pause = self.pace.take(self.address, units, longest)
        if pause > longest:
            raise Throttled(f"Google's quota for {self.address} is used up for {pause:.0f} seconds", pause)
        if pause > 0:
            self._sleep(pause)

    def _meaning(self, refusal: Refusal) -> Exception:
        if refusal.is_project_quota:
            self.pace.refused(self.address, refusal.after or _PAUSE_OF_PROJECT, by_project=True)
        elif refusal.is_quota:
            after = _PAUSE_AFTER_QUOTA if refusal.after is None else refusal.after
            self.pace.refused(self.address, min(after, _LONGEST_WAIT))
        error = meaning(refusal, self.address)
        if isinstance(error, Busy) and not refusal.is_quota:
            return Faulty(str(error), error.after, of_this_alone=refusal.status != 503)
        return error

    def _patiently(self, work: Callable[[], _Result]) -> _Result:
        return self._patience.run(work)

    def _reconnected(self, work: Callable[[], _Result]) -> _Result:
        """Does `work`, which must be harmless to repeat, and once more where the connection broke under it."""
        try:
            return work()
        except NotReached:
            raise
        except LineBroke:
            self.transport.close()
        return work()


def _of_this_alone(fault: BaseException | None) -> bool:
    return isinstance(fault, Faulty) and fault.of_this_alone


def _longer(one: Busy | None, other: Busy) -> Busy:
    return other if one is None or (other.after or 0.0) > (one.after or 0.0) else one


def _refusal(error: HttpError) -> Refusal:
    headers = {str(name).lower(): str(value) for name, value in error.resp.items()}
    return read_refusal(int(error.resp.status), headers, error.content or b"", datetime.now(UTC))

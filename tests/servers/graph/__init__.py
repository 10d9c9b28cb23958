"""A stand-in for Microsoft Graph and its login authority: a real HTTP server with mailboxes, for tests.

    with running("t1@school.example") as server:
        server.box("t1@school.example").deliver(mime)

It speaks what https://learn.microsoft.com/graph documents of mail, as strictly as a careful reading allows: what a
client sends that is not documented is answered as an error and kept in `violations`, which fail the test in the end.
"""

from tests.servers.graph.mailbox import Box
from tests.servers.graph.server import GraphServer, running
from tests.servers.graph.wire import Fault, Logged

__all__ = ["Box", "Fault", "GraphServer", "Logged", "running"]

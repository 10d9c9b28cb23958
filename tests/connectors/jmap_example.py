"""The worked example of docs/write-a-connector.md, for tests of ours: its connector, its server, its world."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "jmap"
sys.path += [str(EXAMPLE), str(EXAMPLE / "tests")]  # as its own pytest run has them; behind everything else

from alliance_jmap import JmapMailbox  # noqa: E402
from jmap_server import Account, JmapServer, running  # noqa: E402
from jmap_world import JmapWorld  # noqa: E402

from tests.servers.network import Network  # noqa: E402

__all__ = ["EXAMPLE", "Account", "JmapMailbox", "JmapServer", "JmapWorld", "NetworkedJmapWorld", "running"]


class NetworkedJmapWorld(JmapWorld):
    """The same behind any network."""

    def open(self, through: Network | None = None) -> JmapMailbox:
        url = self.server.url
        if through is not None:
            port = urlsplit(url).port or 0
            url = url.replace(f":{port}", f":{through.before(port, 'http')}")
        return JmapMailbox(self.address, url, "right-token", sleep=self.slept.append)

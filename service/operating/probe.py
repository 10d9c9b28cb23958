"""Asks a health address, for a container's health check: `python -m service.operating.probe URL`. Exits with 0 where it
answers 200, else with 1 and one line. Imports nothing of ours: it runs twice a minute."""

import sys
import urllib.error
import urllib.request

_SECONDS = 8.0


def main(url: str) -> int:
    """The exit status; `url` is the address of /livez or /readyz."""
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - the image's own address
            answer.read()
    except urllib.error.HTTPError as refused:
        print(refused.read(500).decode("utf-8", "replace"))
        return 1
    except OSError as error:
        print(f"{url}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m service.operating.probe URL")
    sys.exit(main(sys.argv[1]))

"""Addresses of pages, for mails."""

from config.settings import Settings


def scorecard_page(settings: Settings) -> str:
    """Where the scorecard is to be seen; empty where the school has no web pages."""
    return f"{settings.web.origin}/scorecard" if settings.web is not None else ""


def item_page(settings: Settings, reference: str) -> str:
    """Where the item with this reference is to be seen; empty where the school has no web pages. Whoever opens it signs
    in first, and comes back to it."""
    return f"{settings.web.origin}/items/{reference}" if settings.web is not None else ""


def queue_page(settings: Settings) -> str:
    """Where the office's list is to be seen; empty where the school has no web pages."""
    return f"{settings.web.origin}/items" if settings.web is not None else ""

"""Labels as the tables keep them."""

from collections.abc import Iterable

from connectors.labels import Label


def words(labels: Iterable[Label]) -> str:
    """Labels for the tables: comma-separated and sorted."""
    return ",".join(sorted(labels))


def labels_from(text: str) -> frozenset[Label]:
    """Labels from the tables."""
    return frozenset(Label(word) for word in text.split(",") if word)

"""The classifier's figures, for people."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from classifier.evaluation import Figures, TagFigures
from classifier.intervals import Interval


def print_figures(console: Console, figures: Figures) -> None:
    """Tables of `figures`: the whole, tag by tag, language by language, and topic by topic."""
    console.print(
        f"{figures.n} messages, {figures.accuracy:.1%} right, macro-F1 {figures.macro_f1:.3f}, "
        f"{figures.messages_per_second:,.0f} messages a second"
    )
    for line in _certainty(figures):
        console.print(line)
    tags = Table(title="By label; on the right, how often it was given which tag", title_justify="left")
    for heading in ("label", "n", "precision", "recall", "f1", *figures.tags):
        tags.add_column(heading, justify="left" if heading == "label" else "right")
    for tag, found in figures.tags.items():
        tags.add_row(tag, *_numbers(found), *map(str, figures.confusion[tag].values()))
    console.print(tags)
    languages = Table(title="By language", title_justify="left")
    for heading in ("language", "n", "macro-F1", "urgent recall"):
        languages.add_column(heading, justify="left" if heading == "language" else "right")
    for code, language in figures.languages.items():
        recall = "–" if language.urgent_recall is None else f"{language.urgent_recall:.3f}"
        languages.add_row(code, str(language.n), f"{language.macro_f1:.3f}", recall)
    console.print(languages)
    if not figures.topics:
        return
    topics = Table(title="By topic", title_justify="left")
    for heading in ("topic", "n", "precision", "recall", "f1"):
        topics.add_column(heading, justify="left" if heading == "topic" else "right")
    for topic, about in figures.topics.items():
        topics.add_row(topic, *_numbers(about))
    console.print(topics)


def _certainty(figures: Figures) -> Iterator[str]:
    """How far the figures and the probabilities can be trusted, a line each."""
    if figures.intervals:
        ranges = {
            "macro-F1": figures.intervals.macro_f1,
            "urgent recall": figures.intervals.urgent_recall,
            "urgent precision": figures.intervals.urgent_precision,
        }
        yield "95 % certain: " + ", ".join(f"{name} {_range(found)}" for name, found in ranges.items() if found)
    errors = (f"{question} {error:.3f}" for question, error in figures.calibration_error.items() if error is not None)
    yield f"Expected calibration error: {', '.join(errors)}; unsure of {figures.unsure_rate:.1%}"
    if figures.pairs:
        yield f"{figures.pairs.n} pairs, both messages right in {figures.pairs.both_right:.1%}"


def _range(interval: Interval) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def _numbers(found: TagFigures) -> tuple[str, ...]:
    return (str(found.n), *(f"{number:.3f}" for number in (found.precision, found.recall, found.f1)))

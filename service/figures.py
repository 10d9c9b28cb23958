"""The classifier's figures, for people."""

from rich.console import Console
from rich.table import Table

from classifier.evaluation import Figures


def print_figures(console: Console, figures: Figures) -> None:
    """Tables of `figures`: the whole, tag by tag, and language by language."""
    console.print(
        f"{figures.n} messages, {figures.accuracy:.1%} right, macro-F1 {figures.macro_f1:.3f}, "
        f"{figures.messages_per_second:,.0f} messages a second"
    )
    tags = Table(title="By label; on the right, how often it was given which tag", title_justify="left")
    for heading in ("label", "n", "precision", "recall", "f1", *figures.tags):
        tags.add_column(heading, justify="left" if heading == "label" else "right")
    for tag, found in figures.tags.items():
        numbers = (f"{number:.3f}" for number in (found.precision, found.recall, found.f1))
        tags.add_row(tag, str(found.n), *numbers, *map(str, figures.confusion[tag].values()))
    console.print(tags)
    languages = Table(title="By language", title_justify="left")
    for heading in ("language", "n", "macro-F1", "urgent recall"):
        languages.add_column(heading, justify="left" if heading == "language" else "right")
    for code, language in figures.languages.items():
        recall = "–" if language.urgent_recall is None else f"{language.urgent_recall:.3f}"
        languages.add_row(code, str(language.n), f"{language.macro_f1:.3f}", recall)
    console.print(languages)

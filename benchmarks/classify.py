"""How fast, how large and how good the classifier is, beside models that anybody would try first.

`python -m benchmarks.classify` gives every contestant the same split of the corpus: all learn from the same messages
and are asked about the same ones that they never saw. Each runs in a process of its own, on one thread. The shipped
model is taken as it is (`alliance train` made it from that split); the others are trained here. scikit-learn and
spaCy's text categorizer get subject and whole body, and answer with the likeliest tag.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

import psutil
from pydantic import BaseModel

from benchmarks import machine
from classifier.evaluation import Figures, figures
from classifier.examples import CORPUS, Example, read_examples
from classifier.verdict import Verdict
from connectors.labels import Tag

Judge = Callable[[Sequence[Example]], list[Tag]]
ROUNDS = 3
LONG_ENOUGH = 300
"""Characters under which a mail is a short one."""


class Result(BaseModel):
    """One contestant. Memory in bytes, of the whole process; speeds in messages a second."""

    figures: Figures
    speed: float
    short_speed: float
    memory: int
    ready: float
    """Seconds from the start of the process until it can judge, training included."""


def ours(learning: Sequence[Example]) -> Judge:
    """The shipped model."""
    del learning
    from classifier import load  # noqa: PLC0415

    classifier = load()
    return lambda asked: [verdict.tag for verdict in classifier.read(example.letter for example in asked)]


def words_and_regression(learning: Sequence[Example]) -> Judge:
    """TF-IDF of word n-grams, logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    return _scikit_learn(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), learning)


def ngrams_and_regression(learning: Sequence[Example]) -> Judge:
    """TF-IDF of word and character n-grams, logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.pipeline import make_union  # noqa: PLC0415

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return _scikit_learn(make_union(words, characters), learning)


def _scikit_learn(features: object, learning: Sequence[Example]) -> Judge:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    model = make_pipeline(features, LogisticRegression(C=10, max_iter=1000))
    model.fit([_text(example) for example in learning], [example.label.value for example in learning])
    return lambda asked: [Tag(tag) for tag in model.predict([_text(example) for example in asked])]


def spacy_textcat(learning: Sequence[Example]) -> Judge:
    """spaCy's textcat, bag of word n-grams, ten rounds."""
    import spacy  # noqa: PLC0415
    from spacy.training import Example as Lesson  # noqa: PLC0415

    architecture = {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": True,
        "ngram_size": 2,
        "no_output_layer": False,
        "length": 262144,
    }
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("xx")
    nlp.add_pipe("textcat", config={"model": architecture})
    lessons = [
        Lesson.from_dict(nlp.make_doc(_text(one)), {"cats": {tag.value: float(tag is one.label) for tag in Tag}})
        for one in learning
    ]
    optimizer = nlp.initialize(lambda: lessons)
    shuffle = random.Random(0)
    for _ in range(10):
        shuffle.shuffle(lessons)
        for start in range(0, len(lessons), 64):
            nlp.update(lessons[start : start + 64], sgd=optimizer)

    def judge(asked: Sequence[Example]) -> list[Tag]:
        return [Tag(max(doc.cats, key=doc.cats.__getitem__)) for doc in nlp.pipe(_text(example) for example in asked)]

    return judge


CONTESTANTS = {
    "alliance": ours,
    "scikit-learn, words": words_and_regression,
    "scikit-learn, words and characters": ngrams_and_regression,
    "spaCy textcat, bag of words": spacy_textcat,
}


def _text(example: Example) -> str:
    return f"{example.subject}\n{example.body}"


def _measure(name: str) -> Result:
    examples = list(read_examples(CORPUS))
    judge = CONTESTANTS[name]([example for example in examples if not example.held_back])
    ready = time.time() - psutil.Process().create_time()
    asked = [example for example in examples if example.held_back]
    tags = judge(asked)
    short = [example for example in examples if len(example.body) < LONG_ENOUGH]
    memory = psutil.Process().memory_info().rss
    verdicts = [Verdict(0, 0, tag, unsure=False, language="") for tag in tags]
    return Result(
        figures=figures(asked, verdicts, seconds=0),
        speed=_speed(judge, asked),
        short_speed=_speed(judge, short),
        memory=memory,
        ready=ready,
    )


def _speed(judge: Judge, asked: Sequence[Example]) -> float:
    best = 0.0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        judge(asked)
        best = max(best, len(asked) / (time.perf_counter() - started))
    return best


def main() -> None:
    """Runs every contestant and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    chosen = parser.parse_args().contestant
    if chosen:
        print(_measure(chosen).model_dump_json())
        return
    print(machine.describe())
    print(f"against   scikit-learn {version('scikit-learn')}")
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    results = {}
    for name in CONTESTANTS:
        command = [sys.executable, "-m", "benchmarks.classify", "--contestant", name]
        output = subprocess.run(command, env=os.environ | threads, stdout=subprocess.PIPE, check=True).stdout
        results[name] = Result.model_validate_json(output.splitlines()[-1])
    _print(results)


def _print(results: dict[str, Result]) -> None:
    print(f"\n{'':36}macro-F1  urgent recall  precision  messages/s  short mails/s  memory  ready after")
    for name, result in results.items():
        urgent = result.figures.tags[Tag.URGENT]
        print(
            f"{name:36}{result.figures.macro_f1:8.3f}{urgent.recall:15.3f}{urgent.precision:11.3f}"
            f"{result.speed:12,.0f}{result.short_speed:15,.0f}{result.memory / 1e6:5,.0f} MB{result.ready:11.1f} s"
        )
    codes = sorted({code for result in results.values() for code in result.figures.languages})
    print(f"\n{'macro-F1 / urgent recall':36}" + "".join(f"{code:>12}" for code in codes))
    for name, result in results.items():
        found = (result.figures.languages[code] for code in codes)
        print(f"{name:36}" + "".join(f"{one.macro_f1:7.2f} /{one.urgent_recall or 0:.2f}" for one in found))


if __name__ == "__main__":
    main()

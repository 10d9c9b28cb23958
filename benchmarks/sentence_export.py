"""Writes all-MiniLM-L6-v2, as it is, for ONNX Runtime: `python -m benchmarks.sentence_export FOLDER`.

Runs in the environment that `make encoder` sets up (build/train), which alone has PyTorch.
"""

import sys
from pathlib import Path
from shutil import copyfile

import torch
from transformers import AutoModel

from classifier.encoder import MODEL, VOCABULARY
from classifier.encoder_training import BASE


class Body(torch.nn.Module):
    """The transformer without a head."""

    def __init__(self) -> None:
        """Starts from `BASE`."""
        super().__init__()
        self.body = AutoModel.from_pretrained(str(BASE), attn_implementation="eager")

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The last layer: (messages, tokens, 384)."""
        types = torch.zeros_like(input_ids)
        return self.body(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=types).last_hidden_state


def main() -> None:
    """Writes model and vocabulary into the folder named on the command line."""
    folder = Path(sys.argv[1])
    ids = torch.tensor([[101, 2009, 2003, 102], [101, 2053, 102, 0]])
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", max=512)
    torch.onnx.export(
        Body().eval(),
        (ids, (ids > 0).long()),
        str(folder / MODEL),
        input_names=["input_ids", "attention_mask"],
        output_names=["states"],
        dynamic_shapes={"input_ids": {0: rows, 1: tokens}, "attention_mask": {0: rows, 1: tokens}},
        dynamo=True,
        external_data=False,
    )
    copyfile(BASE / VOCABULARY, folder / VOCABULARY)


if __name__ == "__main__":
    main()

"""ONNX Runtime tells nobody about the school's machine."""

import os
import subprocess
import sys
from pathlib import Path


def test_loading_the_encoder_leaves_nothing_of_a_telemetry_behind(tmp_path: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    program = "import classifier.encoder, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.strip() == "1"
    assert list(tmp_path.iterdir()) == []

"""Fuzzing that is guided by what it reaches: `python -m tests.hostile.guided mail -max_total_time=600`.

Atheris (https://github.com/google/atheris) follows every branch of our Python and leans towards inputs that reach new
ones; `tests.hostile.fuzz` finds what is slow or large, which no branch tells. Needs the group "fuzz" of pyproject.toml.
What is found is written to `build/fuzz/<target>/`; a mended one goes to `kept/`.
"""

import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

import atheris

_OURS = ["config", "connectors", "classifier", "autoresponder", "scorecard", "service", "store"]
with atheris.instrument_imports(include=_OURS):
    from tests.hostile.targets import TARGETS

_KEPT = Path(__file__).parent / "kept"


def main() -> None:
    """Runs libFuzzer on the target of the first argument; the others are libFuzzer's own."""
    target = TARGETS[sys.argv[1]]
    found, corpus = Path("build/fuzz") / target.name, Path("build/fuzz") / f"{target.name}.corpus"
    for folder in (found, corpus, _KEPT / target.name):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed{number}").write_bytes(seed)
    with NamedTemporaryFile("w", suffix=".dict") as words:
        for word in target.words:
            words.write('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n')
        words.flush()
        usual = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000", f"-dict={words.name}"]
        usual.append(f"-artifact_prefix={found}/")
        atheris.Setup([sys.argv[0], *usual, *sys.argv[2:], str(corpus), str(_KEPT / target.name)], target.read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

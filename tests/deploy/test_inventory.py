"""The licence list and the bill of materials are current, whole, and refuse what may not be distributed."""

import json
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "deploy"))
import inventory  # noqa: E402


def test_the_page_of_licences_is_what_is_installed() -> None:
    """`make licences` writes it."""
    page = (ROOT / "docs" / "reference" / "licences.md").read_text("utf-8")
    assert page == inventory.licences(inventory.packages())


@pytest.mark.parametrize(
    ("said", "expression"),
    [
        (["MIT"], "MIT"),
        (["BSD License"], "BSD-3-Clause"),
        (["GPL-3.0-only OR MIT"], "GPL-3.0-only OR MIT"),
        (["something of our own", "MIT License"], "MIT"),
        (["MPL-2.0 AND MIT"], "MPL-2.0 AND MIT"),
    ],
)
def test_a_licence_that_fits_is_told_by_its_spdx_name(said: list[str], expression: str) -> None:
    assert inventory.licence_of("some-package", said) == expression


@pytest.mark.parametrize(
    "said",
    [["GPL-3.0-only"], ["AGPL-3.0-or-later"], ["MIT AND GPL-2.0-only"], ["SSPL-1.0"], [], ["free for personal use"]],
)
def test_a_licence_that_does_not_fit_or_is_not_known_is_refused(said: list[str]) -> None:
    with pytest.raises(inventory.Unfit, match="some-package"):
        inventory.licence_of("some-package", said)


def test_a_package_that_is_locked_and_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("no-such-package-anywhere==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(inventory, "LOCK", lock)
    with pytest.raises(inventory.Unfit, match="is locked and not installed"):
        inventory.packages()


def test_the_bill_of_materials_is_valid_names_every_locked_package_and_says_the_same_twice() -> None:
    text = inventory.sbom(inventory.packages())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == inventory.sbom(inventory.packages())
    document = json.loads(text)
    locked = dict(inventory._pins((ROOT / "requirements.txt").read_text()))
    assert {each["name"]: each["version"] for each in document["components"]} == {
        name: version for name, (version, _) in locked.items()
    }
    assert all(each["externalReferences"][0]["hashes"] for each in document["components"])
    known = {each["bom-ref"] for each in document["components"]}
    assert {ref for each in document["dependencies"] for ref in each["dependsOn"]} <= known

# ruff: noqa: INP001
"""What is distributed with the service: its locked packages, their licences and hashes.

    python deploy/inventory.py licences > docs/reference/licences.md
    python deploy/inventory.py sbom > dist/alliance-inbox.cdx.json

Licences are read from what is installed, hashes from the lock. Fails where a package is not installed at the locked
version, where its licence is not known, or where the licence does not go with a work under Apache-2.0.
"""

import hashlib
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from license_expression import ExpressionError, Licensing, get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.txt"
NAME = "alliance-inbox"

FITS = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-0",
        "MIT-CMU", "PSF-2.0", "Python-2.0", "Unicode-3.0", "Unlicense", "Zlib", "ZPL-2.1",
    }
)  # fmt: skip
"""Licences that ask for nothing but notices: they go with anything."""
UNCHANGED = frozenset({"LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "LGPL-2.1-only", "MPL-2.0"})
"""Licences whose terms stay with the package's own files. It is installed beside ours as it is and can be replaced:
that is all they ask. Nothing of theirs is copied into ours."""

READ: Mapping[str, str] = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "New BSD License": "BSD-3-Clause",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Unlicense": "Unlicense",
}
"""What authors write who name no SPDX identifier."""

LOOKED_UP: Mapping[str, str] = {"imapclient": "BSD-3-Clause", "uritemplate": "BSD-3-Clause OR Apache-2.0"}
"""By package, where its metadata says nothing clear: what its licence file says."""

_HOST = re.compile(r" ?\([a-z0-9-]+(?:\.[a-z-]+)+\)")
"""A host's name in brackets: which index a package came from is the school's choice."""


@dataclass(frozen=True, slots=True)
class Package:
    """One locked package."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of each of its files that may be installed."""
    licence: str
    """An SPDX expression."""
    summary: str
    requires: tuple[str, ...]
    """Names of the locked packages that it asks for."""

    @property
    def purl(self) -> str:
        """Its address in the manner of package-url."""
        return f"pkg:pypi/{self.name}@{self.version}"


class Unfit(Exception):
    """Something cannot be distributed, or is not known. The text has a line for each."""


def packages() -> list[Package]:
    """Every package of the lock, in order of name. Raises Unfit."""
    pins = dict(_pins(LOCK.read_text(encoding="utf-8")))
    found, faults = [], []
    for name, (version, hashes) in sorted(pins.items()):
        try:
            found.append(_package(distribution(name), version, hashes, set(pins)))
        except PackageNotFoundError:
            faults.append(f"{name} {version} is locked and not installed: `make install`")
        except Unfit as unfit:
            faults.append(str(unfit))
    if faults:
        raise Unfit("\n".join(faults))
    return found


def _pins(lock: str) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    for entry in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]:
        requirement = Requirement(entry.partition("\\")[0].strip())
        marker = requirement.marker
        if marker is None or marker.evaluate():
            (pin,) = requirement.specifier
            yield canonicalize_name(requirement.name), (pin.version, tuple(re.findall(r"sha256:([0-9a-f]{64})", entry)))


def _package(installed: Distribution, version: str, hashes: tuple[str, ...], locked: set[str]) -> Package:
    name = canonicalize_name(installed.name)
    if installed.version != version:
        raise Unfit(f"{name} {version} is locked and {installed.version} is installed: `make install`")
    requires = (Requirement(line) for line in installed.requires or ())
    asked = {canonicalize_name(each.name) for each in requires if each.marker is None or each.marker.evaluate()}
    return Package(
        name=name,
        version=version,
        hashes=hashes,
        licence=licence_of(name, _said(installed)),
        summary=" ".join(_HOST.sub("", str(installed.metadata.get("Summary", ""))).split()),
        requires=tuple(sorted(asked & locked)),
    )


def _said(installed: Distribution) -> list[str]:
    """What a package's metadata says of its licence, the clearest first."""
    told = installed.metadata
    short = str(told.get("License", "")).strip()
    classifiers = [
        line.rpartition(" :: ")[2] for line in told.get_all("Classifier", []) if line.startswith("License :: OSI")
    ]
    classifiers = [line for line in classifiers if line != "OSI Approved"]
    return [each for each in (str(told.get("License-Expression", "")), *_one_line(short), *classifiers) if each]


def _one_line(text: str) -> Iterable[str]:
    return () if "\n" in text or len(text) > 100 else (text,)


def licence_of(name: str, said: Iterable[str]) -> str:
    """The SPDX expression of a licence by what was `said` of it. Raises Unfit where that is not clear, or does not go
    with Apache-2.0."""
    spdx = _spdx()
    for each in [LOOKED_UP[name]] if name in LOOKED_UP else said:
        try:
            parsed = spdx.parse(READ.get(each, each), validate=True, strict=True)
        except ExpressionError:
            continue
        if parsed is not None and _fits(parsed):
            return str(parsed)
        raise Unfit(f"{name}: {each} does not go with a work under Apache-2.0")
    raise Unfit(f"{name}: its licence is not clear; read its licence file and add it to LOOKED_UP")


@cache
def _spdx() -> Licensing:
    return get_spdx_licensing()


def _fits(parsed: object) -> bool:
    """Whether one may distribute under it: with OR, one of the licences is enough; with AND, each has to fit."""
    arguments = getattr(parsed, "args", ())
    kind = type(parsed).__name__
    if kind == "LicenseWithExceptionSymbol":
        return _fits(parsed.license_symbol)  # type: ignore[attr-defined]
    if arguments and kind in {"OR", "AND"}:
        return (any if kind == "OR" else all)(map(_fits, arguments))
    return str(parsed) in FITS | UNCHANGED


def licences(found: Iterable[Package]) -> str:
    """The page."""
    lines = [
        "# Licences of what is installed",
        "",
        "Alliance Inbox is under the [Apache License 2.0](../../LICENSE). With every extra, an installation brings",
        "these packages from the package index, as `requirements.txt` locks them; none is part of our own wheel.",
        "`make licences` writes this page, and refuses what does not go with Apache-2.0.",
        "",
        "Our own wheel carries two works of others: [htmx](../../service/web/static/htmx.LICENSE.txt)",
        "(0BSD), unchanged, and an encoder that began as all-MiniLM-L6-v2 (Apache-2.0) and was",
        "[trained further](../../classifier/README.md).",
        "",
        "| package | version | licence | what it is |",
        "|---|---|---|---|",
    ]
    lines += [f"| {each.name} | {each.version} | {each.licence} | {each.summary.replace('|', '/')} |" for each in found]
    return "\n".join(lines) + "\n"


def sbom(found: Iterable[Package]) -> str:
    """A software bill of materials (CycloneDX 1.6, ECMA-424). The same lock, the same bytes."""
    some = list(found)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    root = f"pkg:pypi/{NAME}@{version}"
    by_name = {each.name: each.purl for each in some}
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, root + digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": NAME,
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [_component(each) for each in some],
        "dependencies": [
            {"ref": root, "dependsOn": sorted(by_name.values())},
            *({"ref": each.purl, "dependsOn": [by_name[name] for name in each.requires]} for each in some),
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _component(package: Package) -> dict[str, object]:
    files = [{"alg": "SHA-256", "content": digest} for digest in package.hashes]
    return {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "description": package.summary,
        "licenses": [{"expression": package.licence}],
        "externalReferences": [{"type": "distribution", "url": package.purl, "hashes": files}],
    }


def main(what: str) -> int:
    """Prints one of the two. Returns the exit status."""
    try:
        found = packages()
    except Unfit as unfit:
        print(unfit, file=sys.stderr)
        return 1
    sys.stdout.write({"licences": licences, "sbom": sbom}[what](found))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in {"licences", "sbom"}:
        sys.exit("usage: python deploy/inventory.py licences|sbom")
    sys.exit(main(sys.argv[1]))

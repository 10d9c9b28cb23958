"""Where and with what a benchmark ran, so that its figures can be compared with others'."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path


def describe() -> str:
    """The machine and the versions of everything that takes part, a line each."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in ("alliance-inbox", "spacy", "fast-mail-parser"))
    lines = [
        f"machine   {_processor()}, {os.cpu_count()} cores, {memory:.0f} GB memory, {platform.platform()}",
        f"ours      {packages}, Python {platform.python_version()}",
    ]
    for name, command in (("server", ("dovecot", "--version")), ("beside", ("mbsync", "--version"))):
        program = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/usr/local/sbin")
        if program:
            said = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=True).stdout.strip()
            lines.append(f"{name:9} {said if command[0] in said else f'{command[0]} {said}'}")
    return "\n".join(lines)


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*:\s*(.+)", told.read_text()) if told.exists() else None
    return named[1].strip() if named else platform.machine()

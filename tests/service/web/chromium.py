"""A headless Chromium that reaches the pages at their public address, over TLS, without leaving this machine."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.servers.certificates import make_certificates
from tests.servers.required import required

HOST = "inbox.maple.example"
PATIENCE = 30.0


@contextmanager
def served(app: FastAPI, folder: Path) -> Iterator[int]:
    """Serves the application over TLS, as the school's proxy would, and yields the port."""
    made = make_certificates(folder / "tls")
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, lifespan="off", ssl_certfile=str(made.certificate), ssl_keyfile=str(made.key)
        )
    )
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        sock.close()


@contextmanager
def chromium(port: int, folder: Path, *, dark: bool = False, scripts: bool = True) -> Iterator[Any]:
    """One browser with a profile of its own. It takes `HOST` for this machine, and knows no other."""
    driver, browser = required("chromedriver", "chromium-driver"), required("chromium", "chromium")
    options = Options()
    options.binary_location = str(browser)
    folder.mkdir(parents=True, exist_ok=True)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--ignore-certificate-errors",
        "--lang=en",
        f"--user-data-dir={folder}",
        f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    settings: dict[str, object] = {"intl.accept_languages": "en"}
    if not scripts:
        settings["profile.managed_default_content_settings.javascript"] = 2
    options.add_experimental_option("prefs", settings)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(executable_path=str(driver)))
    started.set_page_load_timeout(PATIENCE)
    if dark:
        features = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        started.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    try:
        yield started
    finally:
        started.quit()

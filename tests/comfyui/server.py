"""A ComfyUI server on this machine, with a copy of this pack in a base folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from .client import get_json

ROOT = Path(__file__).resolve().parents[2]
PACK = "ComfyUI-CLIP-Grid"
#: Nodes that read models, heads or pictures of the user: a workflow with one of these does not run by itself.
OWN_FILES = ("CheckpointLoaderSimple", "ClipGrid_CLIPLoRA", "ClipGrid_LearnFromFolder", "ClipGrid_LoadHead")
#: No requests to model hubs: a missing file is an error at once.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}


@dataclass(kw_only=True)
class Server:
    """A server that can be stopped and started again at the same address."""

    comfyui: Path
    python: Path
    base: Path
    log: Path
    flags: Sequence[str] = ()
    front_end_root: Path | None = None
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, timeout_s: float = 240) -> None:
        """Start and wait until nodes are registered; raises RuntimeError with the end of the log if that fails."""
        self.port = self.port or free_port()
        command = [self.python, self.comfyui / "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(self.port)]
        command += ["--disable-auto-launch", "--disable-api-nodes", "--base-directory", self.base, *self.flags]
        if self.front_end_root:
            command += ["--front-end-root", self.front_end_root]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.comfyui, env=os.environ | OFFLINE
            )
        end = time.monotonic() + timeout_s
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"ComfyUI does not start; the end of {self.log}:\n{self.log_text()[-3000:]}")
            time.sleep(0.2)

    def answers(self) -> bool:
        """Whether the server answers."""
        try:
            return bool(get_json(f"{self.address}/object_info", timeout_s=60))
        except (URLError, ConnectionError, TimeoutError):
            return False

    def stop(self) -> None:
        """Terminate the server; kill it if it does not end."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(15)
        self.process = None

    def log_text(self) -> str:
        """The log so far."""
        return self.log.read_text("utf-8", errors="replace")

    def ask(self, path: str) -> Any:
        """The JSON answer to a GET."""
        return get_json(self.address + path)


def make_base(folder: Path) -> None:
    """Make the folders that ComfyUI expects, with this pack as if it were cloned."""
    for name in ("custom_nodes", "input", "output", "temp", "user", "models"):
        (folder / name).mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            copy = folder / "custom_nodes" / PACK / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy)


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def runs_alone(workflow: Path) -> bool:
    """Whether a workflow, in either format, needs no file of the user."""
    text = workflow.read_text("utf-8")
    return not any(f'"{node}"' in text for node in OWN_FILES)

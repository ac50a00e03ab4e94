"""`web` in a test: a server process for one run, whose supervisor is the test itself."""

import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from conftest import PATIENCE_S, until

from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord, encode_record
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.identity import identify
from timellm_ops.process.records import SupervisorRecord, write_record

RUN_ID = "20260131-214503-etth1-7f3a"


@dataclass
class Served:
    """A server for one run, whose supervisor is this test."""

    process: subprocess.Popen[bytes]
    address: str
    listener: socket.socket
    layout: RunLayout

    @property
    def base(self) -> str:
        return self.address.split("/?")[0]

    @property
    def sessions(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def requests(self) -> int:
        """How many have come to the supervisor since the last call."""
        count = 0
        while True:
            try:
                self.listener.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


def make_run(folder: Path, run_id: str = RUN_ID) -> RunLayout:
    """A run in training, with a config and a journal."""
    layout = RunLayout(folder / "runs" / run_id)
    layout.root.mkdir(parents=True)
    layout.config.write_text('[data]\ndataset = "ETTh1"\n', encoding="utf-8")
    now, t = datetime.now(UTC), time.monotonic()
    events: tuple[ev.Event, ...] = (
        ev.RunStarted(run_id=run_id, name="etth1", engine="timellm", gpu="none", supervisor_pid=1,
                      at=now, t=t),
        ev.TrainingStarted(epochs=3, steps_per_epoch=100, batch_size=8, train_samples=800,
                           vali_samples=80, test_samples=80, frozen_parameters=1000, patience=3,
                           trainable_parameters=1000, backbone="embedded", device="cpu",
                           at=now, t=t),
        ev.Progress(iteration=42, epoch=1, loss=0.4242, seconds_per_iteration=0.5, at=now, t=t),
    )  # fmt: skip
    records = [JournalRecord(seq=i, event=event) for i, event in enumerate(events, 1)]
    layout.journal.write_bytes(b"".join(map(encode_record, records)))
    return layout


def serve(folder: Path, *arguments: str) -> Served:
    layout = make_run(folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s"))
    listener.listen()
    listener.setblocking(False)
    me = identify(os.getpid())
    assert me is not None
    write_record(layout.supervisor_process, SupervisorRecord(process=me, socket=str(folder / "s")))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TIMELLM_")}
    env = {
        **kept,
        "TIMELLM_RUNS_DIR": str(layout.root.parent),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "LC_ALL": "C.UTF-8",
    }
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "timellm_ops.cli", "web", *arguments],
            env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    until(lambda: process.poll() is not None or b"until Ctrl+C" in output.read_bytes(), "a server")
    address = output.read_text().splitlines()[0]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address), address
    return Served(process, address, listener, layout)


def end(served: Served) -> None:
    left = served.sessions if served.process.poll() is None else []
    for process in left:
        process.kill()
    served.process.kill()
    served.process.wait(PATIENCE_S)
    served.listener.close()

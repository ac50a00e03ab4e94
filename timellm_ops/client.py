"""A client's view of one run: its journal, whether it is supervised, and where to ask."""

from collections.abc import Iterator
from pathlib import Path

from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.contract.events import JournalRecord, RunEnded
from timellm_ops.contract.layout import RunLayout
from timellm_ops.control_socket import SupervisorGone, send_request
from timellm_ops.journal import JournalFollower, newest_record
from timellm_ops.process.records import SupervisorRecord, read_living


class RunClient:
    """Follows a run and passes requests to its supervisor. Never touches the run itself."""

    def __init__(self, layout: RunLayout) -> None:
        self.layout = layout
        self._follower = JournalFollower(layout.journal)

    def poll(self) -> list[JournalRecord]:
        """The records that are new since the last call, a long backlog in pieces: only an empty
        answer means that nothing is left."""
        return self._follower.poll()

    def all(self) -> Iterator[JournalRecord]:
        """What there is by now, from where the last call ended."""
        while records := self.poll():
            yield from records

    def damaged(self) -> int:
        """How many lines of what was read are damaged, and were skipped."""
        return self._follower.damaged

    def supervised(self) -> bool:
        """Whether the supervisor that took charge of this run lives."""
        return self._supervisor() is not None

    def send(self, request: AnyRequest) -> Reply:
        """Ask the supervisor. A supervisor that is gone is an answer, `ok=False`, not an error."""
        supervisor = self._supervisor()
        if supervisor is None:
            return Reply(ok=False, message=f"no supervisor: {_attach(self.layout)}")
        pid = supervisor.process.pid
        by_signal = f"`kill -INT {pid}` saves and stops the run"
        hung = f"one that hangs is replaced: `kill -KILL {pid}`, then {_attach(self.layout)}"
        if not supervisor.socket:
            return Reply(ok=False, message=f"the supervisor has no socket; {by_signal}")
        try:
            return send_request(Path(supervisor.socket), request)
        except SupervisorGone as gone:
            newest = newest_record(self.layout.journal)
            if newest is not None and isinstance(newest.event, RunEnded):
                text = f"the run has ended already: {newest.event.reason}"
                return Reply(ok=False, message=text)
            if self.supervised():
                text = f"{gone}, though the supervisor lives: try again, or {by_signal}; {hung}"
                return Reply(ok=False, message=text)
            return Reply(ok=False, message=f"{gone}; {_attach(self.layout)}")

    def _supervisor(self) -> SupervisorRecord | None:
        return read_living(self.layout.supervisor_process, SupervisorRecord)


def _attach(layout: RunLayout) -> str:
    return f"timellm-ops attach {layout.run_id} starts one"

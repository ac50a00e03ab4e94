"""What the supervisor asks of an engine's output, whoever the engine is."""

from typing import Protocol

from timellm_ops.contract.events import CheckpointWriting, Event


class EngineStream(Protocol):
    """The events of an engine, as it leaves them in a file of its own."""

    def poll(self) -> list[tuple[Event, int]]:
        """The new events, in order, up to the end of the file.

        Each comes with the bytes of the file that are accounted for once it is journaled
        (`JournalRecord.engine_offset`); no two have the same. Never waits, and never raises for a
        file that is missing, growing or torn.
        """
        ...

    def finish(self) -> list[tuple[Event, int]]:
        """What is left once the engine is gone: a last line without a line end included."""
        ...


class CheckpointWatch(Protocol):
    """Finds out when a checkpoint that was announced is really on disk."""

    @property
    def pending(self) -> bool:
        """Whether a checkpoint is announced and not yet found."""
        ...

    def expect(self, event: CheckpointWriting) -> None:
        """The engine has said that it is about to write this checkpoint."""
        ...

    def went_on(self, event: Event) -> None:
        """The engine has said something else since."""
        ...

    def engine_left(self) -> None:
        """The engine is gone: what is on disk now is all there will be."""
        ...

    def poll(self, now_t: float) -> list[Event]:
        """What has been found out by monotonic second `now_t`. Never waits."""
        ...

    def quiet(self) -> bool:
        """Whether, at this moment, no checkpoint is being written. To be asked while the engine
        stands, or the answer is old when it comes."""
        ...


class NoWatch:
    """The watch of an engine that tells of its own checkpoints once they are durable."""

    pending = False

    def expect(self, event: CheckpointWriting) -> None:
        """Nothing to do: `CheckpointSaved` will come in the stream."""

    def went_on(self, event: Event) -> None:
        """Nothing to do."""

    def engine_left(self) -> None:
        """Nothing to do."""

    def poll(self, now_t: float) -> list[Event]:  # noqa: ARG002
        """Nothing, always."""
        return []

    def quiet(self) -> bool:
        """Our own engine is never stopped while it writes."""
        return True

"""The probe of a run that was told to look at no GPU."""

from timellm_ops.probe.protocol import Reading


class NoProbe:
    """Never has anything to say."""

    source = "none"

    def poll(self, now_t: float) -> Reading | None:  # noqa: ARG002
        """Nothing, always."""
        return None

    def limit_power(self, limit_w: float) -> None:
        """There is nothing to limit."""

    def close(self) -> None:
        """Nothing to let go of."""

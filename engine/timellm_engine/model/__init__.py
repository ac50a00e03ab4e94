"""The function: from a window of the scaled series to its forecast, and the frozen backbone."""

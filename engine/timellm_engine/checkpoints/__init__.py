"""Where a run stands, on disk: whole or not there; and weights that leave the run or come in."""

"""Many runs: their list, and some of them side by side. Pure."""

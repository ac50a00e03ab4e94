"""The optional packages of small cards, which not every machine has."""

from importlib.util import find_spec

import pytest

from timellm_ops.contract.small_cards import EXTRA, PACKAGES

needs_packages = pytest.mark.skipif(
    any(find_spec(package) is None for package in PACKAGES), reason=f"needs {EXTRA}"
)

"""Compare the engine's model with reference tensors of the published code.

    python benchmarks/parity.py CASE_DIR... [--device cuda] [--given-prompts]

Prints for each case the largest relative error (largest absolute difference of a tensor over the
largest absolute value of its reference) of the outputs in both padding modes, the loss, all
gradients and the losses of the steps of Adam, and whether prompt texts and token ids are exact.
Exits 1 where an error is above 1e-4 or a prompt differs, 2 where a folder is no case. What the
folders hold is described in `timellm_engine.model.parity`, where the comparison is.
"""

import argparse
import sys
from pathlib import Path

from timellm_engine.errors import BackboneError
from timellm_engine.model.parity import TOLERANCE, CaseError, Parity, compare, load_case


def report(parity: Parity) -> str:
    """A case as a few lines of text."""
    lines = [f"{parity.case}: {'passed' if parity.passed else 'FAILED'}"]
    for what, error in parity.errors.items():
        where = f"  worst: {parity.worst_gradient}" if what == "gradients" else ""
        lines.append(f"  {what:<30} {error:.1e}{where}")
    for what, exact in (("texts", parity.prompts_exact), ("token ids", parity.ids_exact)):
        lines.append(f"  {'prompt ' + what:<30} {'exact' if exact else 'DIFFERENT'}")
    return "\n".join(lines)


def main() -> int:
    """Compare every case that was named, even after one that failed."""
    parser = argparse.ArgumentParser(description="Compare the model with reference tensors.")
    parser.add_argument("cases", nargs="+", type=Path, metavar="CASE_DIR")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--given-prompts", action="store_true", help="the case's own: last digits are a processor's"
    )
    asked = parser.parse_args()
    failed = []
    for folder in asked.cases:
        try:
            parity = compare(load_case(folder, asked.device), given_prompts=asked.given_prompts)
        except (CaseError, BackboneError) as error:
            print(error, file=sys.stderr)
            return 2
        print(report(parity), flush=True)
        if not parity.passed:
            failed.append(parity.case)
    print(f"tolerance {TOLERANCE:g}: {'failed: ' + ', '.join(failed) if failed else 'all passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Keys of `[policy]`, which are all that can be changed under a run."""

from collections.abc import Sequence

from timellm_ops.contract.suggestion import close_to, did_you_mean, meant
from timellm_ops.contract.validation import all_keys


def fault_of(key: str) -> tuple[str, str] | None:
    """What is wrong with `key` as one of a rule, and what would be right; `None`: it is one."""
    known = [known for known in all_keys() if known.startswith("policy.")]
    if key in known:
        return None
    of_rule = [name for name in known if name.startswith(f"{key.rpartition('.')[0]}.")]
    rule_first = "." in key and not key.startswith("policy.")
    whole = close_to(f"policy.{key}", known) if rule_first else None
    same_end = [name for name in known if name.endswith(f".{key.rpartition('.')[2]}")]
    if key in all_keys():
        return "which is fixed while the run lasts", f"a key such as {known[1]}"
    if any(name.startswith(f"{key}.") for name in known):
        return "which is a whole rule", f"one of its keys: {_ends(known, key)}"
    if whole is not None:
        expected = did_you_mean(whole)
    elif len(same_end) == 1:
        expected = did_you_mean(same_end[0])
    elif key.count(".") > 1 and of_rule:
        expected = meant(key, of_rule)
    else:
        expected = f"policy.RULE.KEY, of one of the rules {', '.join(_rules(known))}"
    return "which is no key of a rule", expected


def _ends(known: Sequence[str], rule: str) -> str:
    return ", ".join(n.removeprefix(f"{rule}.") for n in known if n.startswith(f"{rule}."))


def _rules(known: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.split(".")[1] for name in known))

"""What is said of arguments that do not make a command."""

from cyclopts import CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError


def usage_problem(error: CycloptsError) -> str:
    """One line: what was found, what would be right, and where all of it is explained."""
    command = " ".join(error.command_chain or ())
    asked = f"timellm-ops {command} --help".replace("  ", " ")
    return f"{_problem(error, command)} ({asked} has more)"


def _problem(error: CycloptsError, command: str) -> str:
    match error:
        case MissingArgumentError() if error.argument is not None:
            about = error.argument.parameter.help or ""
            about = about if about.endswith("...") else about.removesuffix(".")
            name = error.argument.name
            missing = "needs a value"
            if name not in (error.root_input_tokens or ()):  # one that is known by its place
                name, missing = name.lstrip("-").upper(), "is missing"
            return f"{command}: {name} {missing}: {_lower(about)}"
        case UnusedCliTokensError() if error.unused_tokens:
            return f'{command}: found "{" ".join(error.unused_tokens)}"; expected nothing there'
        case _:
            return " ".join(str(error).split()).removesuffix(".")


def _lower(text: str) -> str:
    """As the middle of a sentence, unless it begins with a name such as TOML."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]

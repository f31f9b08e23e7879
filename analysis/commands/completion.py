"""Print what lets bash complete `analysis` and `python -m analysis`: . <(python -m analysis completion)"""

import argparse

from analysis import __main__ as program

SCRIPT = """\
_c10k_analysis() {{
    local at=1 words=
    case ${{COMP_WORDS[0]##*/}} in python*)
        [ "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" = "-m analysis" ] || return
        at=3 ;;
    esac
    if [ "$COMP_CWORD" = $at ]; then words="{commands}"; else case ${{COMP_WORDS[$at]}} in
{options}
    esac; fi
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[$COMP_CWORD]}}"))
}}
complete -o default -F _c10k_analysis analysis python python3
"""


def setup_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(_options: argparse.Namespace) -> int:
    lines = [f"        {name}) words='{' '.join(options_of(name))}' ;;" for name in program.COMMANDS]
    print(SCRIPT.format(commands=" ".join(program.COMMANDS), options="\n".join(lines)), end="")
    return 0


def options_of(command: str) -> list[str]:
    """The long options of a command."""
    (commands,) = (action for action in program.parser([command])._actions if action.choices)
    known = dict(commands.choices or {})[command]._option_string_actions
    return sorted(name for name in known if name.startswith("--"))

"""No text of a host, an event or a file is executed by the terminal: one hostile string at each door."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from contracts.visible import MOST_OF_A_LINE
from plugins.callback import c10k_visible
from plugins.callback.c10k_visible import CallbackModule as Visible
from plugins.callback.c10k_way_out import CallbackModule as WayOut
from tests import line

ESC, CR, BEL, C1, BIDI = "\x1b]0;owned\x07\x1b[2J", "\rok: all is well", "\a", "\x9b31m\x85", "\u202e\u2066\u200f"
HOSTILE = f"{ESC}{CR}{BEL}{C1}{BIDI}"
EXECUTED = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066, 0x200F, 0x2028)]
"""What a terminal acts on, but for the ends of our own lines."""
LIBRARY = "#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\n"
MODULE = (
    LIBRARY
    + """
module = AnsibleModule(argument_spec={"how": {"type": "str"}, "text": {"type": "str"}})
text = module.params["text"].encode().decode("unicode_escape")
module.warn("warned: " + text)
if module.params["how"] == "fail":
    module.fail_json(msg="failed: " + text, more=[text])
if module.params["how"] == "garbage":
    print(text)
    raise SystemExit(text)
module.exit_json(changed=True, msg="done: " + text, diff={"before": text, "after": ""}, keys=[text])
"""
)
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  ignore_errors: true
  tasks:
    - {name: Succeed, hostile: {how: succeed, text: TEXT}}
    - {name: Fail, hostile: {how: fail, text: TEXT}}
    - {name: Talk nonsense, hostile: {how: garbage, text: TEXT}}
"""


@pytest.mark.parametrize("text", ["\x1b[0;30m", "\x1b[0;37m", "\x1b[0;42m", "\x1b[8m", "\x1b[1;31;41m"])
def test_no_colour_hides_what_follows(text: str) -> None:
    assert "\x1b" not in c10k_visible.shown(f"{text}[ERROR]: not restored")
    assert c10k_visible.shown("\x1b[0;32m+ 1\x1b[0m") == "\x1b[0;32m+ 1\x1b[0m"


def is_harmless(text: str) -> bool:
    return not [sign for sign in EXECUTED if sign in text]


@pytest.mark.parametrize("more", [(), ("-vvv", "--diff")])
def test_a_module_cannot_reach_the_terminal_through_ansible(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Its message, warning, difference and what is no answer at all; as Ansible's own callback shows them."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library/hostile.py").write_text(MODULE)
    text = HOSTILE.encode("unicode_escape").decode()
    (tmp_path / "play.yml").write_text(PLAYBOOK.replace("TEXT", f"'{text}'"))
    words = ["-i", "localhost,", "-M", str(tmp_path / "library"), "-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        [line.BIN / "ansible-playbook", *words, *more, tmp_path / "play.yml"],
        cwd=line.ROOT, env=line.environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    shown = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, shown
    assert "failed: \\u001b]0;owned" in shown, shown
    assert "warned: \\u001b]0;owned" in shown, shown
    assert is_harmless(shown), shown


def test_ansibles_own_colours_stay() -> None:
    assert c10k_visible.shown("\x1b[0;32m+a\x1b[0m\x1b[2J") == "\x1b[0;32m+a\x1b[0m\\u001b[2J"


@pytest.mark.parametrize("speak", ["say", "complain"])
def test_the_conductor_says_nothing_that_a_terminal_executes(speak: str) -> None:
    code = f"import sys; from conductor.output import {speak}; {speak}(sys.argv[1]); {speak}('x' * (1 << 20))"
    said = spoken(code, f"client1: {HOSTILE}")
    assert "owned" in said and is_harmless(said)
    assert "characters more" in said and len(said) < 2 * MOST_OF_A_LINE


def test_the_last_words_of_a_playbook_are_harmless_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from ansible import context

    monkeypatch.setattr(context, "CLIARGS", {"inventory": [f"/inv{HOSTILE}"]})
    last = WayOut()
    monkeypatch.setattr(last._display, "display", last._display.display)  # as it was, for the tests that follow
    Visible()
    last.tuned = {f"host{HOSTILE}": True}
    last.say()
    last.is_over = True
    assert "owned" in (said := capfd.readouterr().err) and is_harmless(said)


def test_a_host_that_was_not_to_be_tuned_is_not_said_to_be() -> None:
    last = WayOut()
    task, host = SimpleNamespace(action="c10k_kernel", args={}, check_mode=False), SimpleNamespace(get_name=lambda: "h")
    last.v2_playbook_on_task_start(task)
    last.v2_runner_on_start(host, task)
    assert last.tuned
    last.v2_runner_on_skipped(SimpleNamespace(task=task, host=host))
    assert not last.tuned


def test_the_table_of_the_doctor_is_harmless() -> None:
    code = (
        "import sys; from conductor.doctor import show; t = sys.argv[1]; show([dict.fromkeys(sys.argv[2].split(), t)])"
    )
    said = spoken(code, HOSTILE, "host what need have sentence verdict")
    assert "owned" in said and is_harmless(said)


def test_this_test_finds_what_it_looks_for() -> None:
    assert not is_harmless(spoken("import sys; sys.stdout.write(sys.argv[1])", HOSTILE))


def spoken(code: str, *words: str) -> str:
    """All that a program of ours writes on stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=line.ROOT, env={**os.environ, "PYTHONUTF8": "1"}, check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout.decode()


def test_what_is_shown_is_in_a_pipe_at_once(tmp_path: Path) -> None:
    """A task that never ends but for its reader: it waits until what it said has come out at the other end."""
    (tmp_path / "one.yml").write_text(
        "- {hosts: localhost, connection: local, gather_facts: false, tasks: [{name: Wait, waits: {}}]}\n"
    )
    actions = tmp_path / "action_plugins"
    actions.mkdir()
    (actions / "waits.py").write_text(
        "from pathlib import Path\nfrom time import monotonic, sleep\nfrom ansible.plugins.action import ActionBase\n"
        "class ActionModule(ActionBase):\n"
        "    _requires_connection = False\n"
        "    def run(self, tmp=None, task_vars=None):\n"
        "        super().run(tmp, task_vars)\n"
        "        self._display.display('is it heard?')\n"
        "        until = monotonic() + 60\n"
        f"        while not Path({str(tmp_path / 'heard')!r}).exists() and monotonic() < until: sleep(0.05)\n"
        f"        return {{'failed': not Path({str(tmp_path / 'heard')!r}).exists()}}\n"
    )
    environment = {name: value for name, value in line.environment().items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [str(line.BIN / "ansible-playbook"), str(tmp_path / "one.yml")], cwd=line.ROOT, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout
    for said in process.stdout:
        if "is it heard?" in said:
            (tmp_path / "heard").touch()
    assert process.wait(60) == 0

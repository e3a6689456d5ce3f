"""The command line as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from synthhost.cli.app import COMMANDS, make_app


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_has_help(entry: object) -> None:
    name = getattr(entry, "name", "")
    answer = CliRunner().invoke(make_app(name), [name, "--help"])
    assert answer.exit_code == 0
    assert "Usage" in answer.output
    assert "--help" in answer.output


def test_the_help_names_every_command_without_importing_one() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from synthhost.cli.app import make_app; "
        "print(CliRunner().invoke(make_app(None), ['--help']).output); "
        "sys.exit('torch' in sys.modules or 'pydantic' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert all(entry.name in answer.stdout for entry in COMMANDS)


def test_sending_osc_needs_no_torch() -> None:
    program = "import sys; import synthhost.cli.osc_cmd; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_unknown_command_is_an_error_that_says_so() -> None:
    answer = CliRunner().invoke(make_app("lvie"), ["lvie"])
    assert answer.exit_code == 2
    assert "lvie" in answer.output

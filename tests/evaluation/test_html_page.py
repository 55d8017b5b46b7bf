import pytest

from kftune.evaluation.html_page import (
    PNG_SIGNATURE,
    drawing,
    element,
    picture,
    table,
    write_page,
)
from tests.evaluation.page_reader import PageReader

SVG = """<svg xmlns="http://www.w3.org/2000/svg"
 xmlns:xlink="http://www.w3.org/1999/xlink"><metadata>by</metadata>
 <defs><clipPath id="p"><rect width="1"/></clipPath></defs>
 <g id="g" clip-path="url(#p)"><use xlink:href="#g"/><text>url(#p) &lt;b&gt;</text></g>
</svg>"""


@pytest.fixture
def write(tmp_path):
    def write(*parts):
        write_page(tmp_path / "page.html", "A & B", parts)
        return (tmp_path / "page.html").read_text("utf-8")

    return write


def test_texts_and_attributes_are_escaped(write):
    text = write(element("p", "1 < 2 & ", element("b", "3"), "<i>", title='"<'))
    assert "<title>A &amp; B</title>" in text
    assert '<p title="&quot;<">1 &lt; 2 &amp; <b>3</b>&lt;i&gt;</p>' in text
    assert text.startswith("<!DOCTYPE html>\n")


def test_the_browser_is_told_to_fetch_nothing(write):
    text = write()
    assert 'http-equiv="Content-Security-Policy"' in text
    assert "default-src 'none'" in text


def test_a_drawing_keeps_its_ids_to_itself(write):
    text = write(drawing(SVG, "one", "a-"), drawing(SVG, "two", "b-"))
    page = PageReader(text)
    assert page.ids == ["a-p", "a-g", "b-p", "b-g"]
    assert 'clip-path="url(#a-p)"' in text and 'href="#b-g"' in text
    assert "<text>url(#p) &lt;b&gt;</text>" in text
    assert "metadata" not in page.tags and "xmlns" not in text
    assert page.alternatives == ["one", "two"]


def test_tables_and_pictures(write):
    rows = [["a", "1"], ["b", "2"]]
    made = table(["", "run"], rows, caption="all", marked={1})
    text = write(made, picture(PNG_SIGNATURE, "dots"))
    page = PageReader(text)
    assert page.tables[""] == [["", "run"], *rows]
    assert page.marked == ["b"]
    assert "<caption>all</caption>" in text
    assert "data:image/png;base64,iVBORw0KGgo=" in text


def test_a_page_that_cannot_be_written_leaves_the_old_one(write, tmp_path):
    before = write()
    with pytest.raises(TypeError):
        write(element("p", title=3))
    assert (tmp_path / "page.html").read_text("utf-8") == before
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]

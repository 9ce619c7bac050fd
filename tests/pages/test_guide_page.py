import re

from conftest import PROJECT
from stridednet.conv2d.measured import read_measured
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.pages import claims, guide


def test_the_links_within_the_docs_page_are_valid() -> None:
    names = [parameter.name for parameter in PARAMETERS]
    page = (PROJECT / "docs" / "conv2d.md").read_text()
    assert re.findall(r"\]\(#(\w+)\)", page) == re.findall(r"^## (\w+)$", page, re.MULTILINE) == names


def test_the_links_to_the_claims_are_valid() -> None:
    headings = re.findall(r"^## (\w+)$", "\n".join(claims.markdown()), re.MULTILINE)
    assert headings == [claim.name for claim in read_measured()]
    linked = re.findall(r"\]\(claims\.md#(\w+)\)", "\n".join(guide.markdown(None)))
    assert set(linked) <= set(headings)
    assert len(linked) >= len(PARAMETERS)


def test_the_page_of_the_claims_has_every_verdict() -> None:
    page = " ".join(" ".join(line.plain for line in guide.claims(88)).split())
    for claim in read_measured():
        for row in claim.measurements:
            if row.expected:
                assert f"claim ({row.expected}): {row.verdict}" in page

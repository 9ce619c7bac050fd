import json
import re

from conftest import PROJECT
from stridednet.conv2d.measured import read_measured
from stridednet.conv2d.parameters import PARAMETERS
from stridednet.pages import claims, guide
from stridednet.pages.sentences import sentence


def _plain(lines: object) -> str:
    return " ".join(" ".join(line.plain for line in lines).split())  # type: ignore[attr-defined]


def test_the_links_within_the_docs_page_are_valid() -> None:
    names = [parameter.name for parameter in PARAMETERS]
    page = (PROJECT / "docs" / "conv2d.md").read_text()
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == names
    assert sorted(re.findall(r"\]\(#(\w+)\)", page)) == sorted(names)


def test_the_links_to_the_claims_are_valid() -> None:
    page = "\n".join(claims.markdown())
    headings = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert headings == [claim.name for claim in read_measured()]
    assert re.findall(r"\]\(#(\w+)\)", page) == headings
    assert set(re.findall(r"\]\(claims\.md#(\w+)\)", "\n".join(guide.markdown(None)))) <= set(headings)


def test_the_page_of_the_claims_has_every_sentence_and_every_number() -> None:
    page = _plain(guide.claims(88))
    for claim in read_measured():
        assert f"Measured: {sentence(claim)}" in page if claim.sweeps else f"{claim.claim} Not measured yet." in page
        for row in claim.measurements:
            numbers = (
                f"{100 * row.difference:+.1f} ({100 * row.low:+.1f} to {100 * row.high:+.1f}; {row.trials} trainings)"
            )
            assert f"{row.effect}: {numbers} points" in page
            if row.expected:
                assert f"claim ({row.expected}): {row.verdict}" in page


def test_the_page_of_a_parameter_begins_with_what_was_measured() -> None:
    for parameter in PARAMETERS:
        page = _plain(guide.page(parameter, 88))
        rows = [(claim, claim.about(parameter.name)) for claim in read_measured() if claim.about(parameter.name)]
        texts = [sentence(claim, found) for claim, found in rows] or ["Not measured yet."]
        assert f"Measured {' '.join(texts)}" in page
        assert page.index("Measured ") < page.index("What it does")


def test_the_claims_as_json_have_verdicts_by_data_set_and_effects_with_intervals() -> None:
    found = json.loads(claims.as_json())
    assert [one["name"] for one in found] == [claim.name for claim in read_measured()]
    for one, claim in zip(found, read_measured(), strict=True):
        assert one["verdicts"] == claim.verdicts
        assert set(one["verdicts"]) == {sweep["data"] for sweep in one["sweeps"]}
        assert [(row["low"], row["high"]) for row in one["effects"]] == [
            (row.low, row.high) for row in claim.measurements
        ]

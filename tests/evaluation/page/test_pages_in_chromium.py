"""report.html and check.html in a real browser: requests, errors, widths, keyboard and print."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pytest

from conftest import copy_digits
from small_evaluation import material_of, predictions_of, write_pictures
from stridednet.evaluation.page.report_page import report_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

STRANGE = "<b>a</b> & 'b' " + "long" * 30
LABELS = ("ant", "bee", STRANGE, "dog")
PAGES = ("report", "many classes", "check")
VIEWS: list[tuple[int, Literal["light", "dark"]]] = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from stridednet.checking.check import check

    folder = tmp_path_factory.mktemp("pages")
    write_pictures(folder, 60)
    found = {name: folder / f"{name}.html" for name in PAGES}
    for name, labels in (("report", LABELS), ("many classes", tuple(f"class {number}" for number in range(30)))):
        rng = np.random.default_rng(4)
        truth = rng.integers(0, len(labels), 60)
        guess = np.where(rng.random(60) < 0.6, truth, rng.integers(0, len(labels), 60))
        predictions = predictions_of(labels, truth.tolist(), guess.tolist())
        found[name].write_text(report_page(material_of(predictions, folder)), encoding="utf-8")
    pictures = copy_digits(digits, folder / "digits", "01", 12)
    shutil.copy(next((pictures / "0").iterdir()), pictures / "1" / "copy.png")
    settings: dict[str, Any] = {"epochs": 1, "image_size": 16, "model.filters": [8], "model.dense_units": 16}
    result = check(pictures, settings=settings, folds=2, out=folder / "check")
    shutil.copy(result.page, found["check"])
    return found


class Visit:
    """A page that was opened, with everything that it asked for or complained about."""

    def __init__(self, browser: "Browser", file: Path, width: int = 1280, **options: Any) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(file.as_uri())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_complaint_no_request_and_nothing_too_wide(browser: "Browser", files: dict[str, Path], name: str) -> None:
    with Visit(browser, files[name]) as visit:
        page = visit.page
        for opened in ("false", "true"):
            page.evaluate(f"document.querySelectorAll('details').forEach(one => one.open = {opened})")
            for width, scheme in VIEWS:
                page.set_viewport_size({"width": width, "height": 800})
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate("document.documentElement.scrollWidth") == width, (opened, scheme)
                assert (brightness(page.evaluate(BACKGROUND)) < 0.5) == (scheme == "dark")
        targets = "[...document.querySelectorAll('a, use')].map(one => one.getAttribute('href'))"
        assert len(page.evaluate(targets)) > 0
        assert page.evaluate(f"{targets}.filter(one => !document.getElementById(one.slice(1)))") == []
        addresses = page.evaluate(
            "[...document.querySelectorAll('img, image')].map(one => one.src ?? one.getAttribute('href'))"
        )
        assert len(addresses) > 0
        assert min(page.evaluate(WIDTHS, addresses)) > 0
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith("data:")] == [files[name].as_uri()]


# Decodes images, and returns their widths.
WIDTHS = """addresses => Promise.all(addresses.map(async address => {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image.naturalWidth;
}))"""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def channels(color: str) -> list[float]:
    """Return red, green and blue of ``rgb(1, 2, 3)`` from 0 to 1."""
    return [float(number) / 255 for number in color[color.index("(") + 1 : -1].split(",")[:3]]


def brightness(color: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels(color)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_names_are_text_with_the_contrast_that_wcag_asks_for(browser: "Browser", files: dict[str, Path]) -> None:
    with Visit(browser, files["report"]) as visit:
        names = visit.page.locator(".matrix thead th").all_text_contents()
        assert names[:2] == ["ant", "bee"]
        assert names[2].startswith("<b>a</b> & 'b' longlong")
        assert visit.page.locator("th b").count() == 0
        for _, scheme in VIEWS[:2]:
            visit.page.emulate_media(color_scheme=scheme)
            found = visit.page.evaluate(
                """() => ['--text', '--quiet', '--accent', '--bad', '--page', '--card'].map(name => {
                  document.body.style.color = `var(${name})`;
                  return getComputedStyle(document.body).color;
                })"""
            )
            *texts, page, card = map(brightness, found)
            for text in texts:
                for ground in (page, card):
                    lower, higher = sorted((text, ground))
                    assert (higher + 0.05) / (lower + 0.05) >= 4.5, (scheme, found)


def test_the_keyboard_opens_a_cell_and_closes_it(browser: "Browser", files: dict[str, Path]) -> None:
    with Visit(browser, files["report"]) as visit:
        page = visit.page
        panel = page.locator(".cells > details").first
        button = page.locator(f"button[aria-controls={panel.get_attribute('id')}]")
        assert page.locator(".cells > details:visible").count() == 0
        page.get_by_label("Confusion matrix", exact=True).focus()
        for _ in range(len(LABELS) ** 2):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.getAttribute('aria-controls')") == panel.get_attribute("id"):
                break
        page.keyboard.press("Enter")
        assert panel.is_visible()
        count = int(button.inner_text())
        assert f"{count}, wrong" in panel.locator("summary").inner_text()
        assert panel.locator("li:visible").count() == count
        assert panel.locator(".path:visible").first.inner_text().endswith(".png")
        assert button.get_attribute("aria-expanded") == "true"
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        page.keyboard.press("Enter")
        assert panel.is_hidden()
        page.wait_for_function("document.querySelectorAll('[aria-expanded=true]').length === 0")
        assert page.evaluate("document.activeElement.getAttribute('aria-controls')") == panel.get_attribute("id")
        assert visit.complaints == []


def test_printing_shows_the_pictures_behind_confusions(browser: "Browser", files: dict[str, Path]) -> None:
    with Visit(browser, files["report"], color_scheme="dark") as visit:
        page = visit.page
        page.evaluate(
            """addEventListener('beforeprint', () => {
              window.printed = document.querySelectorAll('details[open]').length;
            })"""
        )
        assert page.pdf().startswith(b"%PDF-")
        assert page.evaluate("window.printed") == page.locator("details[data-print]").count() > 1
        page.wait_for_function("document.querySelectorAll('details[open]').length === 0")
        page.emulate_media(media="print")
        assert brightness(page.evaluate(BACKGROUND)) > 0.9


def test_without_scripts_every_cell_can_be_opened(browser: "Browser", files: dict[str, Path]) -> None:
    with Visit(browser, files["report"], java_script_enabled=False) as visit:
        panels = visit.page.locator(".cells > details")
        assert panels.locator("visible=true").count() >= panels.count() > 0
        panels.first.locator("summary").click()
        assert panels.first.locator("li").first.is_visible()

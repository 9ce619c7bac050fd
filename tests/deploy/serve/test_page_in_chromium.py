"""The page of a server in a real browser."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import Server, png, warm_server, write_served_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

# Drops or pastes a file, as a person does with the mouse or the clipboard.
GIVE = """([kind, data]) => {
  const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], 'picture.png', { type: 'image/png' }));
  const options = { bubbles: true, cancelable: true };
  const event = kind === 'drop' ? new DragEvent('drop', { ...options, dataTransfer: given })
    : new ClipboardEvent('paste', { ...options, clipboardData: given });
  document.getElementById('drop').dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("page")
    runs = [write_served_run(folder / name, seed, seed + 3) for seed, name in enumerate(("first", "second"))]
    with warm_server(folder, *runs) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api")
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *camera])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser", server: Server) -> Iterator["Page"]:
    """Open the page; it must neither complain nor ask another server for anything."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(server.url)
    page.wait_for_function("document.getElementById('about').textContent.includes('classes')")
    yield page
    page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((server.url, "data:", "blob:"))] == []


def _expected(server: Server, seed: int, model: str = "first") -> list[tuple[str, str]]:
    answer = server.client.post("/predict", content=png(seed), params={"model": model}).json()
    return [(one["label"], f"{100 * one['score']:.1f}%") for one in answer]


def _shown(page: "Page") -> list[tuple[str, ...]]:
    """Wait for prediction and heatmap, and return the rows of the table."""
    page.wait_for_function("document.getElementById('status').textContent.endsWith('%.')")
    assert page.locator("#heatmap").is_visible()
    assert page.evaluate("document.getElementById('heatmap').naturalWidth") > 100
    return [tuple(row.locator("th, .number").all_inner_texts()) for row in page.locator("tbody tr").all()]


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page: "Page", server: Server, kind: str) -> None:
    page.evaluate(GIVE, [kind, base64.b64encode(png(1)).decode()])
    assert _shown(page) == _expected(server, 1)
    assert _expected(server, 1)[0][0] in page.locator("#status").inner_text()


def test_the_keyboard_chooses_a_file_and_a_model(page: "Page", server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(2))
    page.keyboard.press("Tab")  # the models
    page.keyboard.press("Tab")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(tmp_path / "a.png")
    assert _shown(page) == _expected(server, 2)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelectorAll('tbody tr').length === 4")
    assert _shown(page) == _expected(server, 2, "second")
    assert "4 classes" in page.locator("#about").inner_text()


def test_the_camera_takes_a_picture(page: "Page") -> None:
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_function("document.getElementById('video').videoWidth > 0")
    page.keyboard.press("Escape")
    assert page.locator("#video").is_hidden()
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_function("document.getElementById('video').videoWidth > 0")
    page.keyboard.press("Enter")  # the button that takes the picture has the focus
    assert len(_shown(page)) == 3
    assert page.locator("#video").is_hidden()


def test_narrow_and_dark(page: "Page") -> None:
    page.evaluate(GIVE, ["drop", base64.b64encode(png(3, 300)).decode()])
    _shown(page)
    colors = set()
    for width, scheme in ((1000, "light"), (360, "light"), (360, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        colors.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colors) == 2


def test_what_is_no_picture_gets_the_reason(browser: "Browser", server: Server) -> None:
    page = browser.new_page()
    page.goto(server.url)
    page.evaluate(GIVE, ["drop", base64.b64encode(b"no picture").decode()])
    page.wait_for_function("document.getElementById('status').textContent.includes('not a readable picture')")
    assert page.locator("#result").is_hidden()
    page.close()

"""The page of a server in a real browser."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import Server, png, wait_until, warm_server, write_served_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

COPY = """async data => {
  const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
  await navigator.clipboard.write([new ClipboardItem({ 'image/png': new Blob([bytes], { type: 'image/png' }) })]);
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
    _expect(page, "#about", "classes")
    yield page
    page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((server.url, "data:", "blob:"))] == []


def _expect(page: "Page", selector: str, text: str) -> None:
    """Wait until an element has a text."""
    wait_until(lambda: text in page.locator(selector).inner_text(), f"{selector} does not say {text!r}")


def _drop(page: "Page", path: Path) -> None:
    """Drop a file with the mouse."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    box = page.locator("#drop").bounding_box()
    assert box is not None
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 20, "y": box["y"] + 20, "data": data})


def _expected(server: Server, seed: int, model: str = "first") -> list[tuple[str, str]]:
    answer = server.client.post("/predict", content=png(seed), params={"model": model}).json()
    return [(one["label"], f"{100 * one['score']:.1f}%") for one in answer]


def _shown(page: "Page") -> list[tuple[str, ...]]:
    """Wait for prediction and heatmap, and return the rows of the table."""
    wait_until(lambda: page.locator("#status").inner_text().endswith("%."), "no answer")
    assert page.locator("#heatmap").is_visible()
    wait_until(lambda: page.evaluate("document.getElementById('heatmap').naturalWidth") > 0, "no heatmap")
    return [tuple(row.locator("th, .number").all_inner_texts()) for row in page.locator("tbody tr").all()]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(png(1))
    return path


def test_a_picture_is_dropped(page: "Page", server: Server, picture: Path) -> None:
    _drop(page, picture)
    assert _shown(page) == _expected(server, 1)
    assert _expected(server, 1)[0][0] in page.locator("#status").inner_text()


def test_a_picture_is_pasted(page: "Page", server: Server, picture: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page.evaluate(COPY, base64.b64encode(picture.read_bytes()).decode())
    page.keyboard.press("Control+V")
    assert _shown(page) == _expected(server, 1)


def test_the_keyboard_chooses_a_file_and_a_model(page: "Page", server: Server, picture: Path) -> None:
    page.on(
        "filechooser", lambda _: None
    )  # otherwise Playwright starts to listen when Enter is pressed, perhaps too late
    for focused in ("model", "choose"):
        page.keyboard.press("Tab")
        wait_until(lambda: page.evaluate("document.activeElement.id") == focused, f"Tab does not lead to {focused}")  # noqa: B023
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(picture)
    assert _shown(page) == _expected(server, 1)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    _expect(page, "#about", "4 classes")
    wait_until(lambda: page.locator("tbody tr").count() == 4, "the second model is not asked")
    assert _shown(page) == _expected(server, 1, "second")


def test_the_camera_takes_a_picture(page: "Page") -> None:
    for key in ("Escape", "Enter"):  # the button that takes the picture has the focus
        page.get_by_role("button", name="Use the camera").click()
        wait_until(lambda: page.evaluate("document.getElementById('video').videoWidth") > 0, "no camera")
        page.keyboard.press(key)
        assert page.locator("#video").is_hidden()
        page.evaluate("document.getElementById('video').srcObject = null")
    assert len(_shown(page)) == 3


def test_narrow_and_dark(page: "Page", server: Server, picture: Path) -> None:
    _drop(page, picture)
    _shown(page)
    colors = set()
    for address in (None, f"{server.url}/docs"):
        if address is not None:
            page.goto(address)
        for width, scheme in ((1000, "light"), (360, "light"), (360, "dark")):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth") == width
            colors.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colors) == 2


def test_the_description_lists_every_route(page: "Page", server: Server) -> None:
    page.get_by_role("link", name="HTTP interface").click()
    paths = server.client.get("/openapi.json").json()["paths"]
    assert page.locator("h2 code").all_inner_texts() == list(paths)
    page.get_by_text("Schema of the body").first.click()
    assert '"UINT8"' in page.locator("pre").first.inner_text()


def test_what_is_no_picture_gets_the_reason(browser: "Browser", server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    page = browser.new_page()
    page.goto(server.url)
    _drop(page, tmp_path / "a.png")
    _expect(page, "#status", "not a readable picture")
    assert page.locator("#result").is_hidden()
    page.close()

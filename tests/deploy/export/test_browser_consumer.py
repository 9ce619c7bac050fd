"""examples/deploy/browser in Chromium: it says what `Run.predict` says, and asks no other host for anything."""

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

import stridednet
from conftest import PROJECT, SMALL, copy_digits
from stridednet.data.decode import decode
from stridednet.deploy.export.export import export
from stridednet.deploy.export.metadata import Metadata, in_words
from stridednet.run import Run
from stridednet.settings import ResizeRule

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NPM = shutil.which("npm")
ABS = 5e-3  # of a probability: browsers decode JPEGs a little differently
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.skipif(NPM is None, reason="npm is not installed"),
]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name in the standard library
        pass


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("browser")
    copy_digits(digits, folder / "pictures", "0123", 20)
    return stridednet.train(folder / "pictures", settings=SMALL | {"epochs": 2}, out=folder / "run").run


@pytest.fixture(scope="module")
def address(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Install the example into a temporary folder, export a model into it, and serve it."""
    folder = tmp_path_factory.mktemp("served") / "browser"
    shutil.copytree(PROJECT / "examples" / "deploy" / "browser", folder, ignore=shutil.ignore_patterns("node_modules"))
    install = [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=60000"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        codes = ("ENOTFOUND", "EAI_AGAIN", "ECONN", "ETIMEDOUT", "ENETUNREACH")
        assert any(code in done.stderr for code in codes), done.stderr
        pytest.skip("the registry of npm cannot be reached")
    export(run, ["onnx"], out=folder)
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """The page, opened and ready, with everything that it asked for or complained about."""

    def __init__(self, browser: "Browser", address: str, width: int, scheme: Literal["light", "dark"]) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.problems: list[str] = []
        self.requested: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.goto(address)
        self.page.get_by_text("Ready.").wait_for()

    def answer(self, name: str) -> list[tuple[str, float]]:
        """Wait for the answer to a picture of a name, and return its classes and probabilities."""
        self.page.locator("#status", has_text=f"{name}: ").wait_for()
        items = self.page.locator("#answer li")
        texts = [items.nth(number).inner_text().split() for number in range(items.count())]
        return [(label, float(score.rstrip("%")) / 100) for score, label in texts]


def _pictures(folder: Path) -> list[Path]:
    """Write pictures that shrink along both sides, by whole and other numbers, along one side, and not at all."""
    rng = np.random.default_rng(0)
    turned = Image.Exif()
    turned[0x0112] = 6
    files = []
    for width, height in ((60, 60), (47, 33), (50, 11), (9, 13)):
        noise = rng.integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), np.uint8)
        picture = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        files.append(folder / f"{width}x{height}.jpg")
        picture.save(files[-1], exif=turned, quality=95)
    see_through = Image.fromarray(rng.integers(0, 256, (5, 6, 4), np.uint8)).resize((44, 35))
    files.append(folder / "transparent.png")
    see_through.save(files[-1])
    return files


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_the_page_says_what_the_run_says(
    run: Run, address: str, browser: "Browser", tmp_path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    visit = Visit(browser, address, width, scheme)
    assert "Classes: 0, 1, 2, 3" in visit.page.inner_text("main")
    for file in _pictures(tmp_path):
        visit.page.set_input_files("input[type=file]", file)
        found, expected = visit.answer(file.name), run.predict(file).top(3)
        assert [label for label, _ in found] == [label for label, _ in expected], file.name
        assert [one for _, one in found] == pytest.approx([one for _, one in expected], abs=ABS), file.name
        assert visit.page.evaluate("picture.complete && picture.naturalWidth > 0")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    color = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, color.strip("rgb()").split(","))) > 3 * 128) == (scheme == "light")
    assert visit.problems == []
    hosts = {urlsplit(url).netloc for url in visit.requested if urlsplit(url).scheme not in ("blob", "data")}
    assert hosts == {urlsplit(address).netloc}
    visit.page.close()


def test_a_dropped_picture_and_a_file_that_is_none(run: Run, address: str, browser: "Browser", tmp_path: Path) -> None:
    visit = Visit(browser, address, 800, "light")
    file = _pictures(tmp_path)[0]
    drop = """([bytes, name]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name));
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
    }"""
    visit.page.evaluate(drop, [list(file.read_bytes()), file.name])
    found, (label, probability) = visit.answer(file.name)[0], run.predict(file).top(1)[0]
    assert found == (label, pytest.approx(probability, abs=ABS))
    visit.page.evaluate(drop, [list(b"no picture"), "notes.txt"])
    visit.page.get_by_text("notes.txt: not classified: ").wait_for()
    assert not visit.page.is_visible("#result")
    assert visit.problems == []
    visit.page.close()


@pytest.mark.parametrize("rule", get_args(ResizeRule))
def test_pictures_become_squares_as_in_the_package(
    run: Run, address: str, browser: "Browser", tmp_path: Path, rule: ResizeRule
) -> None:
    visit = Visit(browser, address, 800, "light")
    config = replace(Metadata.of(run), rule=rule, resize=in_words(rule, 20)).preprocessor_config()
    prepare = """async ([bytes, config]) => {
        const { formOf, prepared } = await import("./picture.js");
        return Array.from(await prepared(new Blob([new Uint8Array(bytes)]), formOf(config)));
    }"""
    for file in _pictures(tmp_path):
        png = tmp_path / f"{file.stem}.png"  # browsers decode JPEGs a little differently
        Image.open(file).convert("RGB").save(png)
        found = np.reshape(visit.page.evaluate(prepare, [list(png.read_bytes()), config]), (20, 20, 3))
        assert np.abs(found - decode(png, 20, rule=rule).astype(int)).max() <= 1, file.name
    config["resize_rule"] = "center crop"
    with pytest.raises(Exception, match=r"another rule than picture\.js has: center crop"):
        visit.page.evaluate(prepare, [[], config])
    visit.page.close()


def test_a_model_that_is_not_there(address: str, browser: "Browser") -> None:
    page = browser.new_page()
    page.route("**/preprocessor_config.json", lambda route: route.fulfill(status=404))
    page.goto(address)
    page.get_by_text("The model cannot be loaded: preprocessor_config.json: 404").wait_for()
    assert page.is_disabled("input[type=file]")
    page.close()

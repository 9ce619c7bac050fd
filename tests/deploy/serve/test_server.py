"""``stridednet serve`` as clients see it: a real server, asked over HTTP."""

import base64
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from servers import SIZE, Server, png, wait_until, warm_server, write_served_run

from conftest import PROJECT
from stridednet.run import Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Run]:
    return {name: Run.open(write_served_run(folder / name, seed)) for seed, name in enumerate(("first", "second"))}


@pytest.fixture(scope="module")
def server(runs: dict[str, Run], folder: Path) -> Iterator[Server]:
    with warm_server(folder, *(run.folder for run in runs.values()), "--max-mb", "1", "--max-megapixels", "0.1") as one:
        yield one


def _scores(answer: Any) -> dict[str, float]:
    return {one["label"]: one["score"] for one in answer}


def test_a_picture_gets_what_the_run_predicts(server: Server, runs: dict[str, Run], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    for name, run in runs.items():
        expected = run.predict(tmp_path / "a.png")
        answer = server.client.post("/predict", content=png(1), params={"model": name})
        assert answer.status_code == 200
        assert _scores(answer.json()) == pytest.approx(expected.probabilities, abs=1e-6)
        assert [one["label"] for one in answer.json()] == list(expected.probabilities)
    default = server.client.post("/predict", files={"file": ("a.png", png(1), "image/png")}, params={"top_k": 2}).json()
    assert default == server.client.post("/predict", content=png(1), params={"model": "first"}).json()[:2]


def test_many_at_once_get_what_each_gets_alone(server: Server) -> None:
    pictures = [png(seed) for seed in range(40)]
    alone = [_scores(server.client.post("/predict", content=picture).json()) for picture in pictures]
    before = server.metric('stridednet_batch_images_count{model="first"}')
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(lambda picture: server.client.post("/predict", content=picture), pictures))
    assert [one.status_code for one in together] == [200] * len(pictures)
    for one, other in zip(together, alone, strict=True):
        assert _scores(one.json()) == pytest.approx(other, abs=1e-6)
    assert server.metric('stridednet_batch_images_count{model="first"}') - before <= len(pictures)


def test_an_explanation_is_a_picture(server: Server) -> None:
    answer = server.client.post("/predict", content=png(2, 300), params={"explain": True}).json()
    kind, _, data = answer[0]["explanation"].partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (300, 300)
    assert all("explanation" not in one for one in answer[1:])


def _reason(answer: Any) -> str:
    reason: str = answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"
    assert "\n" not in reason
    assert "Traceback" not in reason
    return reason


def test_bad_requests_are_refused_with_the_reason(server: Server) -> None:
    post = server.client.post
    bomb = io.BytesIO()
    Image.new("1", (4000, 4000)).save(bomb, "png")
    for answer, status, reason in (
        (post("/predict", content=b"hello"), 400, "not a readable picture: not an image"),
        (post("/predict", content=png(1)[:500]), 400, "not a readable picture: truncated or corrupt"),
        (post("/predict", content=b""), 400, "no body"),
        (post("/predict", content=png(1), params={"top_k": 0}), 400, "top_k: "),
        (post("/predict", content=png(1), params={"model": "third"}), 404, "there is no model 'third'"),
        (post("/predict", data={"a": "b"}, files={}), 400, "not a readable picture"),
        (post("/predict", files=[("a", png(1)), ("b", png(2))]), 400, "one file. Received: 2 files"),
        (post("/predict", content=b"--x", headers={"content-type": "multipart/form-data"}), 400, "a damaged form"),
        (post("/predict", content=bytes(1_000_001)), 413, "at most 1 MB"),
        (post("/predict", content=bomb.getvalue()), 413, "16,000,000 pixels"),
        (server.client.get("/nothing"), 404, "Not Found"),
        (server.client.get("/predict"), 405, "Method Not Allowed"),
    ):
        assert (answer.status_code, reason in _reason(answer)) == (status, True), answer.text
    assert post("/predict", content=png(1)).status_code == 200
    assert "Traceback" not in server.log


def test_a_client_that_hangs_up_and_a_slow_one_disturb_nobody(server: Server) -> None:
    address = (server.client.base_url.host, server.client.base_url.port or 0)
    head = f"POST /predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(png(3))}\r\n\r\n".encode()
    for sent in (head, head + png(3)[:100], head + png(3)):
        with socket.create_connection(address) as connection:
            connection.sendall(sent)
    with socket.create_connection(address) as slow:
        slow.sendall(head + png(3)[:100])
        expected = server.client.post("/predict", content=png(3))  # meanwhile
        assert expected.status_code == 200
        slow.sendall(png(3)[100:])
        with slow.makefile("rb") as file:
            answer = file.read()
    assert answer.startswith(b"HTTP/1.1 200")
    scores = _scores(json.loads(answer.partition(b"\r\n\r\n")[2]))
    assert scores == pytest.approx(_scores(expected.json()), abs=1e-6)  # a batch changes the last digits
    assert "Traceback" not in server.log


def test_the_open_inference_protocol(server: Server, runs: dict[str, Run]) -> None:
    get = server.client.get
    assert get("/v2").json()["name"] == "stridednet"
    assert get("/v2/health/live").json() == {"live": True}
    assert (get("/v2/health/ready").status_code, get("/v2/models/second/ready").status_code) == (200, 200)
    metadata = get("/v2/models/second").json()
    assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, SIZE, SIZE, 3]}]
    assert metadata["outputs"][0]["parameters"]["labels"] == runs["second"].labels
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    expected = runs["second"].model().predict(images.astype(np.float32), verbose=0)
    for data in (images.tolist(), images.ravel().tolist()):
        tensor = {"name": "images", "datatype": "UINT8", "shape": list(images.shape), "data": data}
        answer = server.client.post("/v2/models/second/infer", json={"id": "7", "inputs": [tensor]}).json()
        (output,) = answer["outputs"]
        assert (answer["id"], answer["model_name"], output["datatype"]) == ("7", "second", "FP32")
        np.testing.assert_allclose(np.reshape(output["data"], output["shape"]), expected, atol=1e-6)
    version = metadata["versions"][0]
    assert version == answer["model_version"]
    assert get(f"/v2/models/second/versions/{version}").json() == metadata
    assert get(f"/v2/models/second/versions/{version}/ready").json() == {"name": "second", "ready": True}
    request = {"inputs": [tensor], "outputs": [{"name": "probabilities"}]}
    again = server.client.post(f"/v2/models/second/versions/{version}/infer", json=request).json()
    assert again["outputs"] == answer["outputs"]
    for missing in ("third", "second/versions/1"):
        assert (get(f"/v2/models/{missing}").status_code, get(f"/v2/models/{missing}/ready").status_code) == (404, 404)


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"name": "x"}, 400, "inputs[0].name"),
        ({"datatype": "FP32"}, 400, "inputs[0].datatype"),
        ({"shape": [1, 2, 2, 3]}, 400, "inputs[0].shape"),
        ({"shape": [65, SIZE, SIZE, 3]}, 413, "at most 64 images"),
        ({"data": [1, 2]}, 400, "inputs[0].data: expected"),
        ({"data": [[1], 2]}, 400, "inputs[0].data: not a tensor"),
        ({"data": [256] * SIZE * SIZE * 3}, 400, "integers from 0 to 255"),
        ({"data": [0.5] * SIZE * SIZE * 3}, 400, "integers from 0 to 255"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_tensors_that_do_not_fit(server: Server, change: dict[str, Any], status: int, reason: str) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, SIZE, SIZE, 3], "data": [0] * SIZE * SIZE * 3}
    answer = server.client.post("/v2/models/first/infer", json={"inputs": [tensor | change]})
    assert (answer.status_code, reason in _reason(answer)) == (status, True), answer.text


@pytest.mark.parametrize(
    "body",
    ["{", "[" * 100_000, "[]", f"[{'{},' * 300_000}{{}}]", '{"inputs": [1]}', '{"inputs": [], "id": 1}'],
    ids=lambda body: body[:20],
)
def test_json_that_is_no_request(server: Server, body: str) -> None:
    assert server.client.post("/v2/models/first/infer", content=body).status_code == 400


def _blocks(language: str) -> list[str]:
    text = (PROJECT / "docs" / "serve.md").read_text().replace("http://127.0.0.1:8000", "URL")
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_requests_of_the_docs(server: Server, runs: dict[str, Run], tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").write_bytes(png(7))
    expected = server.client.post("/predict", content=png(7), params={"top_k": 2}).json()
    commands = [[sys.executable, "-c", block.replace("URL", server.url)] for block in _blocks("py")]
    if shutil.which("curl"):
        (lines,) = _blocks('text title="with curl"')
        commands += [["sh", "-c", line.replace("URL", server.url)] for line in lines.splitlines()]
    done = [
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout for command in commands
    ]
    assert done[0] == f"{expected[0]['label']}\n"
    black = runs["first"].model().predict(np.zeros((2, SIZE, SIZE, 3), np.float32), verbose=0)
    np.testing.assert_allclose(np.array(re.findall(r"[\d.e-]+", done[1]), float), black.ravel(), atol=1e-6)
    assert [json.loads(answer) for answer in done[2:]] == [expected] * len(done[2:])


def test_a_decoder_that_is_killed_is_replaced(server: Server) -> None:
    decoders = server.children
    for number in decoders:
        os.kill(number, signal.SIGKILL)
    answers = [server.client.post("/predict", content=png(4)).status_code for _ in range(2 * len(decoders) + 1)]
    assert set(answers) <= {200, 400}
    assert answers[-1] == 200
    assert not set(server.children) & set(decoders)


def test_metrics_and_description(server: Server) -> None:
    line = 'stridednet_requests_total{route="/predict",status="200"}'
    before = server.metric(line)
    server.client.post("/predict", content=png(5))
    assert server.metric(line) == before + 1
    text = server.client.get("/metrics").text
    for stage in ("body", "decode", "queue", "compute"):
        assert server.metric(f'stridednet_stage_seconds_count{{stage="{stage}"}}') > 0
    assert 'stridednet_queue_depth{queue="decoder"} 0.0' in text
    paths = server.client.get("/openapi.json").json()["paths"]
    assert {"/predict", "/metrics", "/v2/models/{name}/infer"} <= set(paths)
    assert set(paths["/predict"]["post"]["responses"]) == {"200", "400", "404", "408", "413", "503"}


def test_a_run_that_is_replaced_is_opened_again(server: Server, runs: dict[str, Run], folder: Path) -> None:
    other = Run.open(write_served_run(folder / "other", seed=9, classes=4))
    (folder / "a.png").write_bytes(png(6))
    expected = other.predict(folder / "a.png").probabilities
    runs["second"].folder.rename(folder / "old")
    other.folder.rename(runs["second"].folder)

    def answer() -> dict[str, float]:
        return _scores(server.client.post("/predict", content=png(6), params={"model": "second"}).json())

    wait_until(lambda: len(answer()) == 4, "the new run is not served")
    assert answer() == pytest.approx(expected, abs=1e-6)
    shutil.copy(folder / "a.png", runs["second"].folder / "model.keras")  # it stays, although its file is damaged now
    wait_until(lambda: "cannot be opened" in server.log, "nothing is said")
    assert answer() == pytest.approx(expected, abs=1e-6)
    assert json.loads(server.client.get("/models").text)[1]["labels"] == other.labels

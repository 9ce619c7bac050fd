"""A server under load: full queues, endless bodies, SIGTERM, and workers that die."""

import contextlib
import os
import signal
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from servers import Server, new_server, png, wait_until, warm_server, write_served_run

DECODING = 'stridednet_queue_depth{queue="decoder"}'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_served_run(tmp_path_factory.mktemp("load") / "run")


def _status(url: str, picture: bytes) -> int:
    return httpx.post(f"{url}/predict", content=picture, timeout=60).status_code


def test_a_full_queue_is_busy_and_sigterm_answers_what_was_accepted(run: Path, tmp_path: Path) -> None:
    with new_server(tmp_path, run, "--queue", "2") as (server, process), ThreadPoolExecutor(20) as pool:
        assert _status(server.url, png(1)) == 200
        decoders = server.children
        for number in decoders:
            os.kill(number, signal.SIGSTOP)
        accepted = [pool.submit(_status, server.url, png(seed)) for seed in range(len(decoders) + 2)]
        wait_until(lambda: server.metric(DECODING) == 2, "the queue is not full")
        assert server.client.get("/v2/health/live").status_code == 200
        assert server.client.get("/v2/health/ready").status_code == 503
        refused = httpx.post(f"{server.url}/predict", content=png(1))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"].startswith("2 pictures are waiting to be decoded already")
        server.send(signal.SIGTERM)
        wait_until(lambda: not _accepts(server), "it still listens")
        for number in decoders:
            os.kill(number, signal.SIGCONT)
        assert [one.result() for one in accepted] == [200] * len(accepted)
        assert process.wait(10) == 0
        found = server.log.splitlines()[-1].split()
        assert found[2] == found[5]  # "stopped after 9 answers to 9 requests"


def _accepts(server: Server) -> bool:
    try:
        socket.create_connection((server.client.base_url.host, server.client.base_url.port or 0)).close()
    except OSError:
        return False
    return True


def test_sigterm_under_load_loses_no_accepted_request(run: Path, tmp_path: Path) -> None:
    outcomes: Counter[int | str] = Counter()
    lock = threading.Lock()
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            try:
                found: int | str = _status(server.url, png(1))
            except httpx.TransportError as error:  # refused, or still waiting to be accepted
                found = type(error).__name__
                stopped.set()
            with lock:
                outcomes[found] += 1

    with warm_server(tmp_path, run) as server:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: outcomes[200] > 30, "no answers")
        server.send(signal.SIGTERM)
        for thread in threads:
            thread.join()
        wait_until(lambda: "stopped after" in server.log, "it does not end")
    answers, requests = (int(server.log.splitlines()[-1].split()[place].replace(",", "")) for place in (2, 5))
    complete = sum(count for found, count in outcomes.items() if isinstance(found, int))
    assert answers == requests == complete
    assert outcomes.keys() - {200, 503} <= {"ConnectError"}  # after the end; no connection that was made is lost


def test_a_body_that_never_ends_is_refused(run: Path, tmp_path: Path) -> None:
    with warm_server(tmp_path, run, "--max-mb", "1") as server:
        address = (server.client.base_url.host, server.client.base_url.port or 0)
        with socket.create_connection(address) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            part = b"10000\r\n" + bytes(0x10000) + b"\r\n"
            answers: list[bytes] = []
            reader = threading.Thread(target=lambda: answers.append(connection.recv(10_000)))
            reader.start()
            try:
                while reader.is_alive():
                    connection.sendall(part)
            except OSError:  # the server has closed the connection
                pass
            reader.join()
        assert answers[0].startswith(b"HTTP/1.1 413")
        assert _status(server.url, png(1)) == 200
        assert "Traceback" not in server.log


def test_an_internal_error_is_told_without_a_trace(tmp_path: Path) -> None:
    run = write_served_run(tmp_path / "run")
    with warm_server(tmp_path, run) as server:
        (run / "model.keras").unlink()  # an explanation needs it
        answer = httpx.post(f"{server.url}/predict", params={"explain": True}, content=png(1), timeout=60)
        assert answer.status_code == 500
        assert answer.json() == {"error": "internal error; the server's log has the reason"}
        wait_until(lambda: "FileNotFoundError" in server.log, "the log does not have the reason")
        assert _status(server.url, png(1)) == 200


def test_a_worker_that_is_killed_is_replaced(run: Path, tmp_path: Path) -> None:
    with new_server(tmp_path, run, "--workers", "2") as (server, process):
        _answers(server, 20)
        workers = [
            number for number in server.children if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes()
        ]
        assert len(workers) == 2
        assert server.metric('stridednet_requests_total{route="/predict",status="200"}') == 20
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: workers[0] not in server.children, "the dead worker is not noticed")
        _answers(server, 10)
        server.send(signal.SIGTERM)
        assert process.wait(15) == 0
        assert not any(Path(f"/proc/{number}").exists() for number in workers)


def _answers(server: Server, count: int) -> None:
    """Get some answers, each on a connection of its own; connections to a worker that was killed are tried again."""
    got = 0

    def ask() -> bool:
        nonlocal got
        with contextlib.suppress(httpx.TransportError):
            got += _status(server.url, png(1)) == 200
        return got == count

    wait_until(ask, "no answers")

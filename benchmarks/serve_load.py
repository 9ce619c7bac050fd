"""`stridednet serve` under load, against the server that people write by hand: FastAPI that calls Keras' `predict`.

    python benchmarks/serve_load.py RUN PICTURES [--rounds 3] [--seconds 5] [--requests 10000] [--json FILE]

PICTURES is a folder, of which 200 files are sent in turn. Both servers and the clients run on this machine, over
loopback; the clients are coroutines on plain sockets in one process of their own, each with one connection, which send
their next request when they have the answer. The servers take turns, in each of the rounds, at 1, 8 and 64 clients.

Then, for `stridednet serve` alone: `--requests` requests of 64 clients, whose answers are compared with those that the
same pictures got alone, with the memory of all of its processes before and after; and SIGTERM under that load.
"""

import argparse
import asyncio
import io
import json
import os
import platform
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np

from stridednet.machine import device

HOST = "127.0.0.1"
CLIENTS = (1, 8, 64)
PICTURES = 200
MOST_MEMORY = 50 * 10**6  # bytes that a server may grow by
MOST_DIFFERENCE = 1e-5  # of a probability that is computed in another batch
STRIDEDNET, PLAIN = "stridednet serve", "FastAPI and Keras predict"


@dataclass
class Load:
    """What many clients saw."""

    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)  # seconds, of status 200
    differences: list[float] = field(default_factory=list)
    lost: int = 0  # requests without an answer, on a connection that had answers before
    reset: int = 0  # new connections without an answer: the server ended before it accepted them


class Clients:
    """Coroutines that send pictures until they are told to stop."""

    def __init__(self, port: int, pictures: list[bytes], expected: list[dict[str, float]] | None = None) -> None:
        head = b"POST /predict?top_k=1000 HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
        self._requests = [head % len(picture) + picture for picture in pictures]
        self._expected = expected
        self._port = port
        self._numbers = count()
        self.load = Load()
        self.answers: dict[int, dict[str, float]] = {}

    async def run(self, clients: int, seconds: float = 1e9, requests: int = 10**9) -> None:
        """Run some clients until the time is over, enough requests are sent, or the server has gone."""
        self._last, self._end = requests, time.perf_counter() + seconds
        started = time.perf_counter()
        await asyncio.gather(*(self._client() for _ in range(clients)))
        self.load.seconds = time.perf_counter() - started

    async def _client(self) -> None:
        while self._goes_on():
            try:
                reader, writer = await asyncio.open_connection(HOST, self._port)
            except ConnectionError:  # the server has ended
                return
            is_new = remains = True
            while remains and self._goes_on():
                remains = await self._ask(reader, writer, is_new)
                is_new = False
            writer.close()

    def _goes_on(self) -> bool:
        return time.perf_counter() < self._end

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_new: bool) -> bool:
        """Send a request and read the answer; return whether the connection remains."""
        number = next(self._numbers)
        if number >= self._last:
            self._end = 0.0
            return False
        started = time.perf_counter()
        try:
            writer.write(self._requests[number % len(self._requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            body = await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self.load.reset += is_new
            self.load.lost += not is_new
            return False
        status = head.split()[1].decode()
        self.load.statuses[status] += 1
        if status == "200":
            self.load.latencies.append(time.perf_counter() - started)
            self._compare(number % len(self._requests), body)
        return b"connection: close" not in head.lower()

    def _compare(self, picture: int, body: bytes) -> None:
        if self._expected is None:
            return
        scores = {one["label"]: one["score"] for one in json.loads(body)}
        if self._expected:
            expected = self._expected[picture]
            self.load.differences.append(max(abs(scores[label] - expected[label]) for label in expected))
        self.answers[picture] = scores


def _serve_plainly(folder: str, port: int) -> None:
    """Serve a run as people do by hand."""
    import stridednet  # noqa: F401  -- before keras, to choose its backend

    import keras  # isort: skip
    import uvicorn
    from fastapi import FastAPI, Request
    from PIL import Image

    model = keras.saving.load_model(Path(folder, "model.keras"))
    labels = Path(folder, "labels.txt").read_text().splitlines()
    height, width = model.input_shape[1:3]
    app = FastAPI()

    def predicted(data: bytes) -> list[dict[str, Any]]:
        image = Image.open(io.BytesIO(data)).convert("RGB").resize((width, height))
        row = model.predict(np.asarray(image)[None], verbose=0)[0]
        return [{"label": labels[place], "score": float(row[place])} for place in row.argsort()[::-1]]

    @app.post("/predict")
    async def predict(request: Request) -> list[dict[str, Any]]:
        return await asyncio.to_thread(predicted, await request.body())

    uvicorn.run(app, host=HOST, port=port, log_level="warning")


class Server:
    """A server process."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.port = port

    def load(self, pictures: Path, *arguments: str) -> Load:
        """Run clients in a process of their own."""
        command = [sys.executable, __file__, "--client", str(self.port), str(pictures), *arguments]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        numbers = json.loads(done.stdout)
        return Load(**numbers | {"statuses": Counter(numbers["statuses"])})

    def memory(self) -> int:
        """Return the bytes that the server's processes have in memory; pages that they share count once."""
        found, total = [self.process.pid], 0
        while found:
            number = found.pop()
            for task in Path(f"/proc/{number}/task").iterdir():
                found += [int(one) for one in (task / "children").read_text().split()]
            text = Path(f"/proc/{number}/smaps_rollup").read_text()
            total += int(text.partition("\nPss:")[2].split()[0]) * 1024
        return total


@contextmanager
def running(*command: str) -> Iterator[Server]:
    """Start a server, and wait until it answers; `PORT` in the command becomes a free port."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([one.replace("PORT", str(port)) for one in command])
    try:
        while socket.socket().connect_ex((HOST, port)):
            if process.poll() is not None:
                raise SystemExit("the server has ended")
            time.sleep(0.1)
        yield Server(process, port)
    finally:
        process.kill()
        process.wait()


def read_pictures(folder: Path) -> list[bytes]:
    """Return the content of pictures of a folder, spread over it."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    return [path.read_bytes() for path in paths[:: max(1, len(paths) // PICTURES)][:PICTURES]]


def _clients(arguments: argparse.Namespace) -> None:
    """Be the process of the clients: print what they saw."""
    pictures = read_pictures(arguments.pictures)
    port = int(arguments.run)
    expected = None
    if arguments.compare:
        alone = Clients(port, pictures, [])
        asyncio.run(alone.run(1, requests=len(pictures)))
        expected = [alone.answers[number] for number in range(len(pictures))]
    several = Clients(port, pictures, expected)
    limit = {"requests": arguments.requests} if arguments.compare else {"seconds": arguments.seconds}
    asyncio.run(several.run(arguments.clients, **limit))
    print(json.dumps(vars(several.load)))


def compare(servers: dict[str, Server], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Let the servers take turns, and return the rows of the table."""
    rows = []
    for clients in CLIENTS:
        loads: dict[str, list[Load]] = {name: [] for name in servers}
        for server in servers.values():
            server.load(arguments.pictures, "--clients", str(clients), "--seconds", "1")  # warm-up
        for _ in range(arguments.rounds):
            for name, server in servers.items():
                given = ["--clients", str(clients), "--seconds", str(arguments.seconds)]
                loads[name].append(server.load(arguments.pictures, *given))
        for name, several in loads.items():
            latencies = np.concatenate([one.latencies for one in several]) * 1000
            rate = float(np.median([len(one.latencies) / one.seconds for one in several]))
            p50, p99 = np.percentile(latencies, [50, 99])
            statuses = dict(sum((one.statuses for one in several), Counter()))
            rows.append(
                {"server": name, "clients": clients, "n": len(latencies), "statuses": statuses}
                | {"per_s": rate, "p50_ms": float(p50), "p99_ms": float(p99)}
            )
            slower = next((row["per_s"] for row in rows if (row["server"], row["clients"]) == (PLAIN, clients)), rate)
            print(
                f"{clients:8}  {name:27}{rate:12,.0f}{rate / slower:8.1f}{p50:10.1f}{p99:10.1f}  {statuses}", flush=True
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("pictures", metavar="PICTURES", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--serve", default="", help="more options of stridednet serve, such as '--workers 2'")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--compare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--clients", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        _clients(arguments)
    elif arguments.plain:
        _serve_plainly(arguments.run, int(str(arguments.pictures)))
    else:
        _measure(arguments)


def _measure(arguments: argparse.Namespace) -> None:
    program = str(Path(sys.executable).with_name("stridednet"))
    with (
        running(sys.executable, __file__, "--plain", arguments.run, "PORT") as plain,
        running(program, "serve", arguments.run, "--port", "PORT", *shlex.split(arguments.serve)) as server,
    ):
        with urlopen(f"http://{HOST}:{server.port}/models") as answer:
            engine = json.load(answer)[0]["engine"]
        where = f"{device()['name']}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(f"{where}; engine {engine}; {arguments.rounds} rounds of {arguments.seconds:g} s")
        print(f"{'clients':>8}  {'server':27}{'requests/s':>12}{'x':>8}{'p50 ms':>10}{'p99 ms':>10}  answers")
        rows = compare({PLAIN: plain, STRIDEDNET: server}, arguments)
        plain.process.kill()
        before = server.memory()
        load = server.load(arguments.pictures, "--compare", "--clients", "64", "--requests", str(arguments.requests))
        after = server.memory()
        print(f"{arguments.requests:,} requests of 64 clients: {dict(load.statuses)}, {load.lost} without an answer")
        print(f"largest difference of a probability from the same picture alone: {max(load.differences):.1e}")
        print(f"memory of all processes: {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after")
        ended = _end(server, arguments.pictures)
    result = {"where": where, "engine": engine, "rows": rows, "statuses": load.statuses, "ended": ended}
    result |= {"memory": [before, after], "difference": max(load.differences)}
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    failed = [
        text
        for text, has_failed in (
            ("another status than 200 and 503", set(load.statuses) - {"200", "503"}),
            ("requests without an answer", load.lost or ended["lost"]),
            ("answers in batches differ", max(load.differences) > MOST_DIFFERENCE),
            ("memory grows", after - before > MOST_MEMORY),
            ("exit status", ended["exit_status"] != 0 or ended["seconds"] > 10),
        )
        if has_failed
    ]
    if failed:
        raise SystemExit("; ".join(failed))


def _end(server: Server, pictures: Path) -> dict[str, Any]:
    """Send SIGTERM while 64 clients ask, and return what they saw."""
    command = [
        sys.executable,
        __file__,
        "--client",
        str(server.port),
        str(pictures),
        "--clients",
        "64",
        "--seconds",
        "60",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as clients:
        time.sleep(3)
        started = time.perf_counter()
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait()
        seconds = time.perf_counter() - started
        numbers = json.loads(clients.communicate()[0])
    found = {
        "exit_status": status,
        "seconds": seconds,
        **{name: numbers[name] for name in ("lost", "reset", "statuses")},
    }
    print(
        f"SIGTERM under load: exit status {status} after {seconds:.1f} s; "
        f"{numbers['lost']} requests without an answer, {numbers['reset']} connections not accepted, "
        f"{numbers['statuses']}"
    )
    return found


if __name__ == "__main__":
    main()

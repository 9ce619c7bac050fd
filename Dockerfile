# A server for one run, from this project's own files:
#
#   docker build -t stridednet .
#   docker run --rm -p 8000:8000 -v "$PWD/runs/train/NAME:/runs/NAME:ro" stridednet /runs/NAME
FROM python:3.12-slim

WORKDIR /build
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
# The torch of PyPI includes gigabytes of CUDA.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
    --constraint constraints.txt '.[serve,onnx]' && rm -r /build/*

RUN useradd --create-home --uid 10001 server
USER server
WORKDIR /home/server
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v2/health/live', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["stridednet", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--help"]

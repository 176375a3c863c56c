# The server on a CPU, as a user without rights:
#   docker build -t affekt .
#   docker run -p 127.0.0.1:8000:8000 -e AFFEKT_TOKEN=... -v affekt:/state affekt
# Where pip's index serves torch for GPUs, name the one for CPUs: --build-arg INDEX=URL
FROM python:3.11-slim

ARG INDEX=""
WORKDIR /app
COPY requirements-serve.lock .
RUN pip install --no-cache-dir ${INDEX:+--index-url "$INDEX"} torch==2.13.0 \
    && pip install --no-cache-dir -r requirements-serve.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN pip install --no-cache-dir --no-deps . \
    && useradd --create-home affekt && install -d -o affekt /state

USER affekt
VOLUME /state
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz')"]
CMD ["affekt", "serve", "--host", "0.0.0.0", "--state", "/state"]

# trueup with a service's files, to run where containers run: docs/containers.md.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir hatchling \
    && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels ./pyorm .

FROM python:3.13-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    --mount=type=bind,source=constraints.txt,target=/constraints.txt \
    pip install --no-cache-dir -c /constraints.txt /wheels/*.whl \
    && useradd --system --uid 10001 --create-home trueup
USER 10001
WORKDIR /work
COPY sql sql
ENTRYPOINT ["trueup"]
CMD ["--help"]

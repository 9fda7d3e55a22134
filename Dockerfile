# trueup with the SQL of a service, to run where containers run: docs/containers.md.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/trueup \
    && /opt/trueup/bin/pip install --no-cache-dir --constraint constraints.txt ./pyorm .

FROM python:3.13-slim
COPY --from=build /opt/trueup /opt/trueup
RUN useradd --system --uid 10001 --create-home trueup
ENV PATH=/opt/trueup/bin:$PATH
USER 10001
WORKDIR /work
COPY sql sql
ENTRYPOINT ["trueup"]
CMD ["--help"]

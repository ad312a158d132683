# The control process: webhooks, scheduler extender, quota ledger.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY hami_admission hami_admission
RUN python -m venv /opt/hami && /opt/hami/bin/pip install --no-cache-dir '.[control]'

FROM python:3.13-slim AS control
COPY --from=build /opt/hami /opt/hami
USER 65532:65532
EXPOSE 8443
ENTRYPOINT ["/opt/hami/bin/hami-admission"]
CMD ["control"]

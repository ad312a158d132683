# Two images of one package:
#   docker build --target control …    webhooks, scheduler extender, quota ledger; not root
#   docker build --target agent …      the agent of a node; root, for the kubelet's sockets
# The same bytes each time: give SOURCE_DATE_EPOCH as a build argument, have the builder rewrite
# timestamps (BuildKit: --output type=image,rewrite-timestamp=true; buildah: --timestamp), and name
# the bases by digest. Python packages are pinned by hash in requirements/.
# No HEALTHCHECK: Kubernetes does not read it; /healthz and /readyz are for the pod's probes.

# Both must have the same Python. RUNTIME has no version tags: a release adds @sha256:….
ARG BUILDER=docker.io/library/python:3.11.14-slim-bookworm
ARG RUNTIME=gcr.io/distroless/python3-debian12:nonroot

FROM ${BUILDER} AS build
# With PIP_NO_INDEX and PIP_FIND_LINKS it is built from a folder of wheels, without a network;
# said again in each stage, for not every builder hands arguments on.
ARG SOURCE_DATE_EPOCH
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
# A fixed seed: sets are compiled in the order of their hashes.
ENV PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/hami/bin:/usr/local/bin:/usr/bin:/bin
WORKDIR /src
RUN python3 -m venv /opt/hami
COPY requirements requirements
RUN pip install --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY hami_admission hami_admission
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist .

# Compiled code carries the hash of its source, not its time.
FROM build AS build-control
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
RUN pip install --no-compile --require-hashes --only-binary :all: --requirement requirements/control.txt
RUN pip install --no-compile --no-index --no-deps --find-links /dist hami-admission
COPY requirements/finish.sh /
RUN sh /finish.sh

FROM build AS build-agent
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
RUN pip install --no-compile --require-hashes --only-binary :all: --requirement requirements/agent.txt
RUN pip install --no-compile --no-index --no-deps --find-links /dist hami-admission
COPY requirements/finish.sh /
RUN sh /finish.sh

FROM ${RUNTIME} AS runtime
USER 0:0
# An argument, not the environment: a running process has a seed by chance.
ARG PYTHONHASHSEED=0
RUN ["/usr/bin/python3", "-c", "import compileall, sysconfig; from py_compile import PycInvalidationMode as Mode; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=1, invalidation_mode=Mode.UNCHECKED_HASH)"]
ENV PATH=/opt/hami/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ENTRYPOINT ["/opt/hami/bin/hami-admission"]
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.vendor="hami-admission" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

FROM runtime AS control
LABEL org.opencontainers.image.title="hami-admission control" \
      org.opencontainers.image.description="Shared accelerators for Kubernetes: webhooks, scheduler extender, quota ledger"
COPY --from=build-control /opt/hami /opt/hami
USER 65532:65532
EXPOSE 8443 9395
CMD ["control"]

FROM runtime AS agent
LABEL org.opencontainers.image.title="hami-admission agent" \
      org.opencontainers.image.description="Shared accelerators for Kubernetes: the agent of a node"
# The NVIDIA runtime brings libnvidia-ml.so.1 of the host's driver, and all cards.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility
COPY --from=build-agent /opt/hami /opt/hami
EXPOSE 9394
CMD ["agent"]

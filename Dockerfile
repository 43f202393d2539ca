# The image of every role and of the client: the binary, what it is linked with, and little else.
# For the classic builder (docker-compose 1.29) and BuildKit alike: no --mount, no here-documents.

# The workspace with its sources emptied. As long as that stays the same, what follows from it is taken from the cache.
# Pinned by its tag. To pin it by digest, write rust:1.95-slim-bookworm@sha256:… in both places.
FROM rust:1.95-slim-bookworm AS skeleton
WORKDIR /build
COPY . .
RUN set -eu; \
    find . -name '*.rs' ! -path './src/main.rs' -delete; \
    echo 'fn main() {}' >src/main.rs; \
    for manifest in $(find . -mindepth 2 -name Cargo.toml); do mkdir -p "${manifest%/*}/src" && : >"${manifest%/*}/src/lib.rs"; done; \
    find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -name main.rs ! -name lib.rs -delete; \
    # Cargo wants to see the benches that a manifest names.
    for manifest in $(find . -name Cargo.toml); do \
        for bench in $(sed -n '/^\[\[bench\]\]/,/^$/s/^name = "\(.*\)"$/\1/p' "$manifest"); do \
            mkdir -p "$(dirname "$manifest")/benches" && : >"$(dirname "$manifest")/benches/$bench.rs"; \
        done; \
    done; \
    find . -mindepth 1 -type d -empty -delete

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# `image-test` builds faster, and is for tests.
ARG PROFILE=release
COPY --from=skeleton /build .
# The dependencies.
RUN cargo build --locked --profile "$PROFILE" --bin lubdub
COPY . .
# Sources that are older than what came of the emptied ones would pass for built.
RUN find . -name '*.rs' -exec touch {} + && cargo build --locked --profile "$PROFILE" --bin lubdub

# What the image holds: /image belongs to root, /owned to the user that everything runs as.
RUN set -eu; \
    mkdir -p /image/usr/local/bin /image/etc/ssl/certs; \
    cp target/*/lubdub /image/usr/local/bin/; \
    ldd target/*/lubdub | grep -o '/[^ ]*' | xargs cp -L --parents -t /image; \
    cp -L /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
    echo 'lubdub:x:65532:65532::/:/nonexistent' >/image/etc/passwd; \
    echo 'lubdub:x:65532:' >/image/etc/group; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf
# A new volume that is mounted on one of these takes its owner, so that no container has to be root to write to its volume.
# The file inside keeps the image that meets the volume next, which may name another owner, from doing the same.
RUN set -eu; \
    # Empty: `lubdub up` takes a folder that holds other things for a mistake.
    mkdir -p /owned/data; \
    for directory in \
        secrets/authority secrets/nats secrets/redis \
        secrets/init secrets/ingest secrets/scheduler secrets/notifier secrets/console \
        volumes/nats volumes/nats-2 volumes/nats-3 volumes/redis volumes/redis-replica \
        volumes/sentinel-1 volumes/sentinel-2 volumes/sentinel-3 volumes/caddy; do \
        mkdir -p "/owned/$directory"; \
        echo 'This volume belongs to Lubdub.' >"/owned/$directory/.lubdub"; \
    done; \
    chmod -R go-rwx /owned/*

FROM scratch
LABEL org.opencontainers.image.title="Lubdub" \
      org.opencontainers.image.description="A push monitor: hears when your jobs go silent" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /owned /
ENV PATH=/usr/local/bin LUBDUB_LISTEN=0.0.0.0:8080 LUBDUB_DATA_DIR=/data
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["lubdub"]

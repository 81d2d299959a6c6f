# The em-metrics image: one static binary that runs as a non-root user.
#
#   docker build -t em-metrics .
#   export EM_METRICS_TOKEN_AUTH="$(openssl rand -hex 32)"
#   docker run -e EM_METRICS_TOKEN_AUTH -v em-metrics:/data -p 127.0.0.1:3000:3000 em-metrics
#
# BUILDER can be any image with Go 1.26, a shell and CA certificates. The same
# sources and Go version give the same binary, byte for byte. Other platforms
# (--platform linux/arm64) are cross-compiled, without an emulator.
ARG BUILDER=docker.io/library/golang:1.26.8-bookworm
FROM --platform=${BUILDPLATFORM} ${BUILDER} AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY db db
COPY exporter exporter
COPY handlers handlers
ARG VERSION=dev
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" \
      -o /out/em-metrics ./cmd/em-metrics \
 && mkdir /out/data

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="em-metrics" \
      org.opencontainers.image.description="Records deployments and incidents and exports DORA metrics to Prometheus" \
      org.opencontainers.image.source="https://github.com/em-metrics/em-metrics" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# For pushing to a collector over HTTPS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/em-metrics /em-metrics
# A new volume inherits the owner of the folder it is mounted on.
COPY --from=build --chown=65532:65532 /out/data /data

# Numeric, so that Kubernetes can verify that it is not root.
USER 65532:65532
ENV SQLITE_DB=/data/em-metrics.db
VOLUME /data
# SQLite writes its temporary files here, because there is no /tmp.
WORKDIR /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/em-metrics", "healthcheck"]
ENTRYPOINT ["/em-metrics"]

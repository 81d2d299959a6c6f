# The image of em-metrics: one static binary, run by a user who is not root.
#
#   docker build -t em-metrics .
#   docker run -e EM_METRICS_TOKEN_AUTH_FILE=/token -v ./token:/token:ro \
#     -v em-metrics:/data -p 127.0.0.1:3000:3000 em-metrics
#
# BUILDER may be any image with Go 1.26, a shell and CA certificates. The same
# sources and the same Go give the same binary to the byte. For another platform
# (--platform linux/arm64) Go compiles here what runs there: no emulator is needed.
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
      org.opencontainers.image.description="Records deployments and incidents and shows DORA metrics in Prometheus" \
      org.opencontainers.image.source="https://github.com/em-metrics/em-metrics" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# For a push to a collector over https.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/em-metrics /em-metrics
# A new volume takes the owner of what it is mounted over.
COPY --from=build --chown=65532:65532 /out/data /data

# A number, so that a platform can see that it is not root's.
USER 65532:65532
ENV SQLITE_DB=/data/em-metrics.db
VOLUME /data
# SQLite puts what it sorts here, as there is no /tmp.
WORKDIR /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/em-metrics", "healthcheck"]
ENTRYPOINT ["/em-metrics"]

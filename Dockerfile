# Patron as a container image: built in the first stage, nothing but the program in the second.
#   docker build -t patron .
#   docker run -p 8080:8080 -v patron-data:/var/lib/patron patron
# Listens at 8080 for callers and, for operators inside the container's network only, at 9190.

FROM rust:1.95-bookworm AS build
WORKDIR /patron
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/patron/target \
    cargo build --locked --profile dist --package patron && cp target/dist/patron /usr/local/bin/patron && \
    install -d -o 65532 -g 65532 -m 0700 /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/patron /usr/local/bin/patron
COPY --from=build --chown=65532:65532 /data /var/lib/patron
ENV PATRON__LISTEN=0.0.0.0:8080 \
    PATRON__ADMIN__LISTEN=0.0.0.0:9190 \
    PATRON__STORE__URL=sqlite:/var/lib/patron
USER 65532:65532
VOLUME /var/lib/patron
EXPOSE 8080
# Containers are killed 10 s after this; Patron stops within limits.stop_seconds_max (8 s).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/patron"]
CMD ["serve"]

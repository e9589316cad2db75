# docker build -t rille . && docker run -p 8080:8080 -v rille:/state rille
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /rille
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# git fetches sources; curl asks for health.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl git openssh-client && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /state --create-home rille
COPY --from=build /rille/target/release/rille /usr/local/bin/rille
USER rille
ENV RILLE_STATE=/state
VOLUME /state
EXPOSE 8080
HEALTHCHECK CMD curl -fs http://127.0.0.1:8080/healthz/ready
ENTRYPOINT ["rille"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--admin", "127.0.0.1:8081", "--health", "/healthz"]

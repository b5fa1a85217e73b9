FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/todo .

FROM debian:bookworm-slim
COPY --from=build /out/todo /usr/local/bin/todo
ENTRYPOINT ["todo"]

# Runs archbuild with the inputs of action.yml, which are in the environment. archbuild itself writes the outputs of the step.
set -euo pipefail

fail() {
  echo "::error title=archbuild::$1"
  exit 2
}

words=()
# each FLAG LINES: the flag once for each line that is not blank.
each() {
  local line
  while IFS= read -r line; do
    line=${line%$'\r'}
    if [ -n "${line// /}" ]; then words+=("$1$line"); fi
  done <<< "$2"
}

# split TEXT: words as a shell reads them; nothing is expanded.
split() {
  local list
  list=$(mktemp "$RUNNER_TEMP/archbuild-args.XXXXXX")
  if ! xargs -r printf '%s\0' <<< "$1" > "$list"; then
    rm -f "$list"
    fail "a quote in the inputs leg or args is not closed on its line"
  fi
  local more=()
  mapfile -d '' -t more < "$list"
  rm -f "$list"
  words+=("${more[@]}")
}

flags() {
  each --tag= "$TAGS"
  if [ -n "$TIME" ] && [ "$COMMAND" != "ci plan" ]; then words+=("--timeout=$TIME"); fi
  if [ "$COMMAND" = "ci assemble" ]; then
    if [ -n "$PLATFORMS" ]; then words+=("--require=$PLATFORMS"); fi
    return
  fi
  if [ -n "$PLATFORMS" ]; then words+=("--platform=$PLATFORMS"); fi
  if [ -n "$DOCKERFILE" ]; then words+=("--file=$DOCKERFILE"); fi
  if [ -n "$TARGET" ]; then words+=("--target=$TARGET"); fi
  each --build-arg= "$BUILD_ARGS"
  each --secret= "$SECRETS"
  if [ -n "$RECORD" ]; then words+=("--record=$RECORD"); fi
  if [ "$PUSH" = true ] && [ "$COMMAND" = build ]; then words+=(--push); fi
}

case $COMMAND in
  install) exit 0 ;;
  build) words=(build) ;;
  "ci plan") words=(ci plan --format=github) ;;
  "ci assemble") words=(ci assemble) ;;
  *) fail "the input command is build, ci plan, ci assemble or install" ;;
esac

if [ -n "$LEG" ]; then
  split "$LEG"
else
  flags
fi
if [ -n "$ARGS" ]; then split "$ARGS"; fi
if [ "$COMMAND" = "ci assemble" ]; then
  words+=(-- "${RECORD:-registry}")
elif [ -z "$LEG" ]; then
  words+=(--)
  each "" "$CONTEXTS"
fi

if [ -n "$REGISTRY_PASSWORD" ]; then
  [[ $REGISTRY =~ ^[0-9A-Za-z.:-]+$ ]] || fail "the input registry is the host that username and password are for"
  if [ "$REGISTRY" = docker.io ]; then REGISTRY=https://index.docker.io/v1/; fi
  DOCKER_CONFIG=$(mktemp -d "$RUNNER_TEMP/archbuild-login.XXXXXX")
  export DOCKER_CONFIG
  trap 'rm -rf "$DOCKER_CONFIG"' EXIT
  printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$REGISTRY" "$(printf '%s:%s' "$REGISTRY_USER" "$REGISTRY_PASSWORD" | base64 -w 0)" > "$DOCKER_CONFIG/config.json"
fi
unset REGISTRY_PASSWORD

export PATH="$RUNNER_TEMP/archbuild-bin:$PATH"
if [ "$COMMAND" = "ci plan" ]; then
  matrix=$(archbuild "${words[@]}")
  echo "$matrix"
  echo "matrix=$matrix" >> "$GITHUB_OUTPUT"
else
  # The runner's SIGINT and SIGTERM come to this shell, and may come before archbuild is there.
  pid="" cancelled=""
  trap 'cancelled=1; if [ -n "$pid" ]; then kill -TERM "$pid" || true; fi' INT TERM
  archbuild "${words[@]}" &
  pid=$!
  if [ -n "$cancelled" ]; then kill -TERM "$pid" || true; fi
  status=0
  wait "$pid" || status=$?
  if kill -0 "$pid" 2> /dev/null; then wait "$pid" || status=$?; fi
  exit "$status"
fi

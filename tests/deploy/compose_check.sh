#!/usr/bin/env bash
# Brings docker-compose.yml up from nothing, beside whatever else runs, and goes the way of a flag: over HTTP and over
# NATS, by a hotline that is known, to its case; and what must be refused. Takes everything down again, volumes and all.
#
#   tests/deploy/compose_check.sh                          with `docker compose`
#   COMPOSE="podman-compose" tests/deploy/compose_check.sh
#
# Needs bash and curl. Ends within LIMIT seconds (900), exits 0 only if everything held.
set -euo pipefail
cd "$(dirname "$0")/../.."

read -ra compose <<<"${COMPOSE:-docker compose}"
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-xinqiao-check}
export XINQIAO_IMAGE=${XINQIAO_IMAGE:-xinqiao:check}
export XINQIAO_PORT_REGISTRY=${XINQIAO_PORT_REGISTRY:-18101} XINQIAO_PORT_MATCHING=${XINQIAO_PORT_MATCHING:-18102}
export XINQIAO_PORT_CRISIS=${XINQIAO_PORT_CRISIS:-18103} XINQIAO_PORT_REPORTING=${XINQIAO_PORT_REPORTING:-18104}
export XINQIAO_PORT_NATS=${XINQIAO_PORT_NATS:-14222}
if [ "$COMPOSE_PROJECT_NAME" = xinqiao ]; then
  echo "this ends with down -v, and xinqiao is the name of the real installation: choose another" >&2
  exit 2
fi

hotline=check-line county=370812 elsewhere=320706
work=$(mktemp -d)
log=$work/compose.log
started=$SECONDS
(sleep "${LIMIT:-900}"; echo "not done after ${LIMIT:-900} s" >&2; kill -TERM $$) &
watchdog=$!

run() { "${compose[@]}" --profile tools run --rm -T "$@" 2>>"$log"; }
say() { printf '%4d s  %s\n' $((SECONDS - started)) "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
at() { echo "http://127.0.0.1:$1"; }

finish() {
  status=$?
  trap - EXIT TERM INT
  pkill -P "$watchdog" 2>/dev/null || true # its sleep, which would hold our output open
  kill "$watchdog" 2>/dev/null || true
  if [ $status != 0 ]; then
    { "${compose[@]}" ps -a; "${compose[@]}" logs --tail 20; tail -n 40 "$log"; } >&2 2>&1 || true
  fi
  say "down"
  "${compose[@]}" --profile tools down -v >>"$log" 2>&1 || echo "down -v failed" >&2
  rm -rf "$work"
  exit $status
}
trap finish EXIT
trap 'exit 1' TERM INT

# await SECONDS WHAT COMMAND...: until the command succeeds
await() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $end ] || fail "$what"
    sleep 0.5
  done
}
ready() { curl -sf -o /dev/null --max-time 5 "$(at "$1")/readyz"; }
token() { run operator xinqiao token "$@" | tr -d '\r\n'; }
get() { curl -s --max-time 10 -H "authorization: Bearer $1" "$2"; }
field() { sed -nE "s/.*\"$1\": ?\"([^\"]*)\".*/\1/p"; }

say "up"
"${compose[@]}" up -d --build >"$log" 2>&1 || fail "up"
for port in $XINQIAO_PORT_REGISTRY $XINQIAO_PORT_MATCHING $XINQIAO_PORT_CRISIS $XINQIAO_PORT_REPORTING; do
  await 180 "the service on port $port is not ready: $(curl -s "$(at "$port")/readyz")" ready "$port"
done
say "the four services are ready"

run install python -m xinqiao.install credentials "$hotline=$county" >>"$log"
"${compose[@]}" kill -s HUP nats >>"$log" 2>&1
say "the hotline $hotline has a credential"

registrar=$(token --role registrar)
curl -sf --max-time 60 -H "authorization: Bearer $registrar" --data-binary @services/registry/data/pilot-yanzhou-haizhou.csv \
  "$(at "$XINQIAO_PORT_REGISTRY")/v1/divisions/import" >>"$log" || fail "the divisions were not taken"
say "the divisions are loaded"

line=$(token --role hotline --hotline "$hotline" --division "$county")
officer=$(token --role duty_officer --division "$county" --subject officer-check)
stranger=$(token --role duty_officer --division "$elsewhere" --subject officer-elsewhere)
crisis=$(at "$XINQIAO_PORT_CRISIS")

over_http() {
  XINQIAO_HTTP_URL=$crisis XINQIAO_TOKEN=$line XINQIAO_HOTLINE=$hotline XINQIAO_COUNTY=$county \
    bash examples/publish_flag.sh >"$work/http.json" 2>>"$log"
}
# The division tree reaches the crisis service by an event: until then the county is unknown there.
await 60 "no flag was taken over HTTP: $(cat "$work/http.json" 2>/dev/null)" over_http
first=$(field id <"$work/http.json")
say "a flag over HTTP: $first"

# over_nats COUNTY: the published example of a client, with the hotline's own credential, from a container on the network
over_nats() {
  run -e XINQIAO_NATS_URL=nats://nats:4222 -e XINQIAO_NKEY_FILE="/secrets/nkeys/hotline-$hotline.nk" \
    -e XINQIAO_HOTLINE="$hotline" -e XINQIAO_COUNTY="$1" -e XINQIAO_SEALING_KEY_FILE=/secrets/sealing/public.jwk \
    operator python - <examples/publish_flag.py
}
over_nats "$county" >"$work/nats.json" || fail "no flag was taken over NATS"
second=$(field id <"$work/nats.json")
say "a flag over NATS: $second"

has_case() { get "$officer" "$crisis/v1/flags/$1" >"$work/case.json" && grep -q '"case_id"' "$work/case.json"; }
for flag in "$first" "$second"; do
  await 30 "flag $flag has no case" has_case "$flag"
  say "its case: $(field case_id <"$work/case.json")"
done
case_id=$(field case_id <"$work/case.json")
counted() { "${compose[@]}" exec -T reporting python -c "$(cat <<'PY'
import urllib.request
lines = urllib.request.urlopen("http://127.0.0.1:8080/metrics", timeout=5).read().decode().splitlines()
done = sum(float(l.rsplit(" ", 1)[1]) for l in lines if l.startswith("xinqiao_deliveries_total") and "case_opened" in l)
raise SystemExit(0 if done >= 2 else 1)
PY
)" >>"$log" 2>&1; }
await 30 "the statistics did not take the cases" counted
say "both are counted"

get "$officer" "$crisis/v1/cases/$case_id" | grep -q "\"id\": \?\"$case_id\"" || fail "its own county does not see the case"
get "$stranger" "$crisis/v1/cases/$case_id" | grep -q '"status": \?404' || fail "another county learns that there is a case"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$crisis/v1/cases")" = 401 ] || fail "cases without a token"
! over_nats "$elsewhere" >>"$log" || fail "a hotline published in a county that is not its own"
grep -qi 'permissions violation for publish' "$log" || fail "the broker did not say that it denied the foreign county"
say "no other county, no caller without a token, no foreign subject"

"${compose[@]}" exec -T crisis python - >>"$log" 2>&1 <<'PY' || fail "the container is not as closed as it should be"
import os
from pathlib import Path

assert os.getuid() == 10001, os.getuid()
own = {str(path.relative_to("/secrets")) for path in Path("/secrets").rglob("*") if path.is_file()}
expected = {"nkeys/crisis.nk", "mongo/crisis.uri", "master/crisis.key", "sealing/private.jwk", "tokens/public.jwks"}
assert own == expected, own ^ expected
assert not any(name.startswith("MONGO") or "PASSWORD" in name for name in os.environ)
status = Path("/proc/self/status").read_text()
assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status, status
for place in ("/opt/xinqiao/x", "/etc/x", "/secrets/x", "/x"):
    try:
        Path(place).write_text("x")
    except OSError:
        continue
    raise AssertionError(f"{place} can be written")
PY
say "non-root, nothing writable, its own secrets only"

born() { curl -s --max-time 5 "$crisis/metrics" | sed -n 's/^process_start_time_seconds //p'; }
before=$(born)
"${compose[@]}" stop >>"$log" 2>&1 || fail "stop"
say "stopped"
# The one-shots run again with it.
"${compose[@]}" up -d >>"$log" 2>&1 || fail "up again"
await 120 "the crisis service did not come back" ready "$XINQIAO_PORT_CRISIS"
[ "$(born)" != "$before" ] || fail "the crisis service was not stopped"
await 30 "the case is gone after a restart" has_case "$second"
run install >>"$log" || fail "install could not be run again"
run provision >>"$log" || fail "provision could not be run again"
run operator xinqiao audit >"$work/audit.txt" || fail "the audit does not hold: $(cat "$work/audit.txt")"
say "the audit: $(tail -n 1 "$work/audit.txt" | tr -d '\r')"
say "the same after a restart, and after install and provision were run again"
echo "everything held"

#!/usr/bin/env bash
# A hotline posts a flag over HTTP: the CloudEvent in structured mode.
#
# Environment: XINQIAO_HTTP_URL (the crisis service), XINQIAO_TOKEN (a bearer token with the role `hotline`),
# XINQIAO_HOTLINE, XINQIAO_COUNTY; if callers are to be recognised, XINQIAO_PSEUDONYM_KEY_FILE (the line's own secret);
# XINQIAO_SEALED_CONTACT, a JWE that another program sealed, if there is one. Needs curl, and openssl for the pseudonym.
# Prints the answer; exits 0 only when it is 202, which says that the flag is durable.
set -euo pipefail

id="${XINQIAO_FLAG_ID:-$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen | tr '[:upper:]' '[:lower:]')}"
now="$(date -u +%Y-%m-%dT%H:%M:%SZ)"

optional=""
if [ -n "${XINQIAO_PSEUDONYM_KEY_FILE:-}" ]; then
  # The key is in the command line for as long as openssl runs: on a shared machine use a program that reads the file.
  key="$(od -An -v -tx1 "$XINQIAO_PSEUDONYM_KEY_FILE" | tr -d ' \n')"
  caller="$(printf %s "000-0000-0001" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -r | cut -d' ' -f1)"
  optional="$optional\"caller\": \"$caller\", "
fi
if [ -n "${XINQIAO_SEALED_CONTACT:-}" ]; then
  optional="$optional\"sealed_contact\": \"$XINQIAO_SEALED_CONTACT\", "
fi

event="$(cat <<JSON
{
  "specversion": "1.0",
  "id": "$id",
  "source": "urn:xinqiao:hotline:$XINQIAO_HOTLINE",
  "type": "hotline.risk_flagged",
  "dataschema": "urn:xinqiao:schema:hotline.risk_flagged:v1",
  "time": "$now",
  "datacontenttype": "application/json",
  "data": {
    ${optional}"hotline": "$XINQIAO_HOTLINE",
    "contact": "c-${id%%-*}",
    "channel": "chat",
    "county": "$XINQIAO_COUNTY",
    "contact_started_at": "$now",
    "flagged_at": "$now",
    "hotline_level": "moderate",
    "act_in_progress": "no",
    "plan_within_72_hours": "refused",
    "attempt_within_2_weeks": "no",
    "consent_to_follow_up": "yes"
  }
}
JSON
)"

answer="$(mktemp)"
trap 'rm -f "$answer"' EXIT
# curl tries again on a lost connection and on 408, 429 and 5xx. It is the same id each time, so it takes effect once.
# The token goes in by a file descriptor, where no listing of processes shows it.
status="$(curl --silent --show-error --output "$answer" --write-out '%{http_code}' \
  --retry 8 --retry-connrefused --retry-max-time 60 --max-time 15 \
  --config <(printf 'header = "authorization: Bearer %s"\n' "$XINQIAO_TOKEN") \
  --header 'content-type: application/cloudevents+json' \
  --data-binary "$event" \
  "$XINQIAO_HTTP_URL/v1/flags")" || true

cat "$answer"
echo
if [ "$status" != 202 ]; then
  echo "not accepted: HTTP ${status:-000}" >&2
  exit 1
fi

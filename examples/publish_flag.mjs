// A hotline in Node publishes a flag over NATS. Needs the packages nats and jose (npm ci), and nothing of the platform.
//
// Environment: XINQIAO_NATS_URL, XINQIAO_NKEY_FILE (the seed), XINQIAO_HOTLINE, XINQIAO_COUNTY, XINQIAO_SEALING_KEY_FILE
// (the crisis service's public JWK), and, if callers are to be recognised, XINQIAO_PSEUDONYM_KEY_FILE (the line's own
// secret; the same for ever). Prints the broker's answer; exits 0 only when the flag is kept.
import { createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CompactEncrypt, importJWK } from "jose";
import { connect, Events, headers as newHeaders, nkeyAuthenticator } from "nats";

const TYPE = "hotline.risk_flagged";
const DEADLINE_MS = 60_000;
const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

// A UUIDv7: the milliseconds of the epoch, then chance.
function newId() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// What a responder needs in order to call back, for the crisis service's eyes alone.
async function seal(contact) {
  const jwk = JSON.parse(await readFile(env("XINQIAO_SEALING_KEY_FILE"), "utf8"));
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(contact)))
    .setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM", kid: jwk.kid })
    .encrypt(await importJWK(jwk, "ECDH-ES"));
}

// The same person gives the same value; nobody else can make it or turn it back.
async function pseudonym(identifier) {
  const file = process.env.XINQIAO_PSEUDONYM_KEY_FILE;
  return file ? createHmac("sha256", await readFile(file)).update(identifier).digest("hex") : undefined;
}

const hotline = env("XINQIAO_HOTLINE");
const county = env("XINQIAO_COUNTY");
const flaggedAt = new Date();
const body = {
  hotline,
  contact: `c-${randomBytes(8).toString("hex")}`,
  channel: "tree_hole",
  county,
  contact_started_at: new Date(flaggedAt.getTime() - 12 * 60_000).toISOString(),
  flagged_at: flaggedAt.toISOString(),
  caller: await pseudonym("000-0000-0002"), // left out where undefined
  age_band: "from_14_to_17",
  hotline_level: "moderate",
  act_in_progress: "no",
  plan_within_72_hours: "no",
  attempt_within_2_weeks: "unknown",
  suicidal_intensity: "refused",
  suspected_harm_to_minor: "no",
  consent_to_follow_up: "yes",
  sealed_contact: await seal({ name: "示例来电者乙", phone: "000-0000-0002" }),
};

const id = newId();
const headers = newHeaders();
headers.set("ce-specversion", "1.0");
headers.set("ce-id", id);
headers.set("ce-source", `urn:xinqiao:hotline:${hotline}`);
headers.set("ce-type", TYPE);
headers.set("ce-time", body.flagged_at);
headers.set("ce-dataschema", `urn:xinqiao:schema:${TYPE}:v1`);
headers.set("content-type", "application/json");

const connection = await connect({
  servers: env("XINQIAO_NATS_URL"),
  authenticator: nkeyAuthenticator(new TextEncoder().encode((await readFile(env("XINQIAO_NKEY_FILE"), "utf8")).trim())),
  inboxPrefix: `_INBOX_hotline-${hotline}`, // the only place where this credential may listen
  maxReconnectAttempts: -1,
});
let denied = false;
(async () => {
  for await (const status of connection.status()) {
    if (status.type === Events.Error) {
      console.error(`broker: ${status.data}`);
      if (status.permissionContext) denied = true;
    }
  }
})();

const data = new TextEncoder().encode(JSON.stringify(body));
const deadline = Date.now() + DEADLINE_MS;
let ack;
while (!ack && !denied && Date.now() < deadline) {
  try {
    // Until the broker has answered, the flag is not kept: the same bytes again, under the same id (msgID).
    ack = await connection.jetstream().publish(`xinqiao.${TYPE}.v1.${county}`, data, {
      msgID: id,
      headers,
      timeout: 5_000,
      expect: { streamName: "HOTLINE" },
    });
  } catch (error) {
    console.error(`not acknowledged yet: ${error.message}`);
    await sleep(500);
  }
}
await connection.close();
if (ack) {
  console.log(JSON.stringify({ id, stream: ack.stream, seq: ack.seq, duplicate: ack.duplicate }));
} else {
  console.error("the flag was not acknowledged");
  process.exitCode = 1;
}

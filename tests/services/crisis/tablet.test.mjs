// What the tablet promises, without a browser: run by test_tablet.py under `node --test`, with a form in FORM.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const pages = process.env.PAGES;
const { Queue, TokenNeeded } = await import(`${pages}/queue.js`);
const { newLock, openVault, WrongPin } = await import(`${pages}/vault.js`);
const { ageOf, answerTo, isMinor, isSkipped, isUnsafe, missingBefore, questionsOf, rowOf, withAnswer } = await import(`${pages}/form.js`);
const form = JSON.parse(readFileSync(process.env.FORM, "utf8"));

class Shelf {
  kept = new Map();
  all = async () => [...this.kept.values()];
  get = async (id) => this.kept.get(id);
  put = async (one) => void this.kept.set(one.id, structuredClone(one));
  delete = async (id) => void this.kept.delete(id);
}

const lock = newLock(1000);
const vault = await openVault("a-pin-of-test", lock);
const never = async () => {};
const row = (name) => ({ work: {}, row: { site: "point-1", person: { name, phone: "000-0000-0001" } } });

async function filled(amount) {
  const queue = new Queue(new Shelf(), vault);
  for (let number = 0; number < amount; number += 1) await queue.keep(`id-${String(number).padStart(3, "0")}`, "c1", "waiting", row(`张示例${number}`));
  return queue;
}

const takeAll = async (_, rows) => ({ rows: rows.map(({ id }) => ({ id, outcome: "taken" })) });

test("what lies on the tablet can be read with the PIN alone", async () => {
  const queue = await filled(1);
  const kept = [...queue.shelf.kept.values()];
  assert.ok(!JSON.stringify(kept, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value)).includes("0000-0001"));
  assert.ok(!Buffer.from(kept[0].sealed.data).toString("utf8").includes("张示例"));
  assert.equal((await queue.read("id-000")).row.person.name, "张示例0");
  await assert.rejects(openVault("another-pin", structuredClone(lock)), WrongPin);
  const again = await openVault("a-pin-of-test", structuredClone(lock));
  assert.deepEqual(await again.open("id-000", kept[0].sealed), row("张示例0"));
  await assert.rejects(again.open("id-001", kept[0].sealed), WrongPin, "one row does not pass for another");
  const changed = { ...kept[0].sealed, data: kept[0].sealed.data.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) };
  await assert.rejects(again.open("id-000", changed), WrongPin);
});

test("a local copy goes only when the service has it", async () => {
  const queue = await filled(4);
  const outcomes = ["taken", "already_taken", "refused"];
  const send = async (_, rows) => ({ rows: rows.slice(0, 3).map(({ id }, at) => ({ id, outcome: outcomes[at], reason: at === 2 ? "too_young" : undefined, field: "age" })) });
  const answers = await queue.upload(send, 50, never);
  assert.deepEqual(answers.map((one) => [one.id, one.outcome, one.who]), [["id-000", "taken", "张示例0"], ["id-001", "already_taken", "张示例1"], ["id-002", "refused", "张示例2"]]);
  assert.deepEqual(await queue.counts(), { draft: 0, waiting: 1, refused: 1 });
  const refused = (await queue.list()).find((one) => one.state === "refused");
  assert.deepEqual([refused.id, refused.reason, refused.field], ["id-002", "too_young", "age"]);
  assert.equal((await queue.read("id-002")).row.person.name, "张示例2", "it can be corrected");
});

test("drafts stay, and an answer that names nobody's row changes nothing", async () => {
  const queue = await filled(1);
  await queue.keep("id-100", "c1", "draft", row("草稿"));
  await queue.upload(async () => ({ rows: [{ id: "id-100", outcome: "taken" }, { id: "id-999", outcome: "taken" }, {}] }), 50, never);
  await queue.upload(async () => ({}), 50, never);
  assert.deepEqual(await queue.counts(), { draft: 1, waiting: 1, refused: 0 });
});

test("a batch that does not get through is sent again with the same ids, and counts once", async () => {
  const queue = await filled(5);
  const register = new Set();
  const sent = [];
  let calls = 0;
  const send = async (campaign, rows) => {
    calls += 1;
    sent.push(rows.map(({ id }) => id));
    if (calls === 1) throw new Error("no network");
    const answer = { rows: rows.map(({ id }) => ({ id, outcome: register.has(id) ? "already_taken" : "taken" })) };
    for (const { id } of rows) register.add(id);
    if (calls === 2) throw new Error("the answer was lost on the way");
    return answer;
  };
  await queue.upload(send, 2, never);
  assert.deepEqual(sent.slice(0, 3), [["id-000", "id-001"], ["id-000", "id-001"], ["id-000", "id-001"]]);
  assert.equal(register.size, 5);
  assert.deepEqual(await queue.counts(), { draft: 0, waiting: 0, refused: 0 });
});

test("without a network everything stays, and what was taken before stays taken", async () => {
  const queue = await filled(4);
  let calls = 0;
  const send = async (campaign, rows) => {
    calls += 1;
    if (calls > 1) throw new Error("no network");
    return takeAll(campaign, rows);
  };
  await assert.rejects(queue.upload(send, 2, never));
  assert.equal((await queue.counts()).waiting, 2);
});

test("a token that does not hold is asked for at once, and nothing is lost", async () => {
  const queue = await filled(2);
  let calls = 0;
  await assert.rejects(queue.upload(async () => { calls += 1; throw new TokenNeeded(); }, 50, never), TokenNeeded);
  assert.equal(calls, 1);
  assert.equal((await queue.counts()).waiting, 2);
});

test("rows of two campaigns are sent to their own", async () => {
  const queue = await filled(1);
  await queue.keep("id-200", "c2", "waiting", row("另一"));
  const places = [];
  await queue.upload(async (campaign, rows) => { places.push([campaign, rows.length]); return takeAll(campaign, rows); }, 50, never);
  assert.deepEqual(places, [["c1", 1], ["c2", 1]]);
});

test("the questions come block by block, and each has its answers", () => {
  const questions = questionsOf(form);
  assert.deepEqual([...new Set(questions.map((one) => one.block))].length, 4);
  assert.ok(questions.every((one) => one.label && one.answers.length > 1));
  let content = {};
  for (const one of questions) content = withAnswer(content, one, one.answers[0].value);
  assert.ok(questions.every((one) => answerTo(content, one) === one.answers[0].value));
});

test("an unsafe answer shows at once, whatever is still missing, and not to answer is not unsafe", () => {
  const asked = questionsOf(form).find((one) => one.id === "q9");
  for (const value of [1, 2, 3]) assert.equal(isUnsafe(form, withAnswer({}, asked, value)), true);
  for (const value of [0, "refused", "unknown", "not_asked"]) assert.equal(isUnsafe(form, withAnswer({}, asked, value)), false);
  assert.equal(isUnsafe(form, {}), false);
});

test("a question is passed over where an answer before says so", () => {
  const one = { place: { part: "instruments", instrument: "x" }, skipped_if: { item: "q2", is: ["no"], from: null } };
  assert.equal(isSkipped({ instruments: { x: { q2: "no" } } }, one), true);
  assert.equal(isSkipped({ instruments: { x: { q2: "yes" } } }, one), false);
  assert.equal(isSkipped({}, one), false);
});

test("who refused is neither asked nor named in what is sent", () => {
  const content = { site: "point-1", consent: "refused", consent_at: "t", taken_at: "t", age: null, person: { name: "张示例", phone: "1" }, answers: { living: "alone" } };
  assert.deepEqual(Object.keys(rowOf(form, content)).sort(), ["consent", "questionnaire", "site", "taken_at"]);
});

test("ages, minors, and what is needed before the first question", () => {
  assert.deepEqual(["71", "0", "130", "131", "-1", "7.5", "", "七十"].map(ageOf), [71, 0, 130, null, null, null, null, null]);
  assert.deepEqual([17, 18, null].map((age) => isMinor(form, { age })), [true, false, false]);
  assert.equal(missingBefore(form, { site: "point-1", age: null }), "age");
  assert.equal(missingBefore(form, { site: "point-1", age: 70 }), null);
});

test("what the form makes of an interview is printed for the service to take", () => {
  let content = { site: "point-1", age: 71, sex: "female", consent: "given", consent_by: "self", consent_how: "verbal", contact: "yes", services: ["education"] };
  Object.assign(content, { consent_at: process.env.CONSENT_AT, started_at: process.env.STARTED_AT, taken_at: process.env.TAKEN_AT });
  content.person = { name: "张示例", phone: "000-0000-0001", identity: "", guardian: "" };
  for (const one of questionsOf(form)) content = withAnswer(content, one, one.id === "q9" ? "refused" : one.answers[0].value);
  console.log("ROW " + JSON.stringify(rowOf(form, content)));
});

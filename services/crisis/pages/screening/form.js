// From a campaign's form to the steps of an interview, and from the answers to the row that is sent. No page in here.

const UNANSWERED = ["refused", "unknown", "not_asked"];

/** The questions in their order: basic information, cognition and mental health, literacy, needs. */
export function questionsOf(form) {
  const found = [];
  for (const block of form.blocks) {
    for (const item of block.items ?? []) {
      found.push({ ...item, kind: "code", block: block.title, place: { part: "answers" } });
    }
    for (const instrument of block.instruments ?? []) {
      instrument.items.forEach((item, at) => {
        found.push({
          ...item,
          label: item.label ?? `第 ${at + 1} 题（请按已获授权的纸质量表提问）`,
          answers: answersOf(item),
          block: instrument.title,
          about: instrument.about,
          place: { part: "instruments", instrument: instrument.instrument },
        });
      });
    }
  }
  return found;
}

function answersOf(item) {
  if (item.kind === "yes_no") return [{ value: "yes", label: "是" }, { value: "no", label: "否" }];
  return item.answers ?? [];
}

/** What was answered to a question, or undefined. */
export function answerTo(content, question) {
  const { part, instrument } = question.place;
  return instrument === undefined ? content[part]?.[question.id] : content[part]?.[instrument]?.[question.id];
}

/** The content with one more answer. */
export function withAnswer(content, question, value) {
  const { part, instrument } = question.place;
  if (instrument === undefined) return { ...content, [part]: { ...content[part], [question.id]: value } };
  const own = { ...content[part]?.[instrument], [question.id]: value };
  return { ...content, [part]: { ...content[part], [instrument]: own } };
}

function numeric(value) {
  if (value === "yes") return 1;
  if (value === "no") return 0;
  return typeof value === "number" ? value : null;
}

function holds(condition, answers) {
  const given = answers?.[condition.item];
  if (given === undefined || UNANSWERED.includes(given)) return (condition.is ?? []).includes(given);
  const value = numeric(given);
  if (condition.from !== null && condition.from !== undefined) return value !== null && value >= condition.from;
  return condition.is.some((word) => given === word || (["yes", "no"].includes(word) && numeric(word) === value));
}

/** Whether a question is passed over because of an answer given before. */
export function isSkipped(content, question) {
  if (!question.skipped_if) return false;
  return holds(question.skipped_if, content.instruments?.[question.place.instrument]);
}

/** Whether an answer so far is unsafe, whatever is still missing. */
export function isUnsafe(form, content) {
  return form.blocks.some((block) =>
    (block.instruments ?? []).some((instrument) =>
      instrument.unsafe.some((rule) => rule.every((one) => holds(one, content.instruments?.[instrument.instrument]))),
    ),
  );
}

/** Years of age as entered, or null. */
export function ageOf(text) {
  return /^[0-9]{1,3}$/.test(text ?? "") && Number(text) <= 130 ? Number(text) : null;
}

/** Whether the guardian has to consent first. */
export function isMinor(form, content) {
  return content.age !== null && content.age !== undefined && content.age < form.adult_age;
}

/** What is missing before the first question; a field's name, or null. */
export function missingBefore(form, content) {
  if (!content.site) return "site";
  const rule = form.eligibility;
  if (content.age === null && (rule.min_age || rule.max_age !== null || form.kind === "school_classes")) return "age";
  if (rule.residence.length && !content.residence) return "residence";
  if (rule.groups.length && !content.group) return "group";
  return null;
}

/** The row that the service takes. Who refused is neither asked nor named. */
export function rowOf(form, content) {
  const row = {
    questionnaire: form.questionnaire,
    site: content.site,
    consent: { answer: content.consent, by: content.consent_by ?? "self", how: content.consent_how ?? "verbal", at: content.consent_at },
    taken_at: content.taken_at,
  };
  if (content.batch) row.batch = content.batch;
  if (content.age !== null && content.age !== undefined) row.age = content.age;
  if (content.sex) row.sex = content.sex;
  if (content.residence) row.residence = content.residence;
  if (content.group) row.group = content.group;
  if (content.consent !== "given") return row;
  row.consent.contact = content.contact ?? "not_asked";
  row.started_at = content.started_at;
  row.answers = content.answers ?? {};
  row.instruments = content.instruments ?? {};
  row.services = content.services ?? [];
  const person = {};
  for (const name of ["identity", "phone", "name", "guardian"]) {
    if (content.person?.[name]?.trim()) person[name] = content.person[name].trim();
  }
  if (person.identity || person.phone) row.person = person;
  return row;
}

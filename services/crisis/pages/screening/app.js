// The surveyor's page: unlock, load a campaign, interview with or without a network, send.

import { ageOf, answerTo, isMinor, isSkipped, isUnsafe, missingBefore, questionsOf, rowOf, withAnswer } from "./form.js";
import { Queue, TokenNeeded } from "./queue.js";
import { openShelves } from "./shelf.js";
import { WrongPin, newLock, openVault } from "./vault.js";
import { choices, field, h, say, select, show } from "./view.js";

const REASONS = {
  id_reused: "编号已用于另一份内容",
  too_young: "年龄低于本次活动的范围",
  too_old: "年龄高于本次活动的范围",
  not_resident: "不属于本次活动的常住对象",
  not_in_group: "不属于本次活动的对象",
  campaign_not_running: "活动尚未开始或已经上报",
  unknown_site: "没有这个站点，或您不负责它",
  unknown_batch: "该站点没有这个批次",
  another_questionnaire: "问卷版本不同，请更新问卷",
  time_in_future: "时间晚于现在，请检查平板的时钟",
  outside_window: "不在活动的起止日期内",
  consent_too_late: "知情同意须在第一题之前",
  no_consent: "未同意的，不能有回答和个人信息",
  guardian_consent_needed: "未成年人须监护人同意",
  needed: "缺少必填内容",
  no_such_answer: "有一个回答不在选项内",
  invalid: "内容有误",
};
const FIELDS = { age: "年龄", residence: "居住情况", group: "人群", site: "站点", batch: "批次", taken_at: "时间", "consent.by": "知情同意人", person: "个人信息" };
const SEXES = [["unknown", "未说明"], ["female", "女"], ["male", "男"]];
const RESIDENCES = [["", "请选择"], ["resident", "本地常住"], ["temporary", "暂住"], ["elsewhere", "其他"]];
const STATES = { draft: "未完成", waiting: "待上传", refused: "被退回" };

const app = { settings: null, shelves: null, queue: null, vault: null, form: null, idle: null };

async function start() {
  app.shelves = await openShelves();
  app.settings = await settings();
  if (navigator.serviceWorker) navigator.serviceWorker.register("/pages/screening/sw.js", { scope: "/pages/screening" }).catch(() => {});
  navigator.storage?.persist?.().catch(() => {});
  for (const kind of ["online", "offline"]) addEventListener(kind, tellNetwork);
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, stayAwake);
  unlock();
}

async function settings() {
  try {
    const found = await (await fetch("/pages/screening/settings.json")).json();
    await app.shelves.settings.put({ id: "settings", ...found });
    return found;
  } catch {
    return app.shelves.settings.get("settings");
  }
}

function tellNetwork() {
  say(`${navigator.onLine ? "有网络" : "无网络：可以继续填写，稍后上传"}${app.form ? " · " + app.form.title : ""}`);
}

// Locking

function stayAwake() {
  clearTimeout(app.idle);
  if (app.vault) app.idle = setTimeout(lock, app.settings.lock_minutes * 60_000);
}

function lock() {
  app.vault = app.queue = null;
  unlock();
}

async function unlock() {
  tellNetwork();
  const lockKept = await app.shelves.settings.get("lock");
  const least = app.settings.pin_length;
  const pin = h("input", { type: "password", autocomplete: "off", minlength: least, required: true });
  const wrong = h("p", { class: "warning", role: "alert" });
  const go = async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    if (pin.value.length < least) return (wrong.textContent = `口令至少 ${least} 位。`);
    const own = lockKept ?? { id: "lock", ...newLock(app.settings.pin_rounds) };
    try {
      app.vault = await openVault(pin.value, own);
    } catch (error) {
      if (!(error instanceof WrongPin)) throw error;
      return (wrong.textContent = "口令不对。");
    }
    if (!lockKept) await app.shelves.settings.put(own);
    app.queue = new Queue(app.shelves.rows, app.vault);
    stayAwake();
    const [form] = await app.shelves.forms.all();
    app.form = form ?? null;
    return home();
  };
  show(
    h(
      "form",
      { onsubmit: go },
      h("h2", {}, lockKept ? "请输入口令" : "请设置口令"),
      field("pin", "口令", pin, `至少 ${least} 位。平板上的记录用它加密；忘记口令就无法恢复未上传的记录。`),
      wrong,
      h("div", { class: "row" }, h("button", { class: "main", type: "submit" }, "打开")),
    ),
  );
}

// The token, sealed while the session lasts

async function token() {
  const kept = sessionStorage.getItem("token");
  if (!kept) return null;
  const { iv, data } = JSON.parse(kept);
  return app.vault.open("token", { iv: Uint8Array.from(iv), data: Uint8Array.from(data) }).catch(() => null);
}

async function keepToken(text) {
  const { iv, data } = await app.vault.seal("token", text);
  sessionStorage.setItem("token", JSON.stringify({ iv: [...iv], data: [...data] }));
}

async function ask(path, options = {}) {
  const own = await token();
  if (!own) throw new TokenNeeded();
  const answer = await fetch(path, {
    ...options,
    headers: { authorization: `Bearer ${own}`, ...(options.body ? { "content-type": "application/json" } : {}) },
    cache: "no-store",
    credentials: "omit",
  });
  if (answer.status === 401 || answer.status === 403) throw new TokenNeeded();
  if (!answer.ok) {
    const error = new Error(`${answer.status}`);
    error.final = answer.status < 500 && answer.status !== 429;
    throw error;
  }
  return answer.json();
}

// Home

async function home(message) {
  tellNetwork();
  const counts = await app.queue.counts();
  show(
    h("h2", {}, app.form ? app.form.title : "还没有活动"),
    message && h("p", { role: "alert", class: "text" }, message),
    h("ul", { class: "counts", "aria-label": "平板上的记录" }, Object.entries(STATES).map(([state, label]) => h("li", {}, h("b", { "data-count": state }, String(counts[state])), label))),
    h(
      "div",
      { class: "row" },
      app.form && h("button", { class: "main", onclick: begin }, "开始一份新筛查"),
      h("button", { onclick: send, disabled: counts.waiting === 0 }, "上传"),
      h("button", { onclick: list }, "查看记录"),
      h("button", { onclick: campaigns }, app.form ? "更换活动或更新问卷" : "选择活动"),
      h("button", { onclick: lock }, "锁定"),
    ),
    h("div", { class: "row" }, h("button", { class: "danger", onclick: () => safety(home) }, "安全步骤")),
  );
}

function enterToken(then) {
  const box = h("textarea", { autocomplete: "off", spellcheck: "false" });
  const keep = async () => {
    const text = box.value.trim();
    if (!text) return;
    await keepToken(text);
    then();
  };
  show(
    h("h2", {}, "请输入访问令牌"),
    field("token", "访问令牌", box, "由您的负责人发给您。只在本次打开期间保存。"),
    h("div", { class: "row" }, h("button", { class: "main", onclick: keep }, "确定"), h("button", { onclick: () => home() }, "返回")),
  );
}

async function campaigns() {
  let found;
  try {
    found = (await ask("/v1/campaigns?state=running")).campaigns;
  } catch (error) {
    return error instanceof TokenNeeded ? enterToken(campaigns) : home("现在无法连接，请稍后再试。");
  }
  const choose = async (id) => {
    try {
      const form = await ask(`/v1/campaigns/${id}/form`);
      for (const other of await app.shelves.forms.all()) await app.shelves.forms.delete(other.campaign_id);
      await app.shelves.forms.put(form);
      app.form = form;
      home("问卷已保存，可以离线使用。");
    } catch (error) {
      error instanceof TokenNeeded ? enterToken(campaigns) : home("问卷没有下载完，请稍后再试。");
    }
  };
  return show(
    h("h2", {}, "选择活动"),
    found.length === 0 && h("p", {}, "您所在的区域没有正在进行的活动。"),
    h("div", { class: "row" }, found.map((one) => h("button", { onclick: () => choose(one.id) }, one.title)), h("button", { onclick: () => home() }, "返回")),
  );
}

// The interview

const stamp = () => new Date().toISOString();

function begin() {
  const [site] = app.form.sites;
  interview({ id: crypto.randomUUID(), campaign: app.form.campaign_id, at: "consent", content: { site: site?.code, age: null, person: {}, services: [] } });
}

/** Every answer is kept at once: an empty battery loses nothing. */
async function keep(work, state = "draft") {
  const content = { work, row: state === "draft" ? null : rowOf(app.form, work.content) };
  await app.queue.keep(work.id, work.campaign, state, content);
}

function interview(work) {
  if (work.at === "consent") return consent(work);
  if (work.at === "about") return about(work);
  if (work.at === "person") return person(work);
  return question(work);
}

function consent(work) {
  const content = work.content;
  const sites = select(app.form.sites.map((one) => [one.code, one.name]), content.site);
  const by = select([["self", "本人"], ["guardian", "监护人"]], content.consent_by);
  const how = select([["verbal", "口头"], ["written", "书面"]], content.consent_how);
  const answer = async (said) => {
    work.content = { ...content, site: sites.value, consent: said, consent_by: by.value, consent_how: how.value, consent_at: stamp(), age: content.age };
    if (said === "refused") {
      work.content.taken_at = work.content.consent_at;
      await keep(work, "waiting");
      return home("已记录：不愿参加。谢谢。");
    }
    work.at = "about";
    await keep(work);
    return interview(work);
  };
  show(
    h("h2", {}, "知情同意"),
    h("p", { class: "text" }, app.form.consent.text),
    h("p", { class: "hint" }, app.form.consent.guardian_text),
    field("site", "站点", sites),
    field("by", "由谁同意", by),
    field("how", "同意方式", how),
    h("div", { class: "row" }, h("button", { class: "main", onclick: () => answer("given") }, "同意参加"), h("button", { onclick: () => answer("refused") }, "不愿参加")),
    h("div", { class: "row" }, h("button", { onclick: () => home() }, "返回")),
  );
}

function about(work) {
  const content = work.content;
  const rule = app.form.eligibility;
  const batches = app.form.sites.find((one) => one.code === content.site)?.batches ?? [];
  const age = h("input", { inputmode: "numeric", autocomplete: "off", value: content.age ?? "" });
  const sex = select(SEXES, content.sex);
  const residence = select(RESIDENCES, content.residence);
  const group = select([["", "请选择"], ...rule.groups.map((code) => [code, code])], content.group);
  const batch = select([["", "不分批次"], ...batches.map((code) => [code, code])], content.batch);
  const contact = select([["not_asked", "未问"], ["yes", "愿意"], ["no", "不愿意"], ["unknown", "不知道"], ["refused", "拒绝回答"]], content.contact);
  const wrong = h("p", { class: "warning", role: "alert" });
  const go = async (event) => {
    event.preventDefault();
    const years = ageOf(age.value.trim());
    if (age.value.trim() && years === null) return (wrong.textContent = "年龄请填 0 到 130 的数字。");
    work.content = { ...content, age: years, sex: sex.value, contact: contact.value, batch: batch.value, residence: residence.value, group: group.value };
    const missing = missingBefore(app.form, work.content);
    if (missing) return (wrong.textContent = `请先填写：${FIELDS[missing]}。`);
    if (isMinor(app.form, work.content) && work.content.consent_by !== "guardian") {
      work.at = "consent";
      work.content.consent_by = "guardian";
      alertThen("对方未成年：请先取得监护人同意。", () => interview(work));
      return undefined;
    }
    work.content.started_at ??= stamp();
    work.at = 0;
    await keep(work);
    return interview(work);
  };
  show(
    h(
      "form",
      { onsubmit: go },
      h("h2", {}, "基本情况"),
      field("age", "年龄（周岁）", age),
      field("sex", "性别", sex),
      rule.residence.length > 0 && field("residence", "居住情况", residence),
      rule.groups.length > 0 && field("group", "人群", group),
      batches.length > 0 && field("batch", "批次", batch),
      field("contact", "如果结果需要关注，是否愿意工作人员联系您？", contact),
      wrong,
      h("div", { class: "row" }, h("button", { class: "main", type: "submit" }, "开始提问"), h("button", { type: "button", onclick: () => home() }, "稍后继续")),
    ),
  );
}

function question(work) {
  const questions = questionsOf(app.form);
  let at = work.at;
  while (at < questions.length && isSkipped(work.content, questions[at])) at += 1;
  work.at = at;
  if (at >= questions.length) {
    work.at = "person";
    return person(work);
  }
  const one = questions[at];
  const move = (step) => {
    let next = at + step;
    while (next > 0 && next < questions.length && isSkipped(work.content, questions[next])) next += step;
    work.at = next < 0 ? "about" : next;
    return keep(work).then(() => interview(work));
  };
  const answer = async (value) => {
    const was = isUnsafe(app.form, work.content);
    work.content = withAnswer(work.content, one, value);
    await keep(work);
    if (!was && isUnsafe(app.form, work.content)) safety(() => move(1));
  };
  const unanswered = Object.entries(app.form.unanswered).map(([value, label]) => ({ value, label }));
  const given = answerTo(work.content, one);
  return show(
    isUnsafe(app.form, work.content) && h("div", { class: "row" }, h("button", { class: "danger", onclick: () => safety(() => interview(work)) }, "安全步骤")),
    h("p", { class: "hint" }, `${one.block} · 第 ${at + 1} 题，共 ${questions.length} 题`),
    h("progress", { max: questions.length, value: at, "aria-label": "进度" }),
    one.kind === "number" || one.kind === "clock" ? typed(one, given, answer, unanswered) : choices(one.label, [one.answers, unanswered], given, answer, one.about),
    h(
      "div",
      { class: "row" },
      h("button", { onclick: () => move(-1) }, "上一题"),
      h("button", { class: "main", onclick: () => (answerTo(work.content, one) === undefined ? answer("not_asked").then(() => move(1)) : move(1)) }, "下一题"),
    ),
    h("div", { class: "row" }, h("button", { onclick: () => home() }, "稍后继续")),
  );
}

/** A question that takes a number or a time of day. */
function typed(one, given, answer, unanswered) {
  const clock = one.kind === "clock";
  const control = h("input", { type: clock ? "time" : "number", min: clock ? null : one.least, max: clock ? null : one.most, value: typeof given === "number" || clock ? (given ?? "") : "" });
  control.addEventListener("change", () => {
    if (control.value === "" || !control.checkValidity()) return;
    answer(clock ? control.value.slice(0, 5) : Number(control.value));
  });
  return h("div", {}, field("typed", one.label, control, one.about), choices("或者", [unanswered], given, answer));
}

function person(work) {
  const content = work.content;
  const inputs = {
    name: h("input", { autocomplete: "off", maxlength: 64, value: content.person?.name ?? "" }),
    phone: h("input", { autocomplete: "off", inputmode: "tel", maxlength: 64, value: content.person?.phone ?? "" }),
    identity: h("input", { autocomplete: "off", maxlength: 64, value: content.person?.identity ?? "" }),
    guardian: h("input", { autocomplete: "off", maxlength: 64, value: content.person?.guardian ?? "" }),
  };
  const services = Object.entries(app.form.services).map(([code, label]) => {
    const box = h("input", { type: "checkbox", checked: content.services?.includes(code), value: code });
    return { box, element: h("label", {}, box, h("span", {}, label)) };
  });
  const wrong = h("p", { class: "warning", role: "alert" });
  const finish = async () => {
    const said = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value]));
    const found = /[0-9A-Za-z]/.test(said.identity) || /[0-9]/.test(said.phone);
    if (!found && (said.name.trim() || said.guardian.trim())) return (wrong.textContent = "留下姓名时，请同时填写电话或证件号。");
    work.content = { ...content, person: said, services: services.filter((one) => one.box.checked).map((one) => one.box.value), taken_at: content.taken_at ?? stamp() };
    await keep(work, "waiting");
    if (isUnsafe(app.form, work.content)) return safety(() => home("已保存，请尽快上传。"));
    return home("已保存。有网络时请上传。");
  };
  show(
    isUnsafe(app.form, content) && h("p", { class: "warning" }, "有回答提示安全风险：留下联系方式，才能请专业人员联系本人。"),
    h("h2", {}, "联系方式"),
    h("p", { class: "hint" }, "可以匿名。留下电话或证件号，才能安排回访，也能避免重复统计。"),
    field("name", "姓名", inputs.name),
    field("phone", "电话", inputs.phone),
    field("identity", "证件号", inputs.identity),
    isMinor(app.form, content) && field("guardian", "监护人姓名和电话", inputs.guardian),
    h("fieldset", {}, h("h3", {}, "现场已提供的服务"), h("div", { class: "answers" }, services.map((one) => one.element))),
    wrong,
    h("div", { class: "row" }, h("button", { class: "main", onclick: finish }, "完成"), h("button", { onclick: () => { work.at = questionsOf(app.form).length - 1; interview(work); } }, "上一题")),
  );
}

// Danger: shown at once, with or without a network

function safety(then) {
  const said = app.form?.safety ?? app.settings.safety;
  show(
    h(
      "section",
      { class: "unsafe", role: "alertdialog", "aria-labelledby": "danger" },
      h("h2", { id: "danger" }, said.title),
      h("ol", {}, said.steps.map((step) => h("li", {}, step))),
      h("p", { class: "calls" }, said.calls.map((number) => h("a", { href: `tel:${number}` }, `拨打 ${number}`))),
      h("div", { class: "row" }, h("button", { class: "danger", onclick: () => then() }, "我已按步骤处理，继续")),
    ),
  );
}

function alertThen(text, then) {
  show(h("p", { class: "text", role: "alert" }, text), h("div", { class: "row" }, h("button", { class: "main", onclick: then }, "知道了")));
}

// Records and sending

async function list() {
  const rows = await app.queue.list();
  const reopen = async ({ id, reason }) => {
    const { work } = await app.queue.read(id);
    if (reason === "time_in_future") {
      // The tablet's clock was wrong: consent is asked for anew, and with it the times.
      Object.assign(work, { at: "consent", content: { ...work.content, consent_at: null, started_at: null, taken_at: null } });
    }
    if (work.campaign !== app.form?.campaign_id) return home("这份记录属于另一个活动，请先选择那个活动。");
    return interview({ ...work, at: work.content.consent === "given" && work.at !== "consent" ? (work.at === "person" ? "about" : work.at) : "consent" });
  };
  const discard = (id) =>
    show(
      h("p", { class: "text", role: "alert" }, "作废后无法恢复，也不会被统计。确定作废吗？"),
      h("div", { class: "row" }, h("button", { class: "danger", onclick: () => app.queue.remove(id).then(list) }, "作废"), h("button", { onclick: list }, "返回")),
    );
  show(
    h("h2", {}, "平板上的记录"),
    rows.length === 0 && h("p", {}, "没有记录。"),
    h(
      "ul",
      { class: "list" },
      rows.map((one) =>
        h(
          "li",
          { "data-id": one.id },
          h("b", {}, STATES[one.state]),
          ` · 编号 ${one.id.slice(0, 8)}`,
          one.reason && h("p", { class: "warning" }, `${REASONS[one.reason] ?? one.reason}${one.field ? `（${FIELDS[one.field] ?? one.field}）` : ""}`),
          h("div", { class: "row" }, one.state !== "waiting" && h("button", { onclick: () => reopen(one) }, one.state === "draft" ? "继续" : "修改"), one.state !== "waiting" && h("button", { onclick: () => discard(one.id) }, "作废")),
        ),
      ),
    ),
    h("div", { class: "row" }, h("button", { class: "main", onclick: () => home() }, "返回")),
  );
}

async function send() {
  say("正在上传……");
  const post = (campaign, rows) => ask(`/v1/campaigns/${campaign}/screenings/import`, { method: "POST", body: JSON.stringify({ rows }) });
  let answers;
  try {
    answers = await app.queue.upload(post, app.form?.rows_together ?? 50);
  } catch (error) {
    return error instanceof TokenNeeded ? enterToken(send) : home("没有全部上传。记录仍在平板上，请稍后再试。");
  }
  tellNetwork();
  return results(answers);
}

function results(answers) {
  const refused = answers.filter((one) => one.outcome === "refused").length;
  const offer = (one, accepts, row) =>
    ask(`/v1/campaigns/${one.campaign}/screenings/${one.id}/peer-leader`, { method: "POST", body: JSON.stringify({ accepts }) })
      .then(() => row.replaceChildren(accepts ? "已登记：愿意。" : "已登记：不愿意。"))
      .catch(() => row.append("没有登记上，请稍后再试。"));
  show(
    h("h2", {}, "上传结果"),
    h("p", { role: "status", id: "uploaded" }, `已上传 ${answers.length - refused} 份，被退回 ${refused} 份。`),
    h(
      "ul",
      { class: "list" },
      answers
        .filter((one) => one.outcome !== "refused" && one.guidance)
        .map((one) => {
          const row = h("div", { class: "row" });
          if (one.peer_leader === "offered") {
            row.append("愿意做邻里带头人吗？", h("button", { onclick: () => offer(one, true, row) }, "愿意"), h("button", { onclick: () => offer(one, false, row) }, "不愿意"));
          }
          return h("li", {}, h("b", {}, one.who), one.flagged && h("p", { class: "warning" }, "已通知专业人员，请留意负责人的联系。"), h("p", {}, one.guidance), row);
        }),
    ),
    h("div", { class: "row" }, h("button", { class: "main", onclick: () => home() }, "返回")),
  );
}

start().catch(() => show(h("p", { class: "warning" }, "页面无法打开：请检查浏览器是否允许保存数据，并确认地址以 https 开头。")));

// Elements without markup in strings: what a person typed is never read as HTML.

/** An element: `h("button", {class: "main", onclick: act}, "…")`; children are elements, text, or nothing. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put a screen in place, and let a screen reader begin at its top. */
export function show(...children) {
  const main = document.getElementById("main");
  main.replaceChildren(...children.flat().filter(Boolean));
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** A field with its label; `hint` is read with it. */
export function field(id, label, control, hint) {
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return [h("label", { for: id }, label), hint && h("p", { class: "hint", id: `${id}-hint` }, hint), control];
}

export function select(options, chosen) {
  return h("select", {}, options.map(([value, label]) => h("option", { value, selected: value === (chosen ?? "") }, label)));
}

/** One question with its answers as large radio buttons; those that answer nothing stand apart. */
export function choices(legend, groups, chosen, act, about) {
  const box = (answer) =>
    h(
      "label",
      {},
      h("input", { type: "radio", name: "answer", checked: answer.value === chosen, onchange: () => act(answer.value), "data-value": String(answer.value) }),
      h("span", {}, answer.label),
    );
  return h(
    "fieldset",
    {},
    h("legend", {}, legend),
    about && h("p", { class: "hint" }, about),
    groups.map((group, at) => h("div", { class: at ? "answers other" : "answers" }, group.map(box))),
  );
}

export function say(text) {
  document.getElementById("status").textContent = text;
}

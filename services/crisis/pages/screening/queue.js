// What was taken down and is not with the service yet. A row leaves the tablet only when the service says that it has it.

export const STATES = ["draft", "waiting", "refused"];
const DONE = ["taken", "already_taken"];
const PAUSES = [1000, 4000, 15000];

/** No token, or one that no longer holds: the surveyor has to enter one. */
export class TokenNeeded extends Error {}

export class Queue {
  /**
   * @param {{all(): Promise<object[]>, get(id: string): Promise<object|undefined>, put(one: object): Promise<void>, delete(id: string): Promise<void>}} shelf
   * @param {{seal(label: string, value: unknown): Promise<object>, open(label: string, sealed: object): Promise<unknown>}} vault
   */
  constructor(shelf, vault) {
    this.shelf = shelf;
    this.vault = vault;
  }

  /** Keep a row, encrypted. The id stays the same for ever, so sending it twice counts once. */
  async keep(id, campaign, state, content, more = {}) {
    await this.shelf.put({ id, campaign, state, reason: null, field: null, ...more, sealed: await this.vault.seal(id, content) });
  }

  async read(id) {
    const one = await this.shelf.get(id);
    return one === undefined ? undefined : this.vault.open(id, one.sealed);
  }

  async remove(id) {
    await this.shelf.delete(id);
  }

  /** Every row's id, campaign, state and reason; nothing about a person. */
  async list() {
    return (await this.shelf.all())
      .map(({ id, campaign, state, reason, field }) => ({ id, campaign, state, reason, field }))
      .sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  async counts() {
    const found = Object.fromEntries(STATES.map((state) => [state, 0]));
    for (const one of await this.shelf.all()) found[one.state] += 1;
    return found;
  }

  /**
   * Send what waits, in batches. `send(campaign, rows)` gives the service's answer: `{rows: [{id, outcome, …}]}`.
   * A batch that does not get through is sent again, with the same ids; then the rest stays for later.
   * Returns what the service said, with `campaign` and `who`: in memory only, for the surveyor who stands by.
   */
  async upload(send, together, pause = (ms) => new Promise((go) => setTimeout(go, ms))) {
    const waiting = (await this.shelf.all()).filter((one) => one.state === "waiting");
    const answers = [];
    for (const campaign of [...new Set(waiting.map((one) => one.campaign))].sort()) {
      const own = waiting.filter((one) => one.campaign === campaign).sort((one, other) => (one.id < other.id ? -1 : 1));
      for (let start = 0; start < own.length; start += together) {
        const part = own.slice(start, start + together);
        const rows = [];
        for (const one of part) {
          const { row } = await this.vault.open(one.id, one.sealed);
          rows.push({ ...row, id: one.id });
        }
        const names = new Map(rows.map((row) => [row.id, row.person?.name ?? `编号 ${row.id.slice(0, 8)}`]));
        const settled = await this.#settle(part, await attempt(() => send(campaign, rows), pause));
        answers.push(...settled.map((said) => ({ ...said, campaign, who: names.get(said.id) })));
      }
    }
    return answers;
  }

  /** Only what the service names is settled; what it does not name stays. */
  async #settle(part, answer) {
    const sent = new Map(part.map((one) => [one.id, one]));
    const settled = [];
    for (const said of answer.rows ?? []) {
      const one = sent.get(said.id);
      if (one === undefined) continue;
      if (DONE.includes(said.outcome)) {
        await this.shelf.delete(one.id);
        settled.push(said);
      } else if (said.outcome === "refused") {
        await this.shelf.put({ ...one, state: "refused", reason: said.reason ?? "invalid", field: said.field ?? "" });
        settled.push(said);
      }
    }
    return settled;
  }
}

async function attempt(send, pause) {
  for (const wait of PAUSES) {
    try {
      return await send();
    } catch (error) {
      if (error instanceof TokenNeeded || error.final) throw error;
      await pause(wait);
    }
  }
  return send();
}

// IndexedDB in promises: rows (encrypted), the lock, and the forms that were loaded.

function request(asked) {
  return new Promise((done, failed) => {
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
}

export async function openShelves(name = "xinqiao-screening") {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore("rows", { keyPath: "id" });
    opening.result.createObjectStore("forms", { keyPath: "campaign_id" });
    opening.result.createObjectStore("settings", { keyPath: "id" });
  };
  const database = await request(opening);
  return { rows: shelf(database, "rows"), forms: shelf(database, "forms"), settings: shelf(database, "settings") };
}

function shelf(database, name) {
  const store = (mode) => database.transaction(name, mode, { durability: "strict" }).objectStore(name);
  const write = (act) =>
    new Promise((done, failed) => {
      const own = store("readwrite");
      act(own);
      own.transaction.oncomplete = () => done();
      own.transaction.onabort = () => failed(own.transaction.error);
    });
  return {
    all: () => request(store("readonly").getAll()),
    get: (id) => request(store("readonly").get(id)),
    put: (one) => write((own) => own.put(one)),
    delete: (id) => write((own) => own.delete(id)),
  };
}

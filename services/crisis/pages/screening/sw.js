// The page opens without a network: its files come from the network while there is one, and else from the last time.

const SHELF = "xinqiao-screening-page";
const HOME = "/pages/screening";
const FILES = ["", "/app.js", "/form.js", "/queue.js", "/shelf.js", "/vault.js", "/view.js", "/style.css", "/icon.svg", "/manifest.webmanifest", "/settings.json"];
const PATIENCE = 4000;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(SHELF).then((shelf) => shelf.addAll(FILES.map((file) => new Request(HOME + file, { cache: "reload" })))).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  const own = address.pathname === HOME || address.pathname.startsWith(HOME + "/");
  if (event.request.method === "GET" && address.origin === self.location.origin && own) event.respondWith(fileOf(event.request, address.pathname));
});

async function fileOf(asked, path) {
  const shelf = await caches.open(SHELF);
  try {
    const answer = await fetch(asked, { signal: AbortSignal.timeout(PATIENCE) });
    if (answer.ok) {
      await shelf.put(path, answer.clone());
      return answer;
    }
  } catch {
    // no network: what was kept serves
  }
  return (await shelf.match(path)) ?? Response.error();
}

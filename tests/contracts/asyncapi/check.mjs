// Reads an AsyncAPI document with the project's own parser. Errors and warnings go to stderr; exit 0 means accepted.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const path = process.argv[2];
const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"), { source: path });
const severities = ["error", "warning", "info", "hint"];
for (const { severity, path: place, message } of diagnostics) {
  if (severity <= 1) console.error(`${severities[severity]}: ${place.join(".")}: ${message}`);
}
if (!document || diagnostics.some(({ severity }) => severity === 0)) process.exit(1);
console.log(
  JSON.stringify({
    version: document.version(),
    channels: document.channels().length,
    operations: document.operations().length,
    messages: document.components().messages().length,
    warnings: diagnostics.filter(({ severity }) => severity === 1).length,
  }),
);

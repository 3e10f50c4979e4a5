// Drives the console in a real Chromium, one request at a time: POST / {"do": NAME, ...} answers
// {"value": ...} or {"error": "..."}. The lab's `browser::Browser` starts it and speaks to it.
//
// driver.mjs PORT CONSOLE_URL SCREENS_DIR
//
// What may be asked for is in steps.mjs and screens.mjs. playwright-core is the console's own
// development dependency; its browsers are not used, Debian's Chromium is.
import { createServer } from "node:http";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { Desk } from "./desk.mjs";
import * as screens from "./screens.mjs";
import * as steps from "./steps.mjs";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const [port, consoleUrl, screensDir] = process.argv.slice(2);
const consolePackage = new URL("../../dashboards/console/package.json", import.meta.url);
const { chromium } = createRequire(consolePackage)("playwright-core");

await mkdir(screensDir, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
const desk = new Desk(browser, consoleUrl, screensDir);

async function obey({ do: name, ...args }) {
  const step = steps[name] ?? screens[name];
  if (step === undefined) throw new Error(`there is no step '${name}'`);
  return step(desk, args);
}

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let reply;
  try {
    // An empty body only asks whether the driver is there.
    const body = Buffer.concat(chunks).toString();
    reply = { value: body === "" ? null : ((await obey(JSON.parse(body))) ?? null) };
  } catch (error) {
    const seen = await desk.showFailure();
    reply = { error: `${error.message}\n${seen}` };
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(reply));
}

createServer((request, response) => void answer(request, response)).listen(
  Number(port),
  "127.0.0.1",
);

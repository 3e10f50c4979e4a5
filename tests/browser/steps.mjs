// What people do at the console, by role and accessible name as they would find it.
import { readFile } from "node:fs/promises";
import { LIMIT_MS } from "./desk.mjs";

const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true });

/** By the navigation, as a user goes. */
async function go(page, name) {
  const navigation = page.getByRole("navigation", { name: "Main navigation" });
  await navigation.getByRole("link", { name, exact: true }).click();
  await heading(page, name).waitFor();
}

function row(page, table, name) {
  const link = page.getByRole("link", { name, exact: true });
  return page.getByRole("table", { name: table }).getByRole("row").filter({ has: link });
}

async function fillLogin(page, login, password) {
  await heading(page, "Log in").waitFor();
  await page.getByLabel("Login", { exact: true }).fill(login);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await heading(page, "Overview").waitFor();
}

/** A stranger is led to the login page, and from there into the console. */
export async function login(desk, { as, login, password }) {
  const page = await desk.seat(as);
  await page.goto("/");
  await fillLogin(page, login, password);
}

/** The one-time link; then out, and in again with the password that it set. */
export async function setup(desk, { as, link, login, password }) {
  const page = await desk.seat(as);
  await page.goto(link);
  await page.getByLabel("New password", { exact: true }).fill(password);
  await page.getByLabel("Repeat the password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Set password" }).click();
  await heading(page, "Overview").waitFor();
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await fillLogin(page, login, password);
}

/** The balance that the page shows afterwards. */
export async function topUp(desk, { as, tenant, amount, memo }) {
  const page = desk.page(as);
  await go(page, "Tenants");
  await page.getByRole("link", { name: tenant, exact: true }).click();
  await heading(page, tenant).waitFor();
  await page.getByRole("button", { name: "Top up" }).click();
  const dialog = page.getByRole("dialog", { name: `Top up ${tenant}` });
  await dialog.getByLabel("Amount").fill(amount);
  await dialog.getByLabel("Memo").fill(memo);
  await dialog.getByRole("button", { name: "Top up" }).click();
  // The message goes by itself after a while: it is looked for while the dialog closes.
  const message = said(page, `${tenant} is topped up`);
  const [told] = await Promise.all([message, dialog.waitFor({ state: "hidden" })]);
  return told;
}

/** The text of a message that came up. */
async function said(page, words) {
  const message = page.getByRole("alert").filter({ hasText: words });
  return (await message.innerText()).trim();
}

async function choose(dialog, label) {
  await dialog.getByRole("combobox", { name: label }).click();
  const option = dialog.page().getByRole("option");
  await option.first().click();
}

/** Through the form; returns when the list shows it running. */
export async function createInstance(desk, { as, name }) {
  const page = desk.page(as);
  await go(page, "Instances");
  await mark(page);
  await page.getByRole("button", { name: "Create instance" }).click();
  const dialog = page.getByRole("dialog", { name: "Create an instance" });
  await dialog.getByRole("textbox", { name: "Name" }).fill(name);
  await choose(dialog, "Flavor");
  await choose(dialog, "Image");
  await dialog.getByRole("button", { name: "Create", exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
  const line = row(page, "Instances", name);
  await line.locator('[data-status="running"]').waitFor();
  await unmoved(page);
  const link = line.getByRole("link", { name, exact: true });
  return (await link.getAttribute("href")).split("/").pop();
}

/** From the list to its page. */
export async function openInstance(desk, { as, name }) {
  const page = desk.page(as);
  await go(page, "Instances");
  await row(page, "Instances", name).getByRole("link", { name, exact: true }).click();
  await heading(page, name).waitFor();
  await mark(page);
}

/** A button of the instance's page, and its question where it asks one. */
export async function press(desk, { as, verb, name, asks }) {
  const page = desk.page(as);
  await page.getByRole("button", { name: verb, exact: true }).click();
  if (asks) {
    const dialog = page.getByRole("dialog", { name: `${verb} ${name}?` });
    await dialog.getByRole("button", { name: verb, exact: true }).click();
  }
}

/** The open page comes to show this state by itself. */
export async function sees(desk, { as, state }) {
  const page = desk.page(as);
  const head = page.locator("main").locator("div", { has: page.locator("h1") }).last();
  await head.locator(`[data-status="${state}"]`).waitFor();
  await unmoved(page);
}

/** Back at the list, from which it goes. */
export async function gone(desk, { as, name }) {
  const page = desk.page(as);
  await heading(page, "Instances").waitFor();
  await row(page, "Instances", name).waitFor({ state: "detached" });
  await unmoved(page);
}

/** A page that was loaded again has lost the mark. */
const mark = (page) => page.evaluate(() => void (window.unmoved = true));
async function unmoved(page) {
  if (!(await page.evaluate(() => window.unmoved === true))) {
    throw new Error("the page was loaded again");
  }
}

/** The chart of an instance's CPU: what it was told, twice, and whether ink is on its canvas. */
export async function cpuChart(desk, { as, name }) {
  const page = desk.page(as);
  const range = async () => {
    const response = await page.waitForResponse(
      (response) =>
        response.url().includes("/query_range") &&
        decodeURIComponent(response.url()).includes("libvirt_domain_info_cpu_time_seconds_total"),
    );
    const values = (await response.json()).data.result[0]?.values ?? [];
    return { points: values.length, last_s: values.at(-1)?.[0] ?? 0, last: values.at(-1)?.[1] };
  };
  const first = range();
  await openInstance(desk, { as, name });
  const shown = await first;
  const chart = page.getByRole("img", { name: "CPU use" });
  const canvas = chart.locator("canvas");
  await canvas.waitFor();
  const later = await range();
  const handle = await canvas.elementHandle();
  // The line has a hue; axes and grid are grey.
  const inked = await page.waitForFunction((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let pixels = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [r, g, b, a] = [data[i], data[i + 1], data[i + 2], data[i + 3]];
      if (a > 128 && Math.max(r, g, b) - Math.min(r, g, b) > 40) pixels += 1;
    }
    return pixels > 100 && pixels;
  }, handle);
  const text = await chart.locator("xpath=..").getByRole("listitem").innerText();
  await unmoved(page);
  return { shown, later, pixels: await inked.jsonValue(), text: text.replace(/\s+/g, " ") };
}

/** Written into the editor, with a name that it offers, and run by Enter: what is drawn. */
export async function query(desk, { as, begin, offered, end }) {
  const page = desk.page(as);
  await go(page, "Metrics");
  await page.getByRole("textbox", { name: "PromQL expression" }).click();
  await page.keyboard.type(begin);
  await page.getByRole("option", { name: offered }).click();
  await page.keyboard.type(end);
  // Whatever list is still open, Enter is to run the expression.
  await page.keyboard.press("Escape");
  const expr = await page.locator(".cm-line").innerText();
  const answer = page.waitForResponse((response) => response.url().includes("/query_range"));
  await page.keyboard.press("Enter");
  const { data } = await (await answer).json();
  const chart = page.getByRole("img", { name: expr, exact: true });
  await chart.locator("canvas").waitFor();
  const lines = await chart.locator("xpath=..").getByRole("listitem").allInnerTexts();
  const points = data.result.map(({ values }) => values.length);
  return { expr, points, lines: lines.map((text) => text.replace(/\s+/g, " ")) };
}

/** On the instance's open page: its serial port, what is typed there, and what the guest answers. */
export async function terminal(desk, { as, type, expects }) {
  const page = desk.page(as);
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(new URL(socket.url()).pathname));
  await page.getByRole("button", { name: "Open terminal" }).click();
  await connected(page);
  await page.keyboard.type(type);
  const shown = page.locator(".xterm-rows");
  await shown.filter({ hasText: expects }).waitFor();
  const text = await shown.innerText();
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.getByRole("log", { name: "Serial console" }).waitFor();
  return { text: text.trim(), sockets };
}

/** And its screen: how large it is, and how much of it is lit. */
export async function screen(desk, { as }) {
  const page = desk.page(as);
  await page.getByRole("button", { name: "Open screen" }).click();
  await connected(page);
  const canvas = await page
    .getByRole("application", { name: "Screen" })
    .locator("canvas")
    .elementHandle();
  const lit = await page.waitForFunction((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let pixels = 0;
    for (let i = 0; i < data.length; i += 4) pixels += Number(data[i] > 100);
    return pixels > 100 && { width: canvas.width, height: canvas.height, pixels };
  }, canvas);
  await page.getByRole("button", { name: "Close", exact: true }).click();
  return lit.jsonValue();
}

const connected = (page) => page.locator('main [data-status="open"]').waitFor();

/** The tenant's first page. */
export async function overview(desk, { as }) {
  const page = desk.page(as);
  await go(page, "Overview");
  const balance = await page.getByLabel(/^Balance /).getAttribute("aria-label");
  const runsOut = await page.getByText(/^Runs out in /).innerText();
  return { balance, runs_out: runsOut, operations: await table(page, "Recent operations") };
}

const rowsOf = (page, name) =>
  page.getByRole("table", { name, exact: true }).locator("tbody").getByRole("row");

/** The cells of a table, row by row, as they are now. */
const cellsOf = (page, name) =>
  rowsOf(page, name).evaluateAll((rows) =>
    rows.map((row) => [...row.cells].map((cell) => cell.innerText.replace(/\s+/g, " ").trim())),
  );

/** The same, once it has any. */
async function table(page, name) {
  await rowsOf(page, name).first().waitFor();
  return cellsOf(page, name);
}

/** A page of a list, and the page of one of its lines. */
export async function lookAt(desk, { as, list, name, tables = [], charts = [] }) {
  const page = desk.page(as);
  await go(page, list);
  const line = (await table(page, list)).find(([first]) => first.startsWith(name));
  await page.getByRole("link", { name, exact: true }).click();
  await heading(page, name).waitFor();
  for (const chart of charts) {
    await page.getByRole("img", { name: chart }).locator("canvas").waitFor();
  }
  const seen = {};
  for (const name of tables) seen[name] = await table(page, name);
  return { line, tables: seen };
}

/** An alert by its name, whatever its state; it may change its tab while we look. */
export async function alert(desk, { as, name }) {
  const page = desk.page(as);
  await go(page, "Alerts");
  const until = Date.now() + LIMIT_MS;
  do {
    for (const state of ["Firing", "Pending", "Resolved"]) {
      await page.getByRole("tab", { name: new RegExp(`^${state} \\(`) }).click();
      const rows = await cellsOf(page, `Alerts: ${state}`);
      const found = rows.find(([cell]) => cell.startsWith(name));
      if (found !== undefined) return { state, row: found };
    }
  } while (Date.now() < until);
  throw new Error(`no alert ${name} on the page`);
}

/** What stands in the diagram's boxes. */
export async function topology(desk, { as }) {
  const page = desk.page(as);
  await go(page, "Topology");
  const boxes = page.locator(".react-flow__node");
  await boxes.filter({ hasText: "web-1" }).first().waitFor();
  return boxes.allInnerTexts();
}

export async function operations(desk, { as }) {
  const page = desk.page(as);
  await go(page, "Operations");
  return table(page, "Operations");
}

/** The bill's page: its lines and subtotal, what it asked the API for, and the file it gives. */
export async function bill(desk, { as }) {
  const page = desk.page(as);
  const asked = page.waitForResponse((response) => /\/bill\?/.test(response.url()));
  await go(page, "Billing");
  const url = new URL((await asked).url());
  const rows = await table(page, "Bill");
  const total = page.getByRole("table", { name: "Bill" }).locator("tfoot").getByRole("cell");
  const subtotal = (await total.last().innerText()).replace(/[^0-9.-]/g, "");
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download CSV" }).click();
  const file = await download;
  const csv = await readFile(await file.path(), "utf8");
  const path = (url) => url.pathname + url.search;
  return {
    path: path(url),
    rows,
    subtotal,
    csv,
    csv_path: path(new URL(file.url())),
    csv_name: file.suggestedFilename(),
  };
}

/** Nothing went wrong that nobody saw. */
export async function faultless(desk) {
  if (desk.faults.length > 0) throw new Error(`the pages had faults:\n${desk.faults.join("\n")}`);
}

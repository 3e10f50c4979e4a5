// One browser window a person: each has its own cookies, and one page that stays where it is.
import { join } from "node:path";

/** What a page may wait for: a guest's way, under emulation, with a slow machine around it. */
export const LIMIT_MS = 60_000;

export class Desk {
  #people = new Map();

  constructor(browser, url, screensDir) {
    this.browser = browser;
    this.url = url;
    this.screensDir = screensDir;
    /** What no page may do: throw, be refused by its own content policy, get a 5xx. */
    this.faults = [];
  }

  /** A new window for this person. */
  async seat(name, options = {}) {
    const context = await this.browser.newContext({
      baseURL: this.url,
      locale: "en-US",
      timezoneId: "Asia/Shanghai",
      viewport: { width: 1280, height: 860 },
      ...options,
    });
    context.setDefaultTimeout(LIMIT_MS);
    const page = await context.newPage();
    this.#watch(name, page);
    this.#people.set(name, page);
    return page;
  }

  page(name) {
    const page = this.#people.get(name);
    if (page === undefined) throw new Error(`${name} has no window`);
    return page;
  }

  #watch(name, page) {
    page.on("pageerror", (error) => this.faults.push(`${name}: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // A refusal (401 before the login) is an answer.
      if (message.type() === "error" && !text.startsWith("Failed to load resource")) {
        this.faults.push(`${name}: ${text}`);
      }
    });
    page.on("response", (response) => {
      if (response.status() >= 500) {
        this.faults.push(`${name}: ${response.status()} ${response.url()}`);
      }
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(this.url) && !/^(data|blob):/.test(request.url())) {
        this.faults.push(`${name}: a request elsewhere, to ${request.url()}`);
      }
    });
  }

  /** Every window as it is, in files; where they are. */
  async showFailure() {
    const files = [];
    for (const [name, page] of this.#people) {
      const path = join(this.screensDir, `failed-${name}.png`);
      await page.screenshot({ path }).catch(() => {});
      files.push(`${name} was at ${page.url()}, see ${path}`);
    }
    return files.concat(this.faults).join("\n");
  }
}

// Every page as a picture: light and dark, in both languages, and as narrow as a phone.
import { join } from "node:path";

const LOOKS = [
  { look: "light", scheme: "light", language: "en", width: 1280, height: 860 },
  { look: "dark", scheme: "dark", language: "en", width: 1280, height: 860 },
  { look: "zh", scheme: "light", language: "zh-CN", width: 1280, height: 860 },
  { look: "360", scheme: "light", language: "en", width: 360, height: 740 },
];

/** Above and below a dialog, with room to spare. */
const DIALOG_MARGIN_PX = 160;

/** The live consoles of an instance's page, by the buttons that open them. */
const CONSOLES = {
  en: { terminal: "Open terminal", screen: "Open screen" },
  "zh-CN": { terminal: "打开终端", screen: "打开屏幕" },
};
const CLOSE = { en: "Close", "zh-CN": "关闭" };

/** What opens as a dialog on a page, by the button that opens it: the pictures' names with their own. */
const DIALOGS = {
  bill: { line: { en: /^Why /, "zh-CN": /为何是这个价钱$/ } },
  invoice: { "invoice-line": { en: /^Why /, "zh-CN": /为何是这个价钱$/ } },
  "instance-stopped": { resize: { en: /^Resize /, "zh-CN": /^调整 .* 的规格$/ } },
  packages: { order: { en: "Order package", "zh-CN": "订购套餐" } },
};

/** As one who is logged in already (or nobody): each page in each look; what overflows. */
export async function pictures(desk, { as, pages }) {
  const state = as === null ? undefined : await desk.page(as).context().storageState();
  const wide = [];
  for (const { look, scheme, language, width, height } of LOOKS) {
    const page = await desk.seat(`${as ?? "nobody"}-${look}`, {
      storageState: state,
      colorScheme: scheme,
      viewport: { width, height },
    });
    await page.addInitScript(
      (language) => localStorage.setItem("opshawk-language", language),
      language,
    );
    for (const { name, path, tab, answer } of pages) {
      if (answer) await page.route(answer.path, (route) => route.fulfill({ json: answer.body }));
      const take = async (name) => {
        const body = await page.evaluate(() => document.documentElement.scrollWidth);
        if (body > width) wide.push(`${name} at ${width} px is ${body} px wide`);
        // As high as the page: what is fixed to the window's edges then reaches its end.
        const tall = await page.evaluate((margin) => {
          const dialogs = [...document.querySelectorAll("[role=dialog]")];
          const heights = dialogs.map(({ scrollHeight }) => scrollHeight + margin);
          return Math.max(document.documentElement.scrollHeight, ...heights);
        }, DIALOG_MARGIN_PX);
        await page.setViewportSize({ width, height: Math.max(height, tall) });
        await page.screenshot({
          path: join(desk.screensDir, `${as ?? "nobody"}-${name}-${look}.png`),
          animations: "disabled",
        });
        await page.setViewportSize({ width, height });
      };
      await page.goto(path);
      await settled(page);
      if (tab > 0) {
        await page.getByRole("tab").nth(tab).click();
        await settled(page);
      }
      await take(name);
      for (const [dialog, words] of Object.entries(DIALOGS[name] ?? {})) {
        await page.getByRole("button", { name: words[language] }).first().click();
        await page.getByRole("dialog").waitFor();
        await settled(page);
        // Of what can be opened in it, the first.
        const inside = page.getByRole("dialog").locator("button[aria-pressed=false]");
        if ((await inside.count()) > 0) await inside.first().click();
        await settled(page);
        await take(dialog);
        await page.getByRole("button", { name: CLOSE[language], exact: true }).click();
      }
      if (name !== "instance") continue;
      for (const [kind, words] of Object.entries(CONSOLES[language])) {
        await page.getByRole("button", { name: words }).click();
        await page.locator('main [data-status="open"]').waitFor();
        await take(kind);
        await page.getByRole("button", { name: CLOSE[language], exact: true }).click();
      }
    }
    await page.context().close();
  }
  return wide;
}

/** Everything that the page asked for is there. */
async function settled(page) {
  await page.getByRole("heading", { level: 1 }).waitFor();
  const waiting = "[data-loading], .mantine-Skeleton-root";
  await page.waitForFunction((waiting) => document.querySelector(waiting) === null, waiting);
  await page.evaluate(() => document.fonts.ready);
}

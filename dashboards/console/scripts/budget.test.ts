import { expect, test } from "vitest";
import { overBudget } from "./budget.ts";

const chunk = (fileName: string, kb: number, imports: string[] = [], moduleIds: string[] = []) => ({
  fileName,
  code: "x".repeat(kb * 1_000),
  isEntry: fileName === "index.js",
  imports,
  moduleIds,
});
const limits = { firstLoadMaxKb: 100, chunkMaxKb: 50, late: ["@xterm", "uplot"] };

test("the first load is the entry with all that it imports statically", () => {
  const chunks = [
    chunk("index.js", 40, ["base.js"]),
    chunk("base.js", 40, ["more.js", "index.js"]),
    chunk("more.js", 20),
    chunk("page.js", 50),
  ];
  expect(overBudget(chunks, limits)).toEqual([]);
  expect(overBudget(chunks, { ...limits, firstLoadMaxKb: 99 })).toEqual([
    "the first load has 100 kB of scripts, and may have 99: load by lazy() what only one page needs",
  ]);
  expect(overBudget(chunks, { ...limits, chunkMaxKb: 49 })).toEqual([
    "page.js has 50 kB, and may have 49",
  ]);
});

test("what is to come late is not in it", () => {
  const terminal = ["/x/node_modules/@xterm/xterm/lib/xterm.mjs"];
  const late = chunk("terminal.js", 10, [], terminal);
  expect(overBudget([chunk("index.js", 1), late], limits)).toEqual([]);
  expect(overBudget([chunk("index.js", 1, ["terminal.js"]), late], limits)).toEqual([
    "the first load carries @xterm, in terminal.js",
  ]);
});

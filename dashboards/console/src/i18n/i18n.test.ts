// Both languages say everything, and no page says anything in one language only.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { firstLanguage } from ".";
import en from "./en.json";
import zhCN from "./zh-CN.json";

type Tree = { [key: string]: string | Tree };

function flatten(tree: Tree, prefix = ""): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    const path = `${prefix}${key}`;
    if (typeof value === "string") flat.set(path, value);
    else for (const [inner, text] of flatten(value, `${path}.`)) flat.set(inner, text);
  }
  return flat;
}

/** Chinese has one plural form, English two. */
const single = (key: string) => key.replace(/_(one|other)$/, "");
const placeholders = (text: string) => (text.match(/\{\{\w+\}\}/g) ?? []).sort();

const english = flatten(en);
const chinese = flatten(zhCN);

describe("the two languages", () => {
  test("have the same keys", () => {
    const names = (flat: Map<string, string>) => [...new Set([...flat.keys()].map(single))].sort();
    expect(names(chinese)).toEqual(names(english));
  });

  test("fill in the same placeholders", () => {
    for (const [key, text] of chinese) {
      const other = english.get(key) ?? english.get(`${single(key)}_other`) ?? "";
      expect(placeholders(text), key).toEqual(placeholders(other));
    }
  });

  test("say something everywhere, and Chinese says it in Chinese", () => {
    // Names of things, and placeholders alone, are the same in both.
    const names = /^(OpsHawk|libvirt|Agent|KVM|vCPU|ID|)$/;
    const words = (text: string) => text.replace(/\{\{\w+\}\}/g, "").replace(/[\s/（）]/g, "");
    for (const [key, text] of [...english, ...chinese]) expect(text.trim(), key).not.toBe("");
    for (const [key, text] of chinese) {
      if (!names.test(words(text))) expect(text, key).toMatch(/[\u4e00-\u9fff]/);
    }
  });
});

test("the browser's first language that we speak is taken", () => {
  expect(firstLanguage(["fr-FR", "zh-TW", "en"])).toBe("zh-CN");
  expect(firstLanguage(["de", "en-GB"])).toBe("en");
  expect(firstLanguage(["fr"])).toBe("en");
});

const SOURCES = join(import.meta.dirname, "..");

function pages(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "test" ? [] : pages(path);
    return path.endsWith(".tsx") && !path.endsWith(".test.tsx") ? [path] : [];
  });
}

/** Attributes and properties that people read. */
const READ = new Set([
  "label",
  "title",
  "description",
  "placeholder",
  "hint",
  "alt",
  "aria-label",
  "confirm",
  "consequence",
  "header",
  "message",
  "submit",
  "nothingFoundMessage",
  "error",
]);

const hasWords = (text: string) => /\p{L}{2,}/u.test(text);

function bareStrings(path: string): string[] {
  const source = ts.createSourceFile(
    path,
    readFileSync(path, "utf8"),
    ts.ScriptTarget.Latest,
    true,
    ts.ScriptKind.TSX,
  );
  const found: string[] = [];
  const say = (node: ts.Node, text: string) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.push(`${path.slice(SOURCES.length)}:${line + 1} ${text.trim()}`);
  };
  const visit = (node: ts.Node) => {
    if (ts.isJsxText(node) && hasWords(node.text)) say(node, node.text);
    if (ts.isJsxAttribute(node) || ts.isPropertyAssignment(node)) {
      const value = node.initializer;
      if (
        READ.has(node.name.getText()) &&
        value &&
        ts.isStringLiteral(value) &&
        hasWords(value.text)
      ) {
        say(node, value.text);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test("no page has a text of its own", () => {
  const files = pages(SOURCES);
  expect(files.length).toBeGreaterThan(30);
  expect(files.flatMap(bareStrings)).toEqual([]);
});

// Fails a build whose first load has become heavy: the entry script with all that it imports
// statically. (The style sheet comes beside them and is not counted.)
import type { Plugin } from "vite";

export interface Budget {
  /** Of the entry with its static imports, unpacked, in kB of 1000 bytes. */
  firstLoadMaxKb: number;
  /** Of any one script that a page loads later. */
  chunkMaxKb: number;
  /** Packages that no first load may carry. */
  late: readonly string[];
}

interface Chunk {
  fileName: string;
  code: string;
  isEntry: boolean;
  imports: string[];
  moduleIds: string[];
}

const KB = 1_000;
const sizeKb = ({ code }: Chunk) => Buffer.byteLength(code) / KB;

/** What is wrong with these scripts, in words. */
export function overBudget(chunks: readonly Chunk[], budget: Budget): string[] {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const first = new Set<Chunk>();
  const add = (chunk: Chunk | undefined) => {
    if (chunk === undefined || first.has(chunk)) return;
    first.add(chunk);
    for (const name of chunk.imports) add(byName.get(name));
  };
  for (const chunk of chunks) if (chunk.isEntry) add(chunk);

  const wrong: string[] = [];
  const total = [...first].reduce((sum, chunk) => sum + sizeKb(chunk), 0);
  if (total > budget.firstLoadMaxKb) {
    wrong.push(
      `the first load has ${total.toFixed(0)} kB of scripts, and may have ${budget.firstLoadMaxKb}: ` +
        "load by lazy() what only one page needs",
    );
  }
  for (const name of budget.late) {
    const held = [...first].find(({ moduleIds }) =>
      moduleIds.some((id) => id.includes(`/node_modules/${name}/`)),
    );
    if (held) wrong.push(`the first load carries ${name}, in ${held.fileName}`);
  }
  for (const chunk of chunks) {
    if (!first.has(chunk) && sizeKb(chunk) > budget.chunkMaxKb) {
      wrong.push(
        `${chunk.fileName} has ${sizeKb(chunk).toFixed(0)} kB, and may have ${budget.chunkMaxKb}`,
      );
    }
  }
  return wrong;
}

export function budget(limits: Budget): Plugin {
  return {
    name: "budget",
    apply: "build",
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
      const wrong = overBudget(chunks, limits);
      if (wrong.length > 0) this.error(wrong.join("\n"));
    },
  };
}

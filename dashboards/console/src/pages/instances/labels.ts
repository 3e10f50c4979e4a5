// Labels as people write them: one `key=value` a line, since a value may have commas but no end of line.

export type Labels = Readonly<Record<string, string>>;

export const labelsText = (labels: Labels) =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join("\n");

/** Null where a line is something else, or says again what another one said. */
export function parseLabels(text: string): Labels | null {
  const labels: Record<string, string> = {};
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line === "") continue;
    const at = line.indexOf("=");
    const [key, value] = [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    if (at < 0 || key === "" || value === "" || Object.hasOwn(labels, key)) return null;
    labels[key] = value;
  }
  return labels;
}

/** What makes these of those: null takes a label out. What somebody else sets meanwhile stays. */
export function labelChange(before: Labels, after: Labels): Record<string, string | null> {
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  const set = Object.entries(after).filter(([key, value]) => before[key] !== value);
  return Object.fromEntries([...gone.map((key) => [key, null] as const), ...set]);
}

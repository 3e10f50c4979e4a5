// Instants arrive as RFC 3339 text; they are shown in the reader's own zone and language.

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export function formatInstant(at: string | number | Date, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }).format(
    new Date(at),
  );
}

/** For a chart's axis: the time of day, with seconds where the steps are that small. */
export function formatClock(ms: number, language: string, stepS: number): string {
  return new Intl.DateTimeFormat(language, {
    hour: "2-digit",
    minute: "2-digit",
    second: stepS < 60 ? "2-digit" : undefined,
    hourCycle: "h23",
  }).format(ms);
}

/** "3 minutes ago", "in 2 hours". */
export function formatRelative(at: string, nowMs: number, language: string): string {
  const distance = new Date(at).getTime() - nowMs;
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const size = Math.abs(distance);
  if (size < MINUTE_MS) return relative.format(Math.round(distance / SECOND_MS), "second");
  if (size < HOUR_MS) return relative.format(Math.round(distance / MINUTE_MS), "minute");
  if (size < 2 * DAY_MS) return relative.format(Math.round(distance / HOUR_MS), "hour");
  return relative.format(Math.round(distance / DAY_MS), "day");
}

function unit(value: number, name: string, language: string, digits = 0): string {
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit: name,
    unitDisplay: "short",
    maximumFractionDigits: digits,
  }).format(value);
}

/** A span of time with its two largest units: "1 hr 4 min", "3.2 sec", "240 ms". */
export function formatDuration(ms: number, language: string): string {
  const size = Math.max(0, ms);
  if (size < SECOND_MS) return unit(Math.round(size), "millisecond", language);
  if (size < MINUTE_MS) return unit(size / SECOND_MS, "second", language, 1);
  const [big, bigMs, small, smallMs] =
    size < HOUR_MS
      ? (["minute", MINUTE_MS, "second", SECOND_MS] as const)
      : size < DAY_MS
        ? (["hour", HOUR_MS, "minute", MINUTE_MS] as const)
        : (["day", DAY_MS, "hour", HOUR_MS] as const);
  const bigs = Math.floor(size / bigMs);
  const smalls = Math.floor((size - bigs * bigMs) / smallMs);
  const head = unit(bigs, big, language);
  return smalls === 0 ? head : `${head} ${unit(smalls, small, language)}`;
}

/** For `<input type="datetime-local">`: local time without a zone. */
export function toLocalInput(date: Date): string {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * MINUTE_MS);
  return shifted.toISOString().slice(0, 19);
}

export function fromLocalInput(text: string): Date | null {
  const date = new Date(text);
  return text === "" || Number.isNaN(date.getTime()) ? null : date;
}

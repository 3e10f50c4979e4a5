// A query as it stands in the page's address, so that it can be shared and kept.
import type { Span } from "../../api/prometheus";

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
const DURATION = /^([1-9]\d{0,6})([smhdw])$/;

/** What the picker offers. */
export const RANGES = [
  "5m",
  "15m",
  "30m",
  "1h",
  "3h",
  "6h",
  "12h",
  "1d",
  "2d",
  "1w",
  "4w",
] as const;
export const DEFAULT_RANGE = "30m";
/** A step that is chosen for the reader gives about so many points. */
const POINTS = 240;
const MIN_STEP_S = 1;

export const VIEWS = ["graph", "table"] as const;
export type View = (typeof VIEWS)[number];

export interface QuerySearch {
  /** PromQL. */
  expr?: string;
  /** A duration as PromQL writes it: 30m. */
  range?: string;
  /** RFC 3339; without it the range ends now. */
  end?: string;
  /** A duration; without it the step fits the range. */
  step?: string;
  view?: View;
}

/** Whole seconds; none for what is no duration such as 15s or 2h. */
export function durationS(text: string): number | null {
  const [, count, unit] = DURATION.exec(text.trim()) ?? [];
  return count ? Number(count) * SECONDS[unit as keyof typeof SECONDS] : null;
}

const duration = (value: unknown) =>
  typeof value === "string" && durationS(value) !== null ? value : undefined;

/** What of the address is a query; the rest is ignored. */
export function readSearch(search: Record<string, unknown>): QuerySearch {
  const { expr, end, view } = search;
  return {
    expr: typeof expr === "string" && expr.trim() !== "" ? expr : undefined,
    range: duration(search.range),
    end: typeof end === "string" && !Number.isNaN(Date.parse(end)) ? end : undefined,
    step: duration(search.step),
    view: VIEWS.find((known) => known === view),
  };
}

/** What is asked for, in Unix seconds; `nowS` is when it was asked. */
export function toSpan({ range, end, step }: QuerySearch, nowS: number): Span {
  const lengthS = durationS(range ?? DEFAULT_RANGE) ?? 1_800;
  const stepS = durationS(step ?? "") ?? Math.max(MIN_STEP_S, Math.round(lengthS / POINTS));
  const wantedS = end === undefined ? nowS : Date.parse(end) / 1_000;
  // On whole steps, so that the points of two readings are the same instants.
  const endS = Math.floor(wantedS / stepS) * stepS;
  return { startS: endS - lengthS, endS, stepS };
}

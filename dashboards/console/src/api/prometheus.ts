// Queries over the Prometheus HTTP API, whose bodies the description leaves open.
import { client, unwrap } from "./client";
import { ApiError } from "./problem";

export interface RangeSeries {
  labels: Record<string, string>;
  /** Unix seconds and value; a value that is no number is null. */
  points: [number, number | null][];
}

/** With what it may lack, in the server's words. */
export interface Answer<T> {
  series: T[];
  warnings: string[];
}

/** In Unix seconds. */
export interface Span {
  startS: number;
  endS: number;
  stepS: number;
}

interface Matrix {
  resultType: "matrix";
  result: { metric: Record<string, string>; values: [number, string][] }[];
}

function isMatrix(data: unknown): data is Matrix {
  return (
    typeof data === "object" &&
    data !== null &&
    "resultType" in data &&
    data.resultType === "matrix"
  );
}

function toNumber(text: string): number | null {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

export async function queryRange(
  query: string,
  startS: number,
  endS: number,
  stepS: number,
): Promise<Answer<RangeSeries>> {
  const range = { query, start: String(startS), end: String(endS), step: String(stepS) };
  const answer = await unwrap(
    client.GET("/prometheus/api/v1/query_range", { params: { query: range } }),
  );
  const data: unknown = answer.data;
  if (!isMatrix(data)) throw new ApiError("unknown", 200, "the answer is no matrix");
  const series = data.result.map(({ metric, values }): RangeSeries => ({
    labels: metric,
    points: values.map(([at, value]) => [at, toNumber(value)]),
  }));
  return { series, warnings: answer.warnings ?? [] };
}

export interface InstantSeries {
  labels: Record<string, string>;
  /** Unix seconds, and the value as the server writes it: also NaN, +Inf. */
  samples: [number, string][];
}

type Sample = [number, string];
type Labels = Record<string, string>;
type Instant =
  | { resultType: "scalar" | "string"; result: Sample }
  | { resultType: "vector"; result: { metric: Labels; value: Sample }[] }
  | { resultType: "matrix"; result: { metric: Labels; values: Sample[] }[] };

const INSTANT_TYPES = ["scalar", "string", "vector", "matrix"];

function isInstant(data: unknown): data is Instant {
  return (
    typeof data === "object" &&
    data !== null &&
    "resultType" in data &&
    INSTANT_TYPES.includes(String(data.resultType))
  );
}

/** At one instant; whatever the expression gives, as series with their samples. */
export async function queryInstant(query: string, atS: number): Promise<Answer<InstantSeries>> {
  const answer = await unwrap(
    client.GET("/prometheus/api/v1/query", { params: { query: { query, time: String(atS) } } }),
  );
  const data: unknown = answer.data;
  if (!isInstant(data)) throw new ApiError("unknown", 200, "the answer is no result of a query");
  return { series: instantSeries(data), warnings: answer.warnings ?? [] };
}

function instantSeries(data: Instant): InstantSeries[] {
  switch (data.resultType) {
    case "scalar":
    case "string":
      return [{ labels: {}, samples: [data.result] }];
    case "vector":
      return data.result.map(({ metric, value }) => ({ labels: metric, samples: [value] }));
    case "matrix":
      return data.result.map(({ metric, values }) => ({ labels: metric, samples: values }));
  }
}

/** A label's value inside a selector's quotes. */
export function quote(value: string): string {
  return `"${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}

const NAME = "__name__";

/** As PromQL writes it: `up{instance="node-a"}`. */
export function seriesName(labels: Labels): string {
  const { [NAME]: metric = "", ...rest } = labels;
  const pairs = Object.entries(rest)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}=${quote(value)}`);
  return pairs.length === 0 && metric !== "" ? metric : `${metric}{${pairs.join(", ")}}`;
}

// Range queries over the Prometheus HTTP API, whose bodies the description leaves open.
import { client, unwrap } from "./client";
import { ApiError } from "./problem";

export interface RangeSeries {
  labels: Record<string, string>;
  /** Unix seconds and value; a value that is no number is null. */
  points: [number, number | null][];
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
): Promise<RangeSeries[]> {
  const range = { query, start: String(startS), end: String(endS), step: String(stepS) };
  const answer = await unwrap(
    client.GET("/prometheus/api/v1/query_range", { params: { query: range } }),
  );
  const data: unknown = answer.data;
  if (!isMatrix(data)) throw new ApiError("unknown", 200, "the answer is no matrix");
  return data.result.map(({ metric, values }) => ({
    labels: metric,
    points: values.map(([at, value]) => [at, toNumber(value)]),
  }));
}

/** A label's value inside a selector's quotes. */
export function quote(value: string): string {
  return `"${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}

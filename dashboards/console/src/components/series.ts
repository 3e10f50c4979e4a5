// Series of a range query as uPlot takes them: one column of instants, one of values a series.
import type { RangeSeries } from "../api/prometheus";

export function align(series: readonly RangeSeries[]): [number[], ...(number | null)[][]] {
  const instants = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))];
  instants.sort((a, b) => a - b);
  const columns = series.map(({ points }) => {
    const byInstant = new Map(points);
    return instants.map((at) => byInstant.get(at) ?? null);
  });
  return [instants, ...columns];
}

/** The newest value that is a number. */
export function last({ points }: RangeSeries): number | null {
  for (let i = points.length - 1; i >= 0; i -= 1) {
    const value = points[i]?.[1];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

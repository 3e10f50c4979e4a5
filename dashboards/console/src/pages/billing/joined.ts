// A line of the bill joins rated lines that are alike and adjoin: which ones.
import type { Bill, BillLine, RatedLine } from "../../api/types";

/**
 * Those of `listed` that the line joins, as the server joins them: of what was charged in the bill's
 * period, in the order of the listing, from the line's first on for as long as one goes on where the
 * one before it ends. What `listed` does not have yet is missing at the end.
 */
export function joinedBy(
  line: BillLine,
  listed: readonly RatedLine[],
  { from, to }: Pick<Bill, "from" | "to">,
): RatedLine[] {
  const charged = listed.filter(({ at }) => isAfter(at, from) && !isAfter(at, to));
  const joined: RatedLine[] = [];
  for (const rated of charged) {
    const last = joined.at(-1);
    if (last === undefined) {
      if (rated.id === line.first_line) joined.push(rated);
      continue;
    }
    if (last.to === line.to || last.to !== rated.from || !isLike(rated, line)) break;
    joined.push(rated);
  }
  return joined;
}

/** What is counted adds up; what is of time has one quantity all along. */
function isLike(rated: RatedLine, line: BillLine): boolean {
  return (
    rated.what === line.what &&
    rated.resource_id === line.resource_id &&
    rated.meter === line.meter &&
    rated.unit_price === line.unit_price &&
    (line.per === "unit" || rated.quantity === line.quantity) &&
    (rated.kind === "adjustment") === line.adjustment
  );
}

const isAfter = (a: string, b: string) => Date.parse(a) > Date.parse(b);

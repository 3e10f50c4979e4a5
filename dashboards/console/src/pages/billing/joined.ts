// A line of the bill, or of an invoice, joins rated lines that are alike and adjoin: which ones.
import type { Bill, BillLine, InvoiceLine, RatedLine } from "../../api/types";
import { sum } from "../../format/money";
import { perOf } from "../../format/priced";

/** A line that can be opened. */
export interface Joining {
  first_line: string;
  what: string;
  resource_id: string;
  component: string;
  from: string;
  to: string;
  per: BillLine["per"];
  /** With tax. */
  amount: string;
  /** What its rated lines have in common. */
  alike: readonly (keyof RatedLine)[];
}

/** Of what was charged after the first instant and not after the second. */
export type Charged = Pick<Bill, "from" | "to">;

const ON_BILLS = ["what", "resource_id", "meter", "unit_price"] as const;
const ON_INVOICES = [...ON_BILLS, "month", "kind", "rate", "price_version"] as const;

export const ofBill = (line: BillLine): Joining => ({ ...line, alike: ON_BILLS });

/** Null where it does not say with which rated line it begins. */
export function ofInvoice(line: InvoiceLine): Joining | null {
  const { first_line, component, net, tax } = line;
  if (!first_line) return null;
  return {
    ...line,
    first_line,
    per: perOf(component),
    amount: sum(net, tax),
    alike: ON_INVOICES,
  };
}

/**
 * Those of `listed` that the line joins, as the server joins them: of what was charged in that time, in
 * the order of the listing, each goes on from the first that ends where it begins and is like it,
 * whatever stands between. What `listed` does not have yet is missing at the end.
 */
export function joinedBy(
  line: Joining,
  listed: readonly RatedLine[],
  { from, to }: Charged,
): RatedLine[] {
  const charged = listed.filter(({ at }) => isAfter(at, from) && !isAfter(at, to));
  const first = charged.find(({ id }) => id === line.first_line);
  if (!first) return [];
  const stretches: RatedLine[][] = [];
  for (const rated of charged.filter((other) => isLike(first, other, line))) {
    const before = stretches.find((joined) => joined.at(-1)?.to === rated.from);
    if (before) before.push(rated);
    else stretches.push([rated]);
  }
  const own = stretches.find(([begin]) => begin === first) ?? [];
  const last = own.findIndex((rated) => rated.to === line.to);
  return last < 0 ? own : own.slice(0, last + 1);
}

/** What is counted adds up; what is of time has one quantity all along. */
function isLike(one: RatedLine, other: RatedLine, { alike, per }: Joining): boolean {
  return (
    alike.every((name) => one[name] === other[name]) &&
    (per === "unit" || one.quantity === other.quantity) &&
    isAdjustment(one) === isAdjustment(other)
  );
}

const isAdjustment = ({ kind }: RatedLine) => kind === "adjustment";
const isAfter = (a: string, b: string) => Date.parse(a) > Date.parse(b);

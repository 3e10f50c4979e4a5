// What a tenant can order: the packages that its prices name.
import type { PriceBook, PriceOverride, PriceRate, PriceTax } from "../../api/types";
import { inForce } from "../prices/versions";

/** What prices a package. */
const COMPONENT = "package.package";

export interface Offer {
  rate: PriceRate;
  tax: PriceTax | undefined;
}

/** Of overrides that are valid the later first, then of the book's version in force; each id once. */
export function offersOf(
  book: PriceBook | undefined,
  overrides: readonly PriceOverride[],
  nowMs: number,
): Offer[] {
  const valid = overrides.filter(
    ({ from, to }) => Date.parse(from) <= nowMs && (!to || Date.parse(to) > nowMs),
  );
  const version = book && inForce(book.versions, nowMs);
  const documents = [...valid.toReversed(), ...(version ? [version] : [])];
  const found = new Map<string, Offer>();
  for (const { rates, tax } of documents) {
    for (const rate of rates) {
      if (rate.component === COMPONENT && !found.has(rate.id)) found.set(rate.id, { rate, tax });
    }
  }
  return [...found.values()];
}

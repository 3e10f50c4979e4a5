// What a line of the bill is of, and what its price is for, in words.
import type { TFunction } from "i18next";
import type { BillLine, InvoiceLine } from "../../api/types";
import { formatDecimal, formatPrice, isNegative, isPositive } from "../../format/money";
import { perOf, pricedFor } from "../../format/priced";
import { formatBytes, formatNumber } from "../../format/quantity";

const COUNTED_DIGITS = 3;
/** As on the printed form. */
const INVOICED_DIGITS = 6;

/** Pieces or GiB at once; of what is counted, bytes. */
export function quantityOf(
  { per, quantity }: Pick<BillLine, "per" | "quantity">,
  language: string,
): string {
  return per === "unit"
    ? formatBytes(quantity, language, COUNTED_DIGITS)
    : formatNumber(quantity, language);
}

/** "0.3600 CNY/h", "0.0012 CNY/GiB·h", "0.8000 CNY/GiB"; the model of what has no one price. */
export function unitPriceOf(line: BillLine, currency: string, t: TFunction): string {
  switch (line.model) {
    case "graduated":
    case "volume":
    case "package":
      return t(`bill.model.${line.model}`);
    default:
      return t("bill.price", { price: formatPrice(line.unit_price), currency, per: pricedFor(line, t) });
  }
}

/** Of an invoice's line, in what its price is for; none where it is of no quantity. */
export function invoicedQuantity(line: InvoiceLine, language: string): string | null {
  const { component, quantity, priced } = line;
  if (priced) return formatDecimal(priced.quantity, INVOICED_DIGITS);
  // Invoices of before it was said have units alone.
  return quantity === 0 ? null : quantityOf({ per: perOf(component), quantity }, language);
}

/** "0.3600"; "graduated, \u2248 0.7492" where it is what a unit came to; a minimum is of no price. */
export function invoicedPrice(line: InvoiceLine, t: TFunction): string {
  const { kind, model, net, priced, unit_price } = line;
  if (kind === "minimum") return t("invoice.minimum");
  switch (model) {
    case "graduated":
    case "volume":
    case "package": {
      const name = t(`bill.model.${model}`);
      // What a volume came to stands on the line of the month's end.
      const isCosted = model !== "volume" || isPositive(net) || isNegative(net);
      if (!priced || !isCosted) return name;
      return `${name}, ${shownPrice(priced)}`;
    }
    default:
      return priced ? shownPrice(priced) : formatPrice(unit_price);
  }
}

const shownPrice = ({ price, effective }: NonNullable<InvoiceLine["priced"]>) =>
  effective ? `\u2248 ${formatPrice(price)}` : formatPrice(price);

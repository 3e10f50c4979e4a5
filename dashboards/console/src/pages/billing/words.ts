// What a line of the bill is of, and what its price is for, in words.
import type { TFunction } from "i18next";
import type { BillLine } from "../../api/types";
import { formatPrice } from "../../format/money";
import { pricedFor } from "../../format/priced";
import { formatBytes, formatNumber } from "../../format/quantity";

const COUNTED_DIGITS = 3;

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

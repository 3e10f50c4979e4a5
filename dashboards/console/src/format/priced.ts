// What a price is for: an hour of something, some bytes, a month.
import type { TFunction } from "i18next";
import { bytesName } from "./quantity";

export type Per = "hour" | "unit" | "month";

/** As the server's components have it. */
export function perOf(component: string): Per {
  const [, own = ""] = component.split(".");
  if (own === "package") return "month";
  return own === "net_rx" || own === "net_tx" || own.endsWith("_bytes") ? "unit" : "hour";
}

interface Priced {
  component: string;
  unit: number;
  per?: Per;
}

/** "h", "GiB·h", "100 h", "GiB", "month". */
export function pricedFor({ component, unit, per = perOf(component) }: Priced, t: TFunction): string {
  if (per === "unit") return bytesName(unit);
  const many = unit === 1 ? "" : `${unit} `;
  return many + (per === "month" ? t("priced.month") : sizeOf(component) + t("priced.hour"));
}

/** Of what is used by the time: how much at once, where that is no count of pieces. */
export function sizeOf(component: string): string {
  const [, own] = component.split(".");
  if (own === "disk" || own === "capacity") return "GiB\u00b7";
  return own === "mbps" ? "Mbit/s\u00b7" : "";
}

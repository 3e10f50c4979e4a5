import type { PriceDraft } from "../../api/types";

/** What a draft's last check says of it. */
export function checkedAs({ is_checked, checks }: PriceDraft): "unchecked" | "errors" | "warnings" | "sound" {
  if (!is_checked) return "unchecked";
  if (checks.some(({ severity }) => severity === "error")) return "errors";
  return checks.length > 0 ? "warnings" : "sound";
}

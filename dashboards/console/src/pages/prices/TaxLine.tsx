import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { PriceTax } from "../../api/types";
import { parseDecimal, round } from "../../format/money";

/** "0.06" as "6". */
function percent(rate: string): string {
  const decimal = parseDecimal(rate);
  if (!decimal) return rate;
  const text = round({ ...decimal, units: decimal.units * 100n }, 4).toString().padStart(5, "0");
  return `${text.slice(0, -4)}.${text.slice(-4)}`.replace(/\.?0+$/, "");
}

export function TaxLine({ tax }: { tax: PriceTax | undefined }) {
  const { t } = useTranslation();
  const rate = percent(tax?.rate ?? "0");
  const words =
    rate === "0"
      ? t("price.tax.none")
      : tax?.mode === "on_top"
        ? t("price.tax.onTop", { rate })
        : t("price.tax.included", { rate });
  return (
    <Text size="sm" c="dimmed">
      {words}
    </Text>
  );
}

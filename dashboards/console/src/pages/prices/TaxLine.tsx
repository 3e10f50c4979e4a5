import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { PriceTax } from "../../api/types";
import { percent } from "../../format/money";

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

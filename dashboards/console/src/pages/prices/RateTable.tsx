// What a version, a draft or an override prices, one row a rate.
import { Code, Stack, Text } from "@mantine/core";
import { IconTags } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { PriceRate } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { useFlavorName } from "../../components/useNames";
import { Nothing } from "../../components/When";
import { formatPrice } from "../../format/money";
import { pricedFor } from "../../format/priced";
import { formatNumber } from "../../format/quantity";

interface Props {
  label: string;
  rates: readonly PriceRate[];
}

export function RateTable({ label, rates }: Props) {
  const { t } = useTranslation();
  const columns: Column<PriceRate>[] = [
    {
      id: "rate",
      header: t("price.rate"),
      isTitle: true,
      sort: ({ id }) => id,
      cell: ({ id }) => (
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {id}
        </Text>
      ),
    },
    {
      id: "component",
      header: t("price.component"),
      sort: ({ component }) => component,
      cell: ({ component }) => <Code>{component}</Code>,
    },
    {
      id: "where",
      header: t("price.where"),
      cell: (rate) => <Where rate={rate} />,
    },
    {
      id: "price",
      header: t("price.price"),
      align: "right",
      cell: (rate) => <Price rate={rate} />,
    },
  ];
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={rates}
      rowId={({ id }) => id}
      empty={<Empty icon={IconTags} title={t("price.noRates")} hint={t("price.noRatesHint")} />}
    />
  );
}

function Where({ rate }: { rate: PriceRate }) {
  const flavorName = useFlavorName();
  const { flavor, region, labels = {} } = rate.where ?? {};
  const conditions = [
    ...(flavor ? [flavorName(flavor)] : []),
    ...(region ? [region] : []),
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  ];
  return conditions.length === 0 ? <Nothing /> : <span>{conditions.join(", ")}</span>;
}

/** Each line of it says one thing: a price, a tier, an allowance. */
function Price({ rate }: { rate: PriceRate }) {
  return (
    <Stack gap={0} fz="sm">
      {usePriceLines(rate).map((line) => (
        <span key={line}>{line}</span>
      ))}
    </Stack>
  );
}

function usePriceLines(rate: PriceRate): string[] {
  const { t, i18n } = useTranslation();
  const number = (value: number) => formatNumber(value, i18n.language);
  const lines: string[] = [];
  const per = pricedFor({ component: rate.component, unit: rate.unit ?? 1 }, t);
  if (rate.price) lines.push(t("price.each", { price: formatPrice(rate.price), per }));
  if (rate.package) {
    const { size, price } = rate.package;
    lines.push(t("price.block", { price: formatPrice(price), size: number(size) }));
  }
  for (const [tiers, head] of [
    [rate.graduated, t("price.graduated")],
    [rate.volume, t("price.volume")],
  ] as const) {
    if (!tiers) continue;
    lines.push(head);
    for (const { up_to, price } of tiers) {
      const shown = formatPrice(price);
      const bounded = typeof up_to === "number";
      lines.push(
        bounded ? t("price.upTo", { price: shown, bound: number(up_to) }) : t("price.above", { price: shown }),
      );
    }
  }
  if (!rate.price) lines.push(t("price.unit", { unit: per }));
  if (rate.free) {
    // "5 × 100 GiB·h": what begins with a figure would run into this one.
    const times = /^\d/.test(per) ? "\u00d7 " : "";
    lines.push(t("price.free", { free: `${number(rate.free)} ${times}${per}` }));
  }
  if (rate.minimum) {
    const amount = formatPrice(rate.minimum.amount);
    lines.push(
      rate.minimum.per === "tenant"
        ? t("price.minimumTenant", { amount })
        : t("price.minimumResource", { amount }),
    );
  }
  return lines;
}

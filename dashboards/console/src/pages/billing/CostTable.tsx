// What a period cost in groups: how much was used, and how long a bar of the dearest.
import { Box, Text } from "@mantine/core";
import { IconChartBar } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { CostReport, CostRow, CostTotal } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { formatAmount, isPositive, LEDGER_DIGITS, parseDecimal, sum } from "../../format/money";
import { pricedFor } from "../../format/priced";
import { formatBytes } from "../../format/quantity";

const HOUR_DIGITS = 2;
/** A report may have thousands. */
const ROWS_AT_ONCE = 500;

/** How a component's use is worded. */
const USAGE: Readonly<Record<string, "compute" | "suspended" | "disk" | "package">> = {
  "instance.compute": "compute",
  "instance.compute_suspended": "suspended",
  "instance.disk": "disk",
  "package.package": "package",
};

/** What left the balance. */
export const gross = ({ net, tax }: Pick<CostRow, "net" | "tax">) => sum(net, tax);

/** For heights alone, never for figures: what is above zero, of the largest. */
export function shares(amounts: readonly string[]): number[] {
  const sizes = amounts.map((amount) => {
    const decimal = parseDecimal(amount);
    return decimal === null ? 0 : Math.max(0, Number(decimal.units) / 10 ** decimal.scale);
  });
  const largest = Math.max(...sizes);
  return sizes.map((size) => (largest > 0 ? size / largest : 0));
}

interface Props {
  /** What the table lists. */
  label: string;
  /** What its rows are. */
  head: string;
  report: CostReport;
  /** What a row without a name is called. */
  unnamed?: string;
  /** In place of its name. */
  nameOf?: (row: CostRow) => ReactNode;
}

export function CostTable({ label, head, report, unnamed = "", nameOf }: Props) {
  const { t, i18n } = useTranslation();
  const widths = shares(report.rows.map(gross));
  const share = new Map(report.rows.map(({ key }, i) => [key, widths[i] ?? 0]));
  const columns: Column<CostRow>[] = [
    {
      id: "name",
      header: head,
      cell: (row) =>
        nameOf?.(row) ?? (
          <Text span size="sm" c={row.name === "" ? "dimmed" : undefined}>
            {row.name === "" ? unnamed : row.name}
          </Text>
        ),
      sort: ({ name }) => name,
      isTitle: true,
    },
    {
      id: "usage",
      header: t("cost.column.usage"),
      cell: ({ usage }) => (
        <>
          {usage.map(({ component, unit_hours, units }) => (
            <Text key={component} size="sm" component="div">
              {units == null
                ? t(`cost.usage.${USAGE[component] ?? "other"}`, {
                    component,
                    hours: formatAmount(unit_hours, HOUR_DIGITS),
                    unit: pricedFor({ component, unit: 1 }, t),
                  })
                : t("cost.usage.counted", {
                    component,
                    amount: formatBytes(units, i18n.language),
                  })}
            </Text>
          ))}
        </>
      ),
    },
    {
      id: "share",
      header: t("cost.column.share"),
      cell: ({ key }) => (
        <Box className="cost-share" aria-hidden>
          <Box className="cost-share-fill" style={{ width: `${(share.get(key) ?? 0) * 100}%` }} />
        </Box>
      ),
    },
    {
      id: "amount",
      header: t("bill.column.amount"),
      cell: (row) => (
        <Amount value={gross(row)} currency={row.currency} digits={LEDGER_DIGITS} size="sm" />
      ),
      align: "right",
    },
  ];
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={report.rows}
      // Without the label a key is empty, which is no id.
      rowId={({ key }) => `=${key}`}
      empty={<NoCosts />}
      atOnce={ROWS_AT_ONCE}
    />
  );
}

/** All of it, and how much of that is tax. */
export function Total({ total }: { total: CostTotal }) {
  const { t } = useTranslation();
  return (
    <Text size="sm" component="div">
      {t("cost.total")}{" "}
      <Amount value={gross(total)} currency={total.currency} digits={LEDGER_DIGITS} fw={680} />
      {isPositive(total.tax) && (
        <Text span c="dimmed">
          {" "}
          {t("cost.ofIt", { tax: formatAmount(total.tax, LEDGER_DIGITS) })}
        </Text>
      )}
    </Text>
  );
}

export function NoCosts() {
  const { t } = useTranslation();
  return <Empty icon={IconChartBar} title={t("cost.empty")} hint={t("bill.emptyHint")} />;
}

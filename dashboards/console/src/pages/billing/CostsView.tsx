// What a period cost: a bar a day, and the resources with the dearest first.
import { Box, Button, Stack, Text, Tooltip } from "@mantine/core";
import { IconChartBar, IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { costsQuery } from "../../api/queries";
import type { CostReport, CostRow } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { formatAmount, isPositive, parseDecimal, sum } from "../../format/money";
import { formatBytes } from "../../format/quantity";
import { PeriodPicker } from "./BillView";
import { toPeriod, type Period, type PeriodSearch } from "./period";

const LEDGER_DIGITS = 6;
const HOUR_DIGITS = 2;

/** How a component's use is worded. */
const USAGE: Readonly<Record<string, "compute" | "suspended" | "disk">> = {
  "instance.compute": "compute",
  "instance.compute_suspended": "suspended",
  "instance.disk": "disk",
};

interface Props {
  tenantId: string;
  search: PeriodSearch;
  onPeriod: (period: Period) => void;
}

export function CostsView({ tenantId, search, onPeriod }: Props) {
  const { t } = useTranslation();
  // The end of an open period is the instant of looking, or each render would be another report.
  const [now] = useState(() => new Date());
  const period = toPeriod(search, now);
  const from = period.from.toISOString();
  const to = period.to.toISOString();
  const days = useQuery(costsQuery(tenantId, from, to, "day"));
  const resources = useQuery(costsQuery(tenantId, from, to, "resource"));
  const asked = new URLSearchParams({ tenant_id: tenantId, from, to, group: "resource" });
  return (
    <Stack gap="lg">
      <PeriodPicker key={from + to} period={period} onPeriod={onPeriod} />
      <Panel title={t("cost.byDay")}>
        <QueryView query={days} lines={5}>
          {(report) => <Days report={report} />}
        </QueryView>
      </Panel>
      <Panel
        title={t("cost.byResource")}
        flush
        aside={
          <Button
            component="a"
            href={`/v1/costs.csv?${asked.toString()}`}
            download
            size="xs"
            variant="default"
            className="no-print"
            leftSection={<IconDownload size={15} aria-hidden />}
          >
            {t("bill.csv")}
          </Button>
        }
      >
        <QueryView query={resources} lines={5}>
          {(report) => <Resources report={report} />}
        </QueryView>
      </Panel>
    </Stack>
  );
}

/** For heights alone, never for figures: what is above zero, of the largest. */
export function shares(amounts: readonly string[]): number[] {
  const sizes = amounts.map((amount) => {
    const decimal = parseDecimal(amount);
    return decimal === null ? 0 : Math.max(0, Number(decimal.units) / 10 ** decimal.scale);
  });
  const largest = Math.max(...sizes);
  return sizes.map((size) => (largest > 0 ? size / largest : 0));
}

function Days({ report }: { report: CostReport }) {
  const { t } = useTranslation();
  if (report.rows.length === 0) return <Nothing />;
  const heights = shares(report.rows.map(gross));
  const [total] = report.totals;
  return (
    <Stack gap="sm">
      {total && (
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
      )}
      <Box className="cost-bars" role="list" aria-label={t("cost.byDay")}>
        {report.rows.map((row, i) => (
          <Tooltip key={row.key} label={`${row.key}: ${said(row)}`}>
            <div
              className="cost-bar"
              role="listitem"
              aria-label={`${row.key}: ${said(row)}`}
            >
              <div className="cost-bar-track">
                <div className="cost-bar-fill" style={{ height: `${(heights[i] ?? 0) * 100}%` }} />
              </div>
              <span className="cost-bar-day">{row.key.slice(8)}</span>
            </div>
          </Tooltip>
        ))}
      </Box>
      <Text size="xs" c="dimmed">
        {report.rows[0]?.key} {"\u2013"} {report.rows.at(-1)?.key}
      </Text>
    </Stack>
  );
}

/** What left the balance. */
const gross = ({ net, tax }: Pick<CostRow, "net" | "tax">) => sum(net, tax);

const said = (row: CostRow) => `${formatAmount(gross(row), LEDGER_DIGITS)} ${row.currency}`;

function Resources({ report }: { report: CostReport }) {
  const { t, i18n } = useTranslation();
  const widths = shares(report.rows.map(gross));
  const share = new Map(report.rows.map(({ key }, i) => [key, widths[i] ?? 0]));
  const columns: Column<CostRow>[] = [
    {
      id: "name",
      header: t("cost.column.name"),
      cell: ({ name }) => <Text span size="sm">{name}</Text>,
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
      label={t("cost.byResource")}
      columns={columns}
      rows={report.rows}
      rowId={({ key }) => key}
      empty={<Nothing />}
    />
  );
}

function Nothing() {
  const { t } = useTranslation();
  return <Empty icon={IconChartBar} title={t("cost.empty")} hint={t("bill.emptyHint")} />;
}

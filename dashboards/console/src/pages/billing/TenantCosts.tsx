// What all tenants used in a period and what it cost, for operators: the dearest first.
import { Box, Button, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { tenantCostsQuery } from "../../api/queries";
import type { CostReport, CostRow, CostTotal } from "../../api/types";
import { Amount } from "../../components/Amount";
import { TextLink } from "../../components/links";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { LEDGER_DIGITS, sum } from "../../format/money";
import { PeriodPicker } from "./BillView";
import { CostTable, gross, NoCosts, shares, Total } from "./CostTable";
import { toPeriod, toSearch } from "./period";

export function TenantCostsPage() {
  const { t } = useTranslation();
  const search = useSearch({ from: "/app/costs" });
  const navigate = useNavigate({ from: "/costs" });
  // The end of an open period is the instant of looking, or each render would be another report.
  const [now] = useState(() => new Date());
  const period = toPeriod(search, now);
  const from = period.from.toISOString();
  const to = period.to.toISOString();
  const query = useQuery(tenantCostsQuery(from, to));
  const asked = new URLSearchParams({ from, to, group: "tenant" });
  return (
    <>
      <PageHeader
        title={t("nav.costs")}
        description={t("cost.about")}
        actions={
          <Button
            component="a"
            href={`/v1/costs.csv?${asked.toString()}`}
            download
            variant="default"
            leftSection={<IconDownload size={17} aria-hidden />}
          >
            {t("bill.csv")}
          </Button>
        }
      />
      <Stack gap="lg">
        <PeriodPicker
          key={from + to}
          period={period}
          onPeriod={(chosen) => void navigate({ search: toSearch(chosen) })}
        />
        <QueryView query={query} lines={6}>
          {(report) => <Currencies report={report} />}
        </QueryView>
      </Stack>
    </>
  );
}

/** What is of two currencies is neither added up nor compared. */
function Currencies({ report }: { report: CostReport }) {
  const { t } = useTranslation();
  const { rows, totals } = report;
  if (rows.length === 0) {
    return (
      <Panel title={t("cost.byTenant")}>
        <NoCosts />
      </Panel>
    );
  }
  return totals.map((total) => (
    <OfCurrency
      key={total.currency}
      title={
        totals.length === 1
          ? t("cost.byTenant")
          : t("cost.byTenantIn", { currency: total.currency })
      }
      report={{ ...report, rows: rows.filter(({ currency }) => currency === total.currency) }}
      total={total}
    />
  ));
}

interface OfCurrencyProps {
  title: string;
  report: CostReport;
  total: CostTotal;
}

function OfCurrency({ title, report, total }: OfCurrencyProps) {
  const { t } = useTranslation();
  return (
    <Panel title={title} flush>
      <Stack gap="md" px="md" pb="md">
        <Total total={total} />
        <Dearest rows={report.rows} currency={total.currency} />
      </Stack>
      <CostTable
        label={title}
        head={t("field.tenant")}
        report={report}
        nameOf={({ key, name }) => (
          <TextLink to="/tenants/$id" params={{ id: key }} fw={600} size="sm">
            {name}
          </TextLink>
        )}
      />
    </Panel>
  );
}

const BARS_MAX = 10;

/** A bar for each of the dearest, as long as what it pays, and one for all others together. */
function Dearest({ rows, currency }: { rows: readonly CostRow[]; currency: string }) {
  const { t } = useTranslation();
  const others = rows.slice(BARS_MAX);
  const bars = rows.slice(0, BARS_MAX).map((row) => ({
    key: row.key,
    name: row.name,
    amount: gross(row),
  }));
  if (others.length > 0) {
    bars.push({
      key: "",
      name: t("cost.others", { count: others.length }),
      amount: others.map(gross).reduce(sum, "0"),
    });
  }
  const widths = shares(bars.map(({ amount }) => amount));
  return (
    <Box className="cost-rows" role="list" aria-label={t("cost.dearest", { currency })}>
      {bars.map(({ key, name, amount }, i) => (
        <div className="cost-row" role="listitem" key={key}>
          <Text span size="sm" className="cost-row-name">
            {name}
          </Text>
          <Box className="cost-share" aria-hidden>
            <Box className="cost-share-fill" style={{ width: `${(widths[i] ?? 0) * 100}%` }} />
          </Box>
          <Amount
            value={amount}
            currency={currency}
            digits={LEDGER_DIGITS}
            size="sm"
            className="figures cost-row-amount"
          />
        </div>
      ))}
    </Box>
  );
}

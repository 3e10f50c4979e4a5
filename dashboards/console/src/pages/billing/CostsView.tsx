// What a period cost: a bar a day, the resources with the dearest first, and by a label.
import { Box, Button, Stack, Text, Tooltip } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { costsQuery } from "../../api/queries";
import type { CostReport, CostRow } from "../../api/types";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { formatAmount, LEDGER_DIGITS } from "../../format/money";
import { PeriodPicker } from "./BillView";
import { CostTable, gross, NoCosts, shares, Total } from "./CostTable";
import { LabelCosts } from "./LabelCosts";
import { toPeriod, type Period, type PeriodSearch } from "./period";

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
          {(report) => <CostTable label={t("cost.byResource")} head={t("cost.column.name")} report={report} />}
        </QueryView>
      </Panel>
      <LabelCosts tenantId={tenantId} from={from} to={to} />
    </Stack>
  );
}

function Days({ report }: { report: CostReport }) {
  const { t } = useTranslation();
  if (report.rows.length === 0) return <NoCosts />;
  const heights = shares(report.rows.map(gross));
  const [total] = report.totals;
  return (
    <Stack gap="sm">
      {total && <Total total={total} />}
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

const said = (row: CostRow) => `${formatAmount(gross(row), LEDGER_DIGITS)} ${row.currency}`;

// What an expression gives: as lines over its range, or as a table of one instant.
import { Alert, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconChartLine, IconInfoCircle, IconTable } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { seriesName, type InstantSeries, type RangeSeries } from "../../api/prometheus";
import { instantQuery, spanQuery } from "../../api/queries";
import { Chart } from "../../components/Chart";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { QueryView } from "../../components/QueryView";
import { formatSample, formatTick, formatWritten } from "../../format/quantity";
import { formatDuration, formatInstant } from "../../format/time";
import { toSpan, type QuerySearch, type View } from "./search";

/** More lines than these can't be told apart. */
export const LINES_MAX = 24;
/** More rows than these are no reading. */
export const ROWS_MAX = 500;
/** Of a range selector, the newest. */
const SAMPLES_MAX = 20;

interface Props {
  expr: string;
  view: View;
  search: QuerySearch;
  /** When it was asked, in Unix seconds. */
  askedS: number;
}

export function Results({ view, ...rest }: Props) {
  return view === "graph" ? <Graph {...rest} /> : <InstantTable {...rest} />;
}

function Graph({ expr, search, askedS }: Omit<Props, "view">) {
  const { t, i18n } = useTranslation();
  const span = toSpan(search, askedS);
  const query = useQuery(spanQuery(expr, span, askedS));
  const { language } = i18n;
  return (
    <QueryView query={query} lines={8}>
      {({ series, warnings }) => (
        <Stack gap="sm">
          <Warnings warnings={warnings} />
          <Lines expr={expr} series={series} />
          <Text size="xs" c="dimmed">
            {t("query.span", {
              from: formatInstant(span.startS * 1_000, language),
              to: formatInstant(span.endS * 1_000, language),
              step: formatDuration(span.stepS * 1_000, language),
            })}
          </Text>
        </Stack>
      )}
    </QueryView>
  );
}

function Lines({ expr, series }: { expr: string; series: RangeSeries[] }) {
  const { t, i18n } = useTranslation();
  const lines = useMemo(
    () => series.slice(0, LINES_MAX).map((one) => ({ name: seriesName(one.labels), series: one })),
    [series],
  );
  if (lines.length === 0) {
    return <Empty icon={IconChartLine} title={t("query.empty")} hint={t("query.emptyHint")} />;
  }
  return (
    <>
      {series.length > LINES_MAX && (
        <Bounded>{t("query.linesBound", { shown: LINES_MAX, count: series.length })}</Bounded>
      )}
      <Chart
        label={expr}
        lines={lines}
        format={(value) => formatSample(value, i18n.language)}
        formatTick={(value) => formatTick(value, i18n.language)}
        height={340}
      />
    </>
  );
}

function InstantTable({ expr, search, askedS }: Omit<Props, "view">) {
  const { t, i18n } = useTranslation();
  const atS = search.end === undefined ? askedS : Date.parse(search.end) / 1_000;
  const query = useQuery(instantQuery(expr, atS, askedS));
  const columns = useMemo<Column<InstantSeries>[]>(
    () => [
      {
        id: "series",
        header: t("query.series"),
        isTitle: true,
        cell: ({ labels }) => (
          <Text size="sm" ff="monospace" style={{ overflowWrap: "anywhere" }}>
            {seriesName(labels)}
          </Text>
        ),
        sort: ({ labels }) => seriesName(labels),
      },
      {
        id: "value",
        header: t("query.value"),
        align: "right",
        cell: ({ samples }) => <Samples samples={samples} />,
        sort: ({ samples }) => Number(samples.at(-1)?.[1]),
      },
    ],
    [t],
  );
  return (
    <QueryView query={query} lines={8}>
      {({ series, warnings }) => (
        <Stack gap="sm">
          <Warnings warnings={warnings} />
          {series.length > ROWS_MAX && (
            <Bounded>{t("query.rowsBound", { shown: ROWS_MAX, count: series.length })}</Bounded>
          )}
          <DataTable
            label={t("query.result")}
            columns={columns}
            rows={series.slice(0, ROWS_MAX)}
            rowId={({ labels }) => seriesName(labels)}
            empty={<Empty icon={IconTable} title={t("query.empty")} hint={t("query.emptyHint")} />}
          />
          <Text size="xs" c="dimmed">
            {t("query.at", { at: formatInstant(atS * 1_000, i18n.language) })}
          </Text>
        </Stack>
      )}
    </QueryView>
  );
}

function Samples({ samples }: { samples: InstantSeries["samples"] }) {
  const { t, i18n } = useTranslation();
  const [only] = samples;
  if (samples.length === 1 && only) {
    return (
      <Text size="sm" fw={600} className="figures" title={only[1]}>
        {formatWritten(only[1], i18n.language)}
      </Text>
    );
  }
  const shown = samples.slice(-SAMPLES_MAX);
  return (
    <Stack gap={0}>
      {shown.length < samples.length && (
        <Text size="xs" c="dimmed">
          {t("query.samplesBound", { shown: SAMPLES_MAX, count: samples.length })}
        </Text>
      )}
      {shown.map(([at, value]) => (
        <Text key={at} size="xs" ff="monospace">
          {value} @ {formatInstant(at * 1_000, i18n.language)}
        </Text>
      ))}
    </Stack>
  );
}

/** What the answer lacks: a gap in it may be none of what was measured. */
function Warnings({ warnings }: { warnings: string[] }) {
  const { t } = useTranslation();
  if (warnings.length === 0) return null;
  const icon = <IconAlertTriangle size={18} />;
  return (
    <Alert color="yellow" variant="light" py="xs" icon={icon} title={t("query.incomplete")}>
      {warnings.map((warning) => (
        <Text key={warning} size="sm">
          {warning}
        </Text>
      ))}
    </Alert>
  );
}

/** That something is left out, and how to see it. */
function Bounded({ children }: { children: string }) {
  return (
    <Alert color="blue" variant="light" py="xs" icon={<IconInfoCircle size={18} />}>
      {children}
    </Alert>
  );
}

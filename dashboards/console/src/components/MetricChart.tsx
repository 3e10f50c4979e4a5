// A PromQL expression as a live chart.
import { SegmentedControl, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconChartLine } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { RangeSeries } from "../api/prometheus";
import { rangeQuery } from "../api/queries";
import { Chart } from "./Chart";
import { Empty } from "./Empty";
import { Panel } from "./Panel";
import { QueryView } from "./QueryView";

const MINUTE_S = 60;
const SPANS = [
  { key: "m5", seconds: 5 * MINUTE_S },
  { key: "m30", seconds: 30 * MINUTE_S },
  { key: "h6", seconds: 360 * MINUTE_S },
  { key: "d1", seconds: 1440 * MINUTE_S },
] as const;

interface Props {
  title: string;
  query: string;
  /** What a line is called. */
  name: (labels: Record<string, string>) => string;
  format: (value: number) => string;
  /** From the query's unit to the shown one. */
  scale?: number;
  floor?: number;
  /** The values are bytes. */
  bytes?: boolean;
}

export function MetricChart({
  title,
  query,
  name,
  format,
  scale = 1,
  floor,
  bytes = false,
}: Props) {
  const { t } = useTranslation();
  const [span, setSpan] = useState<(typeof SPANS)[number]["key"]>("m5");
  const seconds = SPANS.find(({ key }) => key === span)?.seconds ?? 300;
  const range = useQuery(rangeQuery(query, seconds));
  return (
    <Panel
      title={title}
      aside={
        <SegmentedControl
          size="xs"
          value={span}
          onChange={setSpan}
          aria-label={t("chart.spanOf", { chart: title })}
          data={SPANS.map(({ key }) => ({ value: key, label: t(`chart.span.${key}`) }))}
        />
      }
    >
      <QueryView query={range} lines={6}>
        {(series) => <Lines {...{ title, series, name, format, scale, floor, bytes }} />}
      </QueryView>
      <Text size="xs" c="dimmed" mt="xs" ff="monospace" style={{ overflowWrap: "anywhere" }}>
        {query}
      </Text>
    </Panel>
  );
}

interface LinesProps extends Required<
  Pick<Props, "title" | "name" | "format" | "scale" | "bytes">
> {
  series: RangeSeries[];
  floor: number | undefined;
}

function Lines({ title, series, name, format, scale, floor, bytes }: LinesProps) {
  const { t } = useTranslation();
  const lines = useMemo(
    () =>
      series.map(({ labels, points }) => ({
        name: name(labels),
        series: {
          labels,
          points: points.map(([at, value]): [number, number | null] => [
            at,
            value === null ? null : value * scale,
          ]),
        },
      })),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `name` is a pure function of the page
    [series, scale],
  );
  if (lines.length === 0) {
    return <Empty icon={IconChartLine} title={t("chart.empty")} hint={t("chart.emptyHint")} />;
  }
  return <Chart label={title} lines={lines} format={format} floor={floor} bytes={bytes} />;
}

// Lines over time, by uPlot. The figures stand below as text, since a canvas says nothing to those
// who can't see it.
import { Box, Group, Text, useComputedColorScheme, useMantineTheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { RangeSeries } from "../api/prometheus";
import { formatClock } from "../format/time";
import { align, last } from "./series";

export interface ChartLine {
  name: string;
  series: RangeSeries;
}

interface Props {
  label: string;
  lines: readonly ChartLine[];
  format: (value: number) => string;
  /** The axis reaches at least here, so that a quiet line looks quiet. */
  floor?: number;
  /** The values are bytes: the axis steps by powers of two. */
  bytes?: boolean;
  height?: number;
}

const COLORS = [
  "hawk.6",
  "orange.6",
  "grape.6",
  "blue.6",
  "lime.7",
  "pink.6",
  "cyan.7",
  "yellow.7",
];

/** From a byte to a pebibyte. */
const POWERS_OF_TWO = Array.from({ length: 51 }, (_, exponent) => 2 ** exponent);

export function Chart({ label, lines, format, floor = 0, bytes = false, height = 220 }: Props) {
  const { t, i18n } = useTranslation();
  const theme = useMantineTheme();
  const dark = useComputedColorScheme("light") === "dark";
  const { ref, width } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useMemo(() => align(lines.map((line) => line.series)), [lines]);
  const names = lines.map((line) => line.name).join("\n");
  // The newest of each, for a plot that outlives renders.
  const latest = useRef({ format, data });
  useEffect(() => {
    latest.current = { format, data };
    plot.current?.setData(data);
  }, [format, data]);

  const colorOf = (i: number) => {
    const [name = "hawk", shade = "6"] = (COLORS[i % COLORS.length] ?? "hawk.6").split(".");
    return theme.colors[name]?.[Number(shade)] ?? "currentColor";
  };

  useEffect(() => {
    if (host.current === null || width === 0) return;
    const ink = dark ? theme.colors.dark[1] : theme.colors.gray[7];
    const grid = dark ? "rgba(255,255,255,0.07)" : "rgba(0,0,0,0.06)";
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    const made = new uPlot(
      {
        width,
        height,
        legend: { show: false },
        cursor: { drag: { x: false, y: false } },
        scales: {
          y: { range: (_, __, max) => [0, Math.max(max * 1.1, floor)] },
        },
        axes: [
          {
            ...axis,
            space: 70,
            values: (_, splits, __, ___, incrementS) =>
              splits.map((at) => formatClock(at * 1000, i18n.language, incrementS)),
          },
          {
            ...axis,
            size: 64,
            ...(bytes ? { incrs: POWERS_OF_TWO } : {}),
            values: (_, splits) => splits.map((value) => latest.current.format(value)),
          },
        ],
        series: [
          {},
          ...names.split("\n").map((name, i) => ({
            label: name,
            stroke: colorOf(i),
            fill: i === 0 ? `${colorOf(i)}22` : undefined,
            width: 1.75,
            points: { show: false },
          })),
        ],
      },
      latest.current.data,
      host.current,
    );
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- made anew only when its looks change
  }, [width, height, dark, names, floor, bytes, i18n.language]);

  return (
    <Box ref={ref}>
      <div ref={host} role="img" aria-label={label} style={{ height }} />
      <Group gap="md" mt={6} component="ul" p={0} m={0} style={{ listStyle: "none" }}>
        {lines.map((line, i) => {
          const value = last(line.series);
          return (
            <Group key={line.name} component="li" gap={6} wrap="nowrap">
              <Box
                w={10}
                h={10}
                style={{ borderRadius: 3, background: colorOf(i), flex: "none" }}
              />
              <Text size="xs" c="dimmed">
                {line.name}
              </Text>
              <Text size="xs" fw={600} className="figures">
                {value === null ? t("chart.noValue") : format(value)}
              </Text>
            </Group>
          );
        })}
      </Group>
    </Box>
  );
}

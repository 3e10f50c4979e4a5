// Lines over time, by uPlot. The figures stand below as text, since a canvas says nothing to those
// who can't see it: the newest, or those under the pointer.
import { Box, Group, Text, useComputedColorScheme, useMantineTheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { RangeSeries } from "../api/prometheus";
import { formatClock, formatInstant } from "../format/time";
import { align, last } from "./series";

export interface ChartLine {
  name: string;
  series: RangeSeries;
}

interface Props {
  label: string;
  lines: readonly ChartLine[];
  format: (value: number) => string;
  /** Of the axis, where `format` is too long for it. */
  formatTick?: (value: number) => string;
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

/** Where the colors begin anew, the line is broken differently. */
const DASHES: number[][] = [[], [8, 4], [2, 3]];
const dashOf = (i: number) => DASHES[Math.floor(i / COLORS.length) % DASHES.length] ?? [];

/** From a byte to a pebibyte. */
const POWERS_OF_TWO = Array.from({ length: 51 }, (_, exponent) => 2 ** exponent);

export function Chart({
  label,
  lines,
  format,
  formatTick = format,
  floor = 0,
  bytes = false,
  height = 220,
}: Props) {
  const { t, i18n } = useTranslation();
  const theme = useMantineTheme();
  const dark = useComputedColorScheme("light") === "dark";
  const { ref, width } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  /** Which instant the pointer is at. */
  const [pointed, setPointed] = useState<number | null>(null);
  const data = useMemo(() => align(lines.map((line) => line.series)), [lines]);
  const names = lines.map((line) => line.name).join("\n");
  // The newest of each, for a plot that outlives renders.
  const latest = useRef({ formatTick, data });
  useEffect(() => {
    latest.current = { formatTick, data };
    plot.current?.setData(data);
  }, [formatTick, data]);

  const pointedS = pointed === null ? undefined : data[0][pointed];

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
        hooks: { setCursor: [(shown) => setPointed(shown.cursor.idx ?? null)] },
        scales: {
          // From zero, so that heights compare; below it where values are.
          y: { range: (_, min, max) => [Math.min(0, min * 1.1), Math.max(max * 1.1, floor)] },
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
            values: (_, splits) => splits.map((value) => latest.current.formatTick(value)),
          },
        ],
        series: [
          {},
          ...names.split("\n").map((name, i) => ({
            label: name,
            stroke: colorOf(i),
            fill: i === 0 ? `${colorOf(i)}22` : undefined,
            width: 1.75,
            dash: dashOf(i),
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
      <Group gap="4px 16px" mt={6} component="ul" p={0} m={0} style={{ listStyle: "none" }}>
        {lines.map((line, i) => {
          const value = pointedS === undefined ? last(line.series) : data[i + 1]?.[pointed ?? 0];
          return (
            <Group key={line.name} component="li" gap={6} wrap="nowrap" miw={0}>
              <svg width={20} height={4} aria-hidden style={{ flex: "none" }}>
                <path
                  d="M0 2h20"
                  stroke={colorOf(i)}
                  strokeWidth={4}
                  strokeDasharray={dashOf(i).join(" ")}
                />
              </svg>
              <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                {line.name}
              </Text>
              <Text size="xs" fw={600} className="figures" style={{ whiteSpace: "nowrap" }}>
                {typeof value === "number" ? format(value) : t("chart.noValue")}
              </Text>
            </Group>
          );
        })}
        {pointedS !== undefined && (
          <Text component="li" size="xs" c="dimmed" className="figures">
            {formatInstant(pointedS * 1000, i18n.language)}
          </Text>
        )}
      </Group>
    </Box>
  );
}

// The console's identity: petrol with an amber eye, slate instead of black in the dark.
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const hawk: MantineColorsTuple = [
  "#e8f6f7",
  "#d3ebee",
  "#a6d6dc",
  "#75c0c9",
  "#4eadb8",
  "#33a0ad",
  "#1a8591",
  "#0f6f7b",
  "#0a5b66",
  "#064751",
];

const dark: MantineColorsTuple = [
  "#dbe3ea",
  "#b7c3ce",
  "#93a1af",
  "#6a7885",
  "#35424e",
  "#28333d",
  "#1b242d",
  "#121a22",
  "#0d141b",
  "#080d12",
];

/** Fonts that systems bring along: nothing is ever loaded from elsewhere. */
const SANS =
  'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Micro Hei", sans-serif';
const MONO =
  'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

export const theme = createTheme({
  primaryColor: "hawk",
  primaryShade: { light: 7, dark: 6 },
  colors: { hawk, dark },
  fontFamily: SANS,
  fontFamilyMonospace: MONO,
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  headings: { fontFamily: SANS, fontWeight: "650" },
  components: {
    Badge: { defaultProps: { variant: "light", radius: "sm", tt: "none", fw: 550 } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.45, blur: 2 } } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 300 } },
    Table: { defaultProps: { verticalSpacing: "sm", horizontalSpacing: "md" } },
  },
});

/** The colors that states are shown in. */
const STATE_COLORS = ["hawk", "teal", "blue", "yellow", "orange", "red", "gray"];

function softened(scheme: "light" | "dark"): Record<string, string> {
  const shade = scheme === "light" ? 8 : 3;
  // Above white, the bright colors are hard to read even at that shade.
  const dimmed: Record<string, string> =
    scheme === "light" ? { yellow: "#7d5200", orange: "#8f3d00", gray: "#495057" } : {};
  const strength = scheme === "light" ? 13 : 17;
  return Object.fromEntries(
    STATE_COLORS.flatMap((color) => {
      const solid = `var(--mantine-color-${color}-6)`;
      const mixed = (percent: number) => `color-mix(in srgb, ${solid} ${percent}%, transparent)`;
      const text =
        dimmed[color] ?? `var(--mantine-color-${color}-${color === "hawk" ? shade - 1 : shade})`;
      return [
        [`--mantine-color-${color}-light`, mixed(strength)],
        [`--mantine-color-${color}-light-hover`, mixed(strength + 6)],
        [`--mantine-color-${color}-light-color`, text],
      ];
    }),
  );
}

/** Small grey text at 4.5 to 1 or better, and quiet fills in the dark. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#5b6670",
    "--mantine-color-error": "#c92a2a",
    ...softened("light"),
  },
  dark: { "--mantine-color-error": "#ff8787", ...softened("dark") },
});

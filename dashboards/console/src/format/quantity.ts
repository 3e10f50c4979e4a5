const MIB_PER_GIB = 1024;
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

function number(value: number, language: string, digits = 1): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}

/** Whole GiB where it is some, else MiB. */
export function formatMib(mib: number, language: string): string {
  if (mib >= MIB_PER_GIB) return `${number(mib / MIB_PER_GIB, language)} GiB`;
  return `${number(mib, language)} MiB`;
}

export function formatBytes(bytes: number, language: string, digits = 1): string {
  let value = bytes;
  let step = 0;
  while (Math.abs(value) >= 1024 && step < BYTE_UNITS.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${number(value, language, digits)} ${BYTE_UNITS[step] ?? "B"}`;
}

const DECIMAL_UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** What so many bytes are called: "GiB", "MB", "500 B". */
export function bytesName(bytes: number): string {
  for (const [names, base] of [
    [BYTE_UNITS, 1024],
    [DECIMAL_UNITS, 1000],
  ] as const) {
    const name = names.find((_, power) => base ** power === bytes);
    if (name) return name;
  }
  return `${bytes} B`;
}

export function formatNumber(value: number, language: string, digits = 2): string {
  return number(value, language, digits);
}

export function formatPercent(ratio: number, language: string): string {
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 }).format(
    ratio,
  );
}

const SAMPLE_DIGITS = 6;

/**
 * A value of whatever unit: whole digits are never rounded, of a fraction the first digits show; the
 * very large and very small go by powers of ten.
 */
export function formatSample(value: number, language: string): string {
  const size = Math.abs(value);
  const far = size !== 0 && (size >= 1e15 || size < 1e-4);
  const whole = Math.max(1, Math.floor(Math.log10(Math.max(size, 1))) + 1);
  const digits = far ? SAMPLE_DIGITS : Math.max(SAMPLE_DIGITS, whole);
  return new Intl.NumberFormat(language, {
    maximumSignificantDigits: digits,
    notation: far ? "scientific" : "standard",
  }).format(value);
}

/** The same in the room of an axis: 150M, 1.5亿. */
export function formatTick(value: number, language: string): string {
  const size = Math.abs(value);
  const far = size !== 0 && (size >= 1e15 || size < 1e-4);
  return new Intl.NumberFormat(language, {
    maximumSignificantDigits: 4,
    notation: far ? "scientific" : "compact",
  }).format(value);
}

/** A value as the Prometheus API writes it: what is no number (NaN, +Inf, a text) stays as it is. */
export function formatWritten(text: string, language: string): string {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? formatSample(value, language) : text;
}

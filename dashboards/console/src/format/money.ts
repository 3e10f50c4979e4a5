// Amounts are decimal strings from the server's ledger. They are never turned into floats: a
// balance that is wrong in its last digit is a wrong balance.

export interface Decimal {
  /** The value times ten to the `scale`. */
  units: bigint;
  scale: number;
}

export function parseDecimal(text: string): Decimal | null {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text.trim());
  if (!match) return null;
  const [, sign = "", whole = "", fraction = ""] = match;
  const units = BigInt(whole + fraction);
  return { units: sign ? -units : units, scale: fraction.length };
}

/** To `digits` decimals, ties to the even neighbour, as the server rounds. */
export function round({ units, scale }: Decimal, digits: number): bigint {
  if (scale <= digits) return units * 10n ** BigInt(digits - scale);
  const divisor = 10n ** BigInt(scale - digits);
  const size = units < 0n ? -units : units;
  const floor = size / divisor;
  const twice = (size % divisor) * 2n;
  const up = twice > divisor || (twice === divisor && floor % 2n === 1n);
  const rounded = up ? floor + 1n : floor;
  return units < 0n ? -rounded : rounded;
}

/** Grouped digits with exactly `digits` decimals: "1,234.5600". The text itself if it is no number. */
export function formatAmount(text: string, digits = 4): string {
  const decimal = parseDecimal(text);
  if (!decimal) return text;
  const rounded = round(decimal, digits);
  const size = (rounded < 0n ? -rounded : rounded).toString().padStart(digits + 1, "0");
  const whole = size.slice(0, size.length - digits).replace(/\B(?=(\d{3})+$)/g, ",");
  // A true minus sign lines up with figures and is not broken from them.
  const sign = rounded < 0n ? "\u2212" : "";
  return digits === 0 ? sign + whole : `${sign}${whole}.${size.slice(size.length - digits)}`;
}

/** Of amounts on bills: the ledger's own. */
export const LEDGER_DIGITS = 6;
const PRICE_DIGITS = 9;

/** A price without the zeros behind its fourth decimal. */
export function formatPrice(price: string): string {
  return formatAmount(price, PRICE_DIGITS).replace(/(\.\d{4}\d*?)0+$/, "$1");
}

/** A quantity to so many decimals at most, without the zeros behind the last. */
export function formatDecimal(text: string, digits: number): string {
  return formatAmount(text, digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/** Of a rate: "0.06" as "6". */
export function percent(rate: string): string {
  const decimal = parseDecimal(rate);
  if (!decimal) return rate;
  const text = round({ ...decimal, units: decimal.units * 100n }, 4).toString().padStart(5, "0");
  return `${text.slice(0, -4)}.${text.slice(-4)}`.replace(/\.?0+$/, "");
}

export function isNegative(text: string): boolean {
  return (parseDecimal(text)?.units ?? 0n) < 0n;
}

export function isPositive(text: string): boolean {
  return (parseDecimal(text)?.units ?? 0n) > 0n;
}

/** What the ledger can take: a decimal number with at most `digits` decimals. */
export function isAmount(text: string, digits = 6): boolean {
  const decimal = parseDecimal(text);
  return decimal !== null && decimal.scale <= digits;
}

/** Of two amounts, exactly; the first where one is no number. */
export function sum(a: string, b: string): string {
  const [x, y] = [parseDecimal(a), parseDecimal(b)];
  if (!x || !y) return a;
  const scale = Math.max(x.scale, y.scale);
  const units = round(x, scale) + round(y, scale);
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const sign = units < 0n ? "-" : "";
  return scale === 0 ? sign + whole : `${sign}${whole}.${digits.slice(digits.length - scale)}`;
}

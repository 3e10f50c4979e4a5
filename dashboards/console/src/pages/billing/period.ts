// What of a tenant's money is shown, and its period, as they stand in the page's address, so that
// they can be linked to.

export interface Period {
  from: Date;
  to: Date;
}

export const PRESETS = ["hour", "day", "thisMonth", "lastMonth"] as const;
export type Preset = (typeof PRESETS)[number];

const HOUR_MS = 3_600_000;

/** In the reader's own zone; the end of a period that is not over is `now`. */
export function presetPeriod(preset: Preset, now: Date): Period {
  const month = (offset: number) => new Date(now.getFullYear(), now.getMonth() + offset, 1);
  switch (preset) {
    case "hour":
      return { from: new Date(now.getTime() - HOUR_MS), to: now };
    case "day":
      return { from: new Date(now.getTime() - 24 * HOUR_MS), to: now };
    case "thisMonth":
      return { from: month(0), to: now };
    case "lastMonth":
      return { from: month(-1), to: month(0) };
  }
}

export interface PeriodSearch {
  from?: string;
  to?: string;
}

function instant(value: unknown): string | undefined {
  return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? value : undefined;
}

/** What of the address is a period; the rest is ignored. */
export function readSearch(search: Record<string, unknown>): PeriodSearch {
  return { from: instant(search.from), to: instant(search.to) };
}

export const TABS = ["bill", "costs", "invoices"] as const;
export type Tab = (typeof TABS)[number];

export interface MoneySearch extends PeriodSearch {
  tab?: Tab;
}

export function readMoneySearch(search: Record<string, unknown>): MoneySearch {
  return { ...readSearch(search), tab: TABS.find((tab) => tab === search.tab) };
}

export const toSearch = ({ from, to }: Period): PeriodSearch => ({
  from: from.toISOString(),
  to: to.toISOString(),
});

export function toPeriod({ from, to }: PeriodSearch, now: Date): Period {
  const month = presetPeriod("thisMonth", now);
  return { from: from ? new Date(from) : month.from, to: to ? new Date(to) : month.to };
}

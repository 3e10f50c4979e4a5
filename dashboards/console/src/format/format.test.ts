import { describe, expect, test } from "vitest";
import {
  formatAmount,
  formatDecimal,
  isAmount,
  isNegative,
  isPositive,
  parseDecimal,
  percent,
  round,
  sum,
} from "./money";
import { formatMib } from "./quantity";
import { formatClock, formatDuration, fromLocalInput, toLocalInput } from "./time";

describe("amounts", () => {
  test.each([
    ["0.600000", "0.6000"],
    ["0", "0.0000"],
    ["12", "12.0000"],
    ["-3.250001", "\u22123.2500"],
    ["1234567.891", "1,234,567.8910"],
    // Ties go to the even neighbour, as in the ledger.
    ["0.00005", "0.0000"],
    ["0.00015", "0.0002"],
    ["0.00025", "0.0002"],
    ["-0.00015", "\u22120.0002"],
    // Beyond what a float can tell apart.
    ["9223372036854.775807", "9,223,372,036,854.7758"],
    ["not a number", "not a number"],
  ])("%s is read as %s", (text, shown) => expect(formatAmount(text)).toBe(shown));

  test("the ledger's six decimals stand on a bill", () => {
    expect(formatAmount("0.187655", 6)).toBe("0.187655");
    expect(formatAmount("5", 0)).toBe("5");
  });

  test.each([
    ["49.132075", "2.947925", "52.080000"],
    ["-0.5", "0.250001", "-0.249999"],
    ["10", "-3", "7"],
    ["9223372036854.775807", "0.000001", "9223372036854.775808"],
    ["1.5", "much", "1.5"],
  ])("%s and %s are %s", (a, b, both) => expect(sum(a, b)).toBe(both));

  test.each([
    ["510.194444444444", "510.194444"],
    ["1234.500000", "1,234.5"],
    ["20", "20"],
    ["0.0000001", "0"],
  ])("of %s at most six decimals are shown: %s", (text, shown) =>
    expect(formatDecimal(text, 6)).toBe(shown),
  );

  test("a rate is said in percent", () => {
    expect(["0.06", "0.0825", "0.250000", "0"].map(percent)).toEqual(["6", "8.25", "25", "0"]);
  });

  test("what rounds to nothing has no sign", () => {
    expect(formatAmount("-0.00001")).toBe("0.0000");
  });

  test("signs are told without floats", () => {
    expect(isNegative("-0.000001")).toBe(true);
    expect(isNegative("0.000000")).toBe(false);
    expect(isPositive("0.000001")).toBe(true);
  });

  test("an amount has at most six decimals and no exponent", () => {
    expect(["0.60", "12", "1.123456"].every((text) => isAmount(text))).toBe(true);
    expect(["", ".5", "1e3", "1.1234567", "1,5", "abc"].some((text) => isAmount(text))).toBe(false);
  });

  test("rounding keeps what needs none", () => {
    const decimal = parseDecimal("1.5");
    expect(decimal && round(decimal, 3)).toBe(1500n);
  });
});

describe("times", () => {
  test.each([
    [240, "240 ms"],
    [4210, "4.2 sec"],
    [61_000, "1 min 1 sec"],
    [3_600_000, "1 hr"],
    [4_000_000, "1 hr 6 min"],
    [90_000_000, "1 day 1 hr"],
    [-5, "0 ms"],
  ])("%d ms is %s", (ms, shown) => expect(formatDuration(ms, "en")).toBe(shown));

  test("in Chinese too", () => expect(formatDuration(61_000, "zh-CN")).toBe("1分钟 1秒"));

  test("a local input gives back the instant that it was given, to the second", () => {
    const at = new Date("2026-11-21T01:02:03.000Z");
    expect(fromLocalInput(toLocalInput(at))?.getTime()).toBe(at.getTime());
    expect(fromLocalInput("")).toBeNull();
  });

  test("a clock has seconds only where the steps are small", () => {
    expect(formatClock(0, "en", 10)).toMatch(/^\d\d:\d\d:\d\d$/);
    expect(formatClock(0, "en", 60)).toMatch(/^\d\d:\d\d$/);
  });
});

test("memory is shown in GiB from one on", () => {
  expect(formatMib(160, "en")).toBe("160 MiB");
  expect(formatMib(16_384, "en")).toBe("16 GiB");
});

import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import type { Bill, BillLine, Explanation, RatedLine } from "../../api/types";
import i18n from "../../i18n";
import { bill as anyBill, explanation, member, ratedLine } from "../../test/fake";
import { fakeServer, renderFor, type Sent } from "../../test/render";
import { BillTable } from "./BillView";
import { joinedBy, ofBill } from "./joined";
import { quantityOf, unitPriceOf } from "./words";

const GIB = 1_073_741_824;
const TENANT = anyBill.tenant_id;
const hour = (n: number) => new Date(Date.UTC(2026, 10, 21, n)).toISOString();
const id = (charge: number) => `${TENANT}.${charge}.0`;

const traffic = {
  what: "instance web-1, net_tx",
  resource_kind: "instance",
  resource_id: ratedLine.resource_id,
  resource_name: "web-1",
  meter: "instance.net_tx",
  component: "instance.net_tx",
  unit_price: "0.800000000",
};

/** What was sent in an hour, at 0.8 the GiB and 6 % on top. */
const sent = (n: number, gib: number, over: Partial<RatedLine> = {}): RatedLine => ({
  ...ratedLine,
  ...traffic,
  id: id(n),
  at: hour(n + 1),
  from: hour(n),
  to: hour(n + 1),
  quantity: gib * GIB,
  net: (gib * 0.8).toFixed(6),
  tax: (gib * 0.048).toFixed(6),
  ...over,
});

const line: BillLine = {
  ...traffic,
  first_line: id(1),
  from: hour(1),
  to: hour(4),
  model: "standard",
  unit: GIB,
  per: "unit",
  quantity: 14 * GIB,
  amount: "11.872000",
  adjustment: false,
};
const bill: Bill = { ...anyBill, from: hour(0), to: hour(6), lines: [line], subtotal: line.amount };
const charges = (lines: readonly RatedLine[]) => lines.map((rated) => rated.id.split(".")[1]);

describe("the rated lines of a line", () => {
  const listed = [sent(1, 4), sent(2, 6), sent(3, 4), sent(4, 1)];

  test("are those that were counted one after the other, of whatever quantity", () => {
    expect(charges(joinedBy(ofBill(line), listed, bill))).toEqual(["1", "2", "3"]);
    const longer = ofBill({ ...line, to: hour(5) });
    expect(charges(joinedBy(longer, listed, bill))).toEqual(["1", "2", "3", "4"]);
  });

  test("end where one is not there yet, is of another price, or does not go on", () => {
    expect(charges(joinedBy(ofBill(line), listed.slice(0, 2), bill))).toEqual(["1", "2"]);
    const dearer = [sent(1, 4), sent(2, 6, { unit_price: "0.900000000" }), sent(3, 4)];
    expect(charges(joinedBy(ofBill(line), dearer, bill))).toEqual(["1"]);
    expect(charges(joinedBy(ofBill(line), [sent(1, 4), sent(3, 4)], bill))).toEqual(["1"]);
    expect(joinedBy(ofBill(line), listed.slice(1), bill)).toEqual([]);
  });

  test("are of the bill's own charges, of which two may rate the same time alike", () => {
    const back = (charge: number, at: number) =>
      sent(1, -4, { id: id(charge), at: hour(at), kind: "adjustment" });
    const all = [sent(1, 4), back(5, 5), back(7, 5), back(9, 8)];
    const taken = { ...line, to: hour(2), quantity: -4 * GIB, adjustment: true };
    expect(charges(joinedBy(ofBill({ ...taken, first_line: id(7) }), all, bill))).toEqual(["7"]);
    expect(joinedBy(ofBill({ ...taken, first_line: id(9) }), all, bill)).toEqual([]);
  });

  test("go on whatever of another kind stands between them, each kind by itself", () => {
    const adjusted = (n: number, gib: number, charge: number) =>
      sent(n, gib, { id: id(charge), at: hour(5), kind: "adjustment" });
    // As a corrected price takes back and gives again, twice.
    const all = [
      sent(1, 4),
      adjusted(1, -4, 11),
      adjusted(1, -2, 13),
      sent(2, 6),
      adjusted(2, -6, 12),
      adjusted(2, -3, 14),
      sent(3, 4),
    ];
    expect(charges(joinedBy(ofBill(line), all, bill))).toEqual(["1", "2", "3"]);
    const taken = { ...line, to: hour(3), adjustment: true };
    const of = (charge: number) => ofBill({ ...taken, first_line: id(charge) });
    expect(charges(joinedBy(of(11), all, bill))).toEqual(["11", "12"]);
    expect(charges(joinedBy(of(13), all, bill))).toEqual(["13", "14"]);
  });

  test("have one quantity all along where they are of time", () => {
    const disk = { ...line, per: "hour", quantity: 10 } as const;
    const grown = [sent(1, 0, { quantity: 10 }), sent(2, 0, { quantity: 20 })];
    expect(charges(joinedBy(ofBill(disk), grown, bill))).toEqual(["1"]);
  });
});

test("a line says what its price is for, and what is counted is said in bytes", async () => {
  await i18n.changeLanguage("en");
  const said = (over: Partial<BillLine>) => unitPriceOf({ ...line, ...over }, "CNY", i18n.t);
  expect(said({})).toBe("0.8000 CNY/GiB");
  expect(said({ unit: 1_000_000_000 })).toBe("0.8000 CNY/GB");
  expect(said({ unit: 500 })).toBe("0.8000 CNY/500 B");
  expect(said({ per: "month", unit: 1 })).toBe("0.8000 CNY/month");
  expect(said({ per: "hour", unit: 1, component: "instance.compute" })).toBe("0.8000 CNY/h");
  expect(said({ per: "hour", unit: 100, component: "volume.capacity" })).toBe(
    "0.8000 CNY/100 GiB\u00b7h",
  );
  expect(said({ model: "graduated", unit_price: "0.000000000" })).toBe("graduated");
  expect(quantityOf(line, "en")).toBe("14 GiB");
  expect(quantityOf({ per: "hour", quantity: 1_500 }, "en")).toBe("1,500");
});

/** Opens the bill's only line, of which the server has these, two at a time. */
async function open(listed: RatedLine[], explained?: (asked: Sent) => Explanation) {
  const asked = fakeServer(member, (request) => {
    if (request.path === "/v1/lines") {
      const after = request.query.get("after");
      const from = listed.findIndex((rated) => rated.id === after) + 1;
      const body = { items: listed.slice(from, from + 2), more: from + 2 < listed.length };
      return { status: 200, body };
    }
    if (!explained || !request.path.startsWith("/v1/lines/")) return undefined;
    return { status: 200, body: explained(request) };
  });
  await renderFor(member, <BillTable bill={bill} />);
  const why = "Why instance web-1, net_tx costs that";
  await userEvent.click(await screen.findByRole("button", { name: why }));
  return { asked, dialog: await screen.findByRole("dialog", { name: "Why it costs that" }) };
}

describe("a line that is opened", () => {
  test("shows what was counted with net, tax and amount, and comes to the bill's", async () => {
    const { asked, dialog } = await open([sent(1, 4), sent(2, 6), sent(3, 4)]);
    const table = await within(dialog).findByRole("table", { name: "Rated lines" });
    const rows = () => within(table).getAllByRole("row").slice(1);
    expect(dialog).toHaveTextContent(/^Why it costs thatinstance web-1, net_tx11\.872000CNY/);
    expect(rows()[0]).toHaveTextContent(/^1\.0.*4 GiB3\.2000000\.1920003\.392000CNY$/);
    expect(rows().at(-1)).toHaveTextContent("The first 28.0000000.4800008.480000CNY");
    const [first] = asked.filter(({ path }) => path === "/v1/lines");
    expect(first?.query.get("component")).toBe("instance.net_tx");

    await userEvent.click(within(dialog).getByRole("button", { name: "Show more lines" }));
    expect(await within(dialog).findByRole("button", { name: "3.0" })).toBeVisible();
    expect(rows().at(-1)).toHaveTextContent("Sum11.2000000.67200011.872000CNY");
    expect(within(dialog).queryByRole("button", { name: "Show more lines" })).toBeNull();
    expect(asked.at(-1)?.query.get("after")).toBe(id(2));
  });

  test("says how much was observed, and shows readings and what was counted", async () => {
    const seen = sent(1, 14, { to: hour(4), quality: "estimated", coverage_ppm: 830_000 });
    const reading = { port: "eth0", epoch: "a", recorded_at: hour(4) };
    const counted = {
      port: "eth0",
      from: hour(1),
      to: hour(4),
      quantity: 14 * GIB,
      quality: "estimated",
      coverage_ppm: 830_000,
    };
    const { dialog } = await open([seen], () => ({
      ...explanation,
      readings: [
        { ...reading, at: hour(1), value: 5 },
        { ...reading, at: hour(4), value: 14 * GIB + 5 },
      ],
      counted: [counted],
    }));
    const lines = await within(dialog).findByRole("table", { name: "Rated lines" });
    expect(lines).toHaveTextContent("Estimated83% observed");
    const readings = await within(dialog).findByRole("table", { name: "Readings" });
    expect(readings).toHaveTextContent("15,032,385,541");
    const between = within(dialog).getByRole("table", { name: "Counted" });
    expect(between).toHaveTextContent("15,032,385,536");
  });

  test("goes on to facts beyond the first thousand", async () => {
    const [fact] = explanation.usage.facts;
    if (!fact) throw new Error("the fake has a fact");
    const { asked, dialog } = await open([sent(1, 14, { to: hour(4) })], ({ query }) => {
      const last = query.get("facts_after") === "1000";
      const sequence = last ? 1001 : 1000;
      const facts = [{ ...fact, id: `fact-${sequence}`, sequence }];
      const usage = { ...explanation.usage, facts, next_facts: last ? null : sequence };
      return { ...explanation, usage };
    });
    await userEvent.click(await within(dialog).findByRole("button", { name: "Show more facts" }));
    expect(await within(dialog).findByText("fact-1001")).toBeVisible();
    expect(within(dialog).getByText("fact-1000")).toBeVisible();
    expect(within(dialog).queryByRole("button", { name: "Show more facts" })).toBeNull();
    expect(asked.at(-1)?.query.get("facts_after")).toBe("1000");
  });
});

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import type { CostReport } from "../../api/types";
import { costs, member, operator, tenants } from "../../test/fake";
import { fakeServer, renderApp } from "../../test/render";

const october = "/costs?from=2026-10-01T00:00:00.000Z&to=2026-11-01T00:00:00.000Z";

const row = (n: number, net: string, currency = "CNY") => ({
  key: `tenant-${n}`,
  name: `tenant ${n}`,
  currency,
  net,
  tax: "0.000000",
  usage: [],
});

/** The page of a report with these rows. */
async function shown(report: Partial<CostReport>, language = "en") {
  const asked = fakeServer(operator, ({ path }) =>
    path === "/v1/costs" ? { status: 200, body: { ...costs("tenant"), ...report } } : undefined,
  );
  await renderApp(october, language);
  return asked;
}

describe("costs by tenant", () => {
  test("list the dearest first, with what was used, and lead to the tenant", async () => {
    const asked = fakeServer(operator);
    const { router } = await renderApp(october);
    const table = await screen.findByRole("table", { name: "Costs by tenant" });
    expect(screen.getByRole("heading", { level: 1, name: "Costs" })).toBeVisible();
    const [, first, second] = within(table).getAllByRole("row");
    expect(first).toHaveTextContent("globex510.25 h running150.330000CNY");
    expect(second).toHaveTextContent("acme510.25 h running43.000000CNY");
    expect(screen.getByText("Total")).toHaveTextContent("Total 193.330000CNY");
    const bars = screen.getByRole("list", { name: "The tenants that pay most, in CNY" });
    const [dearest] = within(bars).getAllByRole("listitem");
    expect(dearest).toHaveTextContent("globex150.330000CNY");

    const [sent] = asked.filter(({ path }) => path === "/v1/costs");
    expect(Object.fromEntries(sent?.query ?? [])).toEqual({
      from: "2026-10-01T00:00:00.000Z",
      to: "2026-11-01T00:00:00.000Z",
      group: "tenant",
    });
    const csv = screen.getByRole("link", { name: "Download CSV" });
    expect(csv).toHaveAttribute(
      "href",
      "/v1/costs.csv?from=2026-10-01T00%3A00%3A00.000Z&to=2026-11-01T00%3A00%3A00.000Z&group=tenant",
    );

    await userEvent.click(within(table).getByRole("link", { name: "acme" }));
    const [acme] = tenants;
    expect(await screen.findByRole("heading", { level: 1, name: "acme" })).toBeVisible();
    expect(router.state.location.pathname).toBe(`/tenants/${acme?.id}`);
  });

  test("are of the period that is picked", async () => {
    const asked = fakeServer(operator);
    const { router } = await renderApp("/costs");
    await screen.findByRole("table", { name: "Costs by tenant" });
    await userEvent.click(screen.getByRole("button", { name: "Last month" }));
    await waitFor(() => {
      const periods = asked.filter(({ path }) => path === "/v1/costs").map(({ query }) => query);
      expect(periods).toHaveLength(2);
      expect(Object.fromEntries(periods[1] ?? [])).toMatchObject(router.state.location.search);
    });
    expect(router.state.location.search).toHaveProperty("from");
  });

  test("of many tenants draw the dearest, and all others as one", async () => {
    const rows = Array.from({ length: 13 }, (_, i) => row(i, `${13 - i}.000000`));
    await shown({ rows, totals: [{ currency: "CNY", net: "91.000000", tax: "0.000000" }] });
    const bars = await screen.findByRole("list", { name: /^The tenants that pay most/ });
    const items = within(bars).getAllByRole("listitem");
    expect(items).toHaveLength(11);
    expect(items[0]).toHaveTextContent("tenant 013.000000CNY");
    expect(items[10]).toHaveTextContent("3 others6.000000CNY");
    const table = screen.getByRole("table", { name: "Costs by tenant" });
    expect(within(table).getAllByRole("row")).toHaveLength(14);
  });

  test("of two currencies are added up for each", async () => {
    const total = (currency: string, net: string) => ({ currency, net, tax: "0.000000" });
    await shown({
      rows: [row(1, "9.000000"), row(2, "2.000000", "USD"), row(3, "1.000000")],
      totals: [total("CNY", "10.000000"), total("USD", "2.000000")],
    });
    const yuan = await screen.findByRole("table", { name: "Costs by tenant in CNY" });
    const dollars = screen.getByRole("table", { name: "Costs by tenant in USD" });
    expect(within(yuan).getAllByRole("row")).toHaveLength(3);
    expect(within(dollars).getAllByRole("row")).toHaveLength(2);
    expect(dollars).toHaveTextContent("tenant 22.000000USD");
  });

  test("say so where nothing was used", async () => {
    await shown({ rows: [], totals: [] });
    expect(await screen.findByText("Nothing was used in this period")).toBeVisible();
  });

  test("say what was wrong where they were refused", async () => {
    fakeServer(operator, ({ path }) =>
      path === "/v1/costs"
        ? {
            status: 400,
            body: {
              type: "urn:opshawk:problem:invalid",
              title: "Invalid",
              status: 400,
              detail: "a report covers at most 400 days",
              remedy: "ask for a shorter period",
            },
          }
        : undefined,
    );
    await renderApp(october);
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("a report covers at most 400 days");
    expect(alert).toHaveTextContent("ask for a shorter period");
    // Another period can be picked.
    expect(screen.getByRole("button", { name: "This month" })).toBeVisible();
  });

  test("are said in Chinese", async () => {
    await shown({}, "zh-CN");
    expect(await screen.findByRole("table", { name: "按租户统计的费用" })).toBeVisible();
    expect(screen.getByRole("heading", { level: 1, name: "费用" })).toBeVisible();
  });

  test("are for operators alone", async () => {
    const asked = fakeServer(member);
    const { router } = await renderApp("/costs");
    expect(await screen.findByText("8/10 instances")).toBeVisible();
    expect(router.state.location.pathname).toBe("/");
    expect(asked.filter(({ path }) => path === "/v1/costs")).toEqual([]);
  });
});

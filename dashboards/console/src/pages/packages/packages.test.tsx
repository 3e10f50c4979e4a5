import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { member, operator, packages, priceBooks, priceOverrides } from "../../test/fake";
import { fakeServer, renderApp, type Sent } from "../../test/render";
import { offersOf } from "./offers";
import { stateOf } from "./PackageTable";

const [lapsed, cancelled, backups] = packages;
const [book] = priceBooks;
const [first] = priceOverrides;
if (!lapsed || !cancelled || !backups || !book || !first) throw new Error("the fake has packages");
const acme = backups.tenant_id;

const posts = (asked: Sent[]) => asked.filter(({ method }) => method === "POST");

async function table() {
  return screen.findByRole("table", { name: "Packages" });
}

test("a package is renewed, ends, or has ended", () => {
  const now = Date.now();
  expect([lapsed, cancelled, backups].map((one) => stateOf(one, now))).toEqual([
    "ended",
    "ending",
    "active",
  ]);
});

test("what can be ordered is what the prices in force name, a valid override's before the book's", () => {
  const now = Date.now();
  const price = (prices: ReturnType<typeof offersOf>) =>
    prices.map(({ rate }) => [rate.id, rate.price]);
  expect(price(offersOf(book, [], now))).toEqual([["backups", "30.000000000"]]);
  expect(offersOf(undefined, [], now)).toEqual([]);
  const rate = { id: "backups", component: "package.package", price: "12.000000000" };
  const own = { ...first, rates: [rate], from: "2026-01-01T00:00:00Z", to: null };
  expect(price(offersOf(book, [own], now))).toEqual([["backups", "12.000000000"]]);
  const over = { ...own, to: "2026-01-02T00:00:00Z" };
  expect(price(offersOf(book, [over], now))).toEqual([["backups", "30.000000000"]]);
});

describe("a member", () => {
  test("sees when its packages are renewed, for how much, and which end", async () => {
    fakeServer(member);
    await renderApp("/packages");
    const rows = within(await table());
    expect(screen.getByRole("heading", { level: 1, name: "Packages" })).toBeVisible();
    expect(rows.getByRole("row", { name: /^backups/ })).toHaveTextContent("31.800000CNY");
    expect(rows.getByRole("row", { name: /^backups/ })).toHaveTextContent("Renewed");
    expect(rows.getByRole("row", { name: /^support/ })).toHaveTextContent("Ends");
    expect(rows.getByRole("row", { name: /^vpn/ })).toHaveTextContent(
      "Its price is gone: it was not renewed.",
    );
    // What ends already is cancelled no more.
    expect(rows.getAllByRole("button", { name: /^Cancel / })).toHaveLength(1);
  });

  test("orders one by its rate, once, with a key", async () => {
    const asked = fakeServer(member, ({ method }) =>
      method === "POST" ? { status: 201, body: backups } : undefined,
    );
    await renderApp("/packages");
    await userEvent.click(await screen.findByRole("button", { name: "Order package" }));
    const dialog = await screen.findByRole("dialog", { name: "Order a package" });
    // The only one there is.
    expect(within(dialog).getByRole("combobox", { name: "Package" })).toHaveValue(
      "backups: 30.0000 CNY a month",
    );
    expect(within(dialog).getByText("plus 6 % tax")).toBeVisible();
    await userEvent.type(within(dialog).getByRole("textbox", { name: "Name" }), "shop");
    await userEvent.click(within(dialog).getByRole("button", { name: "Order" }));
    expect(await screen.findByText("shop is ordered.")).toBeVisible();
    expect(posts(asked)).toHaveLength(1);
    expect(posts(asked)[0]?.path).toBe(`/v1/tenants/${acme}/packages`);
    expect(posts(asked)[0]?.headers.get("Idempotency-Key")).toBeTruthy();
    expect(posts(asked)[0]?.body).toEqual({ rate: "backups", name: "shop" });
  });

  test("is told what is missing where its balance does not suffice", async () => {
    const refusal = {
      type: "urn:opshawk:problem:payment-required",
      title: "The balance does not suffice",
      status: 402,
      detail: "the balance of 0.4123 CNY does not cover 31.8 of a month",
      remedy: "top up at least 31.3877 CNY",
    };
    fakeServer(member, ({ method }) =>
      method === "POST" ? { status: 402, body: refusal } : undefined,
    );
    await renderApp("/packages");
    await userEvent.click(await screen.findByRole("button", { name: "Order package" }));
    const dialog = await screen.findByRole("dialog", { name: "Order a package" });
    await userEvent.click(within(dialog).getByRole("button", { name: "Order" }));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent(
      "top up at least 31.3877 CNY",
    );
  });

  test("cancels one only after a question", async () => {
    const asked = fakeServer(member, ({ method }) =>
      method === "POST" ? { status: 200, body: backups } : undefined,
    );
    await renderApp("/packages");
    await userEvent.click(await screen.findByRole("button", { name: "Cancel backups" }));
    const question = await screen.findByRole("dialog", { name: "Cancel backups?" });
    expect(question).toHaveTextContent("Nothing is given back.");
    expect(posts(asked)).toEqual([]);
    await userEvent.click(within(question).getByRole("button", { name: "Cancel the package" }));
    await waitFor(() => expect(posts(asked)).toHaveLength(1));
    expect(posts(asked)[0]?.path).toBe(`/v1/tenants/${acme}/packages/${backups.id}/cancel`);
  });

  test("reads that there is nothing to order, in Chinese too", async () => {
    fakeServer(member, ({ path }) =>
      path === "/v1/price-books"
        ? { status: 200, body: { items: [], next_cursor: null } }
        : undefined,
    );
    await renderApp("/packages", "zh-CN");
    expect(await screen.findByText("价格中没有套餐。")).toBeVisible();
    expect(screen.queryByRole("button", { name: "订购套餐" })).toBeNull();
  });
});

test("an operator reaches a tenant's packages from the tenant, and a member does not", async () => {
  fakeServer(operator);
  const { router, unmount } = await renderApp(`/tenants/${acme}`);
  await userEvent.click(await screen.findByRole("link", { name: "Packages" }));
  expect(await screen.findByRole("heading", { level: 1, name: "Packages of acme" })).toBeVisible();
  expect(router.state.location.pathname).toBe(`/tenants/${acme}/packages`);
  expect(within(await table()).getByRole("button", { name: "Cancel backups" })).toBeVisible();
  unmount();
  fakeServer(member);
  const { router: own } = await renderApp(`/tenants/${acme}/packages`);
  expect(await screen.findByText("8/10 instances")).toBeVisible();
  expect(own.state.location.pathname).toBe("/");
});

import { EditorView } from "@codemirror/view";
import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { flavors, operator, priceBooks, priceDrafts, priceOverrides, tenants } from "../../test/fake";
import { fakeServer, renderApp, renderFor, type Sent } from "../../test/render";
import { checkedAs } from "./checks";
import { fromText, toText } from "./document";
import { OverridesPanel } from "./Overrides";
import { RateTable } from "./RateTable";
import { inForce, stateOf } from "./versions";

const [book] = priceBooks;
const [wrong, sound] = priceDrafts;
const [acme] = tenants;
if (!book || !wrong || !sound || !acme) throw new Error("the fake has prices");

const changes = (asked: Sent[]) => asked.filter(({ method }) => method !== "GET");

describe("a document", () => {
  test("is edited with flavors by name, and sent with their ids", () => {
    const text = toText(sound.document, flavors);
    expect(text).toContain('"flavor": "m1.tiny"');
    expect(fromText(text, flavors)).toEqual(sound.document);
  });

  test("keeps an unknown flavor for the server to name, and is none without rates", () => {
    const text = '{"rates": [{"id": "a", "component": "instance.compute", "where": {"flavor": "x"}, "price": "1"}]}';
    expect(fromText(text, flavors)?.rates[0]?.where?.flavor).toBe("x");
    for (const broken of ["", "{", "[]", "null", '{"rates": 1}']) {
      expect(fromText(broken, flavors)).toBeNull();
    }
  });

  test("keeps both ids where two flavors have one name", () => {
    const twins = flavors.map((flavor) => ({ ...flavor, name: "same" }));
    const text = toText(sound.document, twins);
    expect(text).toContain(flavors[0]?.id);
    expect(fromText(text, twins)).toEqual(sound.document);
  });
});

test("of versions the latest begun is in force, of equal instants the later published", () => {
  const now = Date.now();
  expect(inForce(book.versions, now)?.number).toBe(3);
  const states = book.versions.map((version) => stateOf(version, book.versions, now));
  expect(states).toEqual(["past", "upcoming", "in_force"]);
  const [first] = book.versions;
  const twin = first && { ...first, id: "twin", number: 9 };
  expect(first && twin && inForce([first, twin], now)?.number).toBe(9);
  expect(inForce([], now)).toBeUndefined();
});

test("a draft says what its last check found", () => {
  expect(checkedAs(wrong)).toBe("errors");
  expect(checkedAs(sound)).toBe("sound");
  expect(checkedAs({ ...wrong, is_checked: false })).toBe("unchecked");
  expect(checkedAs({ ...wrong, checks: wrong.checks.slice(1) })).toBe("warnings");
});

test("a rate shows its conditions, tiers and extras", async () => {
  fakeServer(operator);
  await renderFor(operator, <RateTable label="rates" rates={sound.document.rates} />);
  const table = await screen.findByRole("table", { name: "rates" });
  expect(await within(table).findByText("m1.tiny")).toBeVisible();
  expect(within(table).getByText("north, tier=gold")).toBeVisible();
  expect(within(table).getByText("0.3600/h")).toBeVisible();
  expect(within(table).getByText("30.0000/month")).toBeVisible();
  expect(within(table).getByText("0.8000 up to 90")).toBeVisible();
  expect(within(table).getByText("per GiB")).toBeVisible();
  expect(within(table).getByText("10 GiB a month free")).toBeVisible();
  expect(within(table).getByText("at least 5.0000 a month")).toBeVisible();
});

describe("the pages", () => {
  test("list books", async () => {
    fakeServer(operator);
    await renderApp("/prices");
    const link = await screen.findByRole("link", { name: "standard" });
    expect(link).toHaveAttribute("href", `/prices/${book.id}`);
  });

  test("show a book's versions and drafts", async () => {
    fakeServer(operator);
    await renderApp(`/prices/${book.id}`);
    expect(await screen.findByRole("link", { name: "Revision 3" })).toBeVisible();
    expect(await screen.findByText("plus 6 % tax")).toBeVisible();
    expect(screen.getByText("the price of small was typed wrong")).toBeVisible();
    expect(screen.getByRole("table", { name: "Rates of version 3" })).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "Show version 1" }));
    expect(await screen.findByRole("table", { name: "Rates of version 1" })).toBeVisible();
  });

  test("keep a draft with errors from being published", async () => {
    fakeServer(operator);
    await renderApp(`/prices/drafts/${wrong.id}`);
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("the price of small is negative");
    expect(screen.getByText(/flavor m1.large have no price/)).toBeVisible();
    expect(screen.getByRole("button", { name: "Publish" })).toBeDisabled();
  });

  test("a draft that somebody else saves keeps what was typed until its author drops it", async () => {
    let revision = sound.revision;
    const asked = fakeServer(operator, ({ method, path }) => {
      if (path === `/v1/price-drafts/${sound.id}` && method === "GET")
        return { status: 200, body: { ...sound, revision } };
      return path.endsWith("/check") ? { status: 200, body: sound } : undefined;
    });
    await renderApp(`/prices/drafts/${sound.id}`);
    const field = await screen.findByRole("textbox", { name: /JSON/ });
    act(() => EditorView.findFromDOM(field)?.dispatch({ changes: { from: 0, insert: "   " } }));
    const typed = field.textContent;
    revision += 1;
    await userEvent.click(screen.getByRole("button", { name: "Check" }));
    expect(await screen.findByText(/^Somebody saved revision/)).toBeVisible();
    expect(screen.getByRole("textbox", { name: /JSON/ }).textContent).toBe(typed);
    await userEvent.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(changes(asked)).toHaveLength(2));
    expect(changes(asked)[1]?.body).toMatchObject({ revision: sound.revision });
    await userEvent.click(screen.getByRole("button", { name: "Revert" }));
    expect(screen.queryByText(/^Somebody saved revision/)).toBeNull();
    expect(screen.getByRole("textbox", { name: /JSON/ }).textContent).not.toBe(typed);
  });

  test("publish one that is sound, once, with a key", async () => {
    const asked = fakeServer(operator, ({ method, path }) =>
      method === "POST" && path.endsWith("/publish")
        ? { status: 201, body: book.versions[0] ?? {} }
        : undefined,
    );
    await renderApp(`/prices/drafts/${sound.id}`);
    await userEvent.click(await screen.findByRole("button", { name: "Publish" }));
    const dialog = await screen.findByRole("dialog", { name: "Publish the draft" });
    await userEvent.type(within(dialog).getByRole("textbox", { name: /^Reason/ }), " a mistake ");
    await userEvent.click(within(dialog).getByRole("button", { name: "Publish" }));
    await waitFor(() => expect(changes(asked)).toHaveLength(1));
    const [sent] = changes(asked);
    expect(sent?.path).toBe(`/v1/price-drafts/${sound.id}/publish`);
    expect(sent?.headers.get("Idempotency-Key")).toBeTruthy();
    expect(sent?.body).toEqual({ correction: "a mistake" });
    expect(await screen.findByText("Version 1 is published.")).toBeVisible();
  });

  test("simulate a draft, and post nothing", async () => {
    const found = {
      draft_id: sound.id, price_book_id: book.id, currency: "CNY", difference: "7.440000",
      from: book.created_at, until: book.created_at, effective_at: book.created_at,
      tenants: [{ tenant_id: acme.id, charged: "52.080000", simulated: "59.520000", difference: "7.440000" }],
    };
    const asked = fakeServer(operator, ({ method }) =>
      method === "POST" ? { status: 200, body: found } : undefined,
    );
    await renderApp(`/prices/drafts/${sound.id}`);
    fireEvent.change(await screen.findByLabelText("From"), {
      target: { value: "2026-11-01T00:00" },
    });
    await userEvent.click(screen.getByRole("button", { name: "Simulate" }));
    const table = await screen.findByRole("table", { name: "Simulation" });
    expect(await within(table).findByText("acme")).toBeVisible();
    expect(within(table).getByText(/59\.520000/)).toBeVisible();
    expect(changes(asked).map(({ path }) => path)).toEqual(["/v1/prices/simulate"]);
  });

  test("are read in Chinese", async () => {
    fakeServer(operator);
    await renderApp("/prices", "zh-CN");
    expect(await screen.findByRole("heading", { name: "价格" })).toBeVisible();
    expect(await screen.findByText("所有租户")).toBeVisible();
  });
});

describe("a tenant's own prices", () => {
  test("are listed, newest first, and those that go on can be ended with a reason", async () => {
    const asked = fakeServer(operator, ({ method }) =>
      method === "POST" ? { status: 200, body: priceOverrides[1] ?? {} } : undefined,
    );
    await renderFor(operator, <OverridesPanel tenantId={acme.id} />);
    const table = await screen.findByRole("table", { name: "Own prices" });
    expect(within(table).getByText("a trial")).toBeVisible();
    expect(within(table).queryByRole("button", { name: "End override 1" })).toBeNull();
    await userEvent.click(within(table).getByRole("button", { name: "End override 2" }));
    const dialog = await screen.findByRole("dialog", { name: "End override 2" });
    await userEvent.click(within(dialog).getByRole("button", { name: "End" }));
    expect(within(dialog).getByText("Say why.")).toBeVisible();
    expect(changes(asked)).toEqual([]);
    await userEvent.type(within(dialog).getByRole("textbox", { name: /^Reason/ }), "signed");
    await userEvent.click(within(dialog).getByRole("button", { name: "End" }));
    await waitFor(() => expect(changes(asked)).toHaveLength(1));
    expect(changes(asked)[0]?.path).toBe(`/v1/tenants/${acme.id}/price-overrides/2/end`);
    expect(changes(asked)[0]?.body).toEqual({ reason: "signed" });
  });
});

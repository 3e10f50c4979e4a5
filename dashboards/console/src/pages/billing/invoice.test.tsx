import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test, vi } from "vitest";
import type { InvoiceDetail, InvoiceLine, RatedLine } from "../../api/types";
import i18n from "../../i18n";
import {
  creditNotes,
  invoiceDetail,
  invoiceLines,
  invoices,
  member,
  operator,
  ratedLine,
} from "../../test/fake";
import { fakeServer, renderApp } from "../../test/render";
import { ofInvoice } from "./joined";
import { invoicedPrice, invoicedQuantity } from "./words";

const [invoice] = invoices;
const [late, compute, traffic] = invoiceLines;
const [note] = creditNotes;
if (!invoice || !late || !compute || !traffic || !note) throw new Error("the fake has an invoice");

const path = `/invoices/${invoice.id}`;
const whole = invoiceDetail(invoice);

/** The page of an invoice that differs in this. */
async function shown(over: Partial<InvoiceDetail>) {
  fakeServer(member, (sent) =>
    sent.path === `/v1${path}` ? { status: 200, body: { ...whole, ...over } } : undefined,
  );
  await renderApp(path);
  await screen.findByRole("heading", { level: 1, name: "Invoice INV-000042" });
}

/** What stands in a table, row by row. */
const rowsOf = (name: string) =>
  within(screen.getByRole("table", { name }))
    .getAllByRole("row")
    .map((row) => row.textContent);

describe("an invoice", () => {
  test("says who bills whom, for what, and what it comes to", async () => {
    fakeServer(member);
    await renderApp(path);
    await screen.findByRole("heading", { level: 1, name: "Invoice INV-000042" });
    expect(screen.getByText("2026-10 (Asia/Shanghai)")).toBeVisible();
    expect(screen.getByText("Example Cloud Ltd.")).toHaveTextContent(
      "Example Cloud Ltd.1 Example Road, ShanghaiTax ID 91310000EXAMPLE",
    );
    expect(screen.getByText("Acme Shops Ltd.")).toBeVisible();

    const [, first, second, foot] = rowsOf("Use in 2026-10");
    expect(first).toMatch(/^instance web-1, flavor m1\.tiny.*510\.194444h0\.3600183\.670000CNY$/);
    expect(second).toMatch(/net_tx.*13GiBgraduated, \u2248 0\.7492307699\.740000CNY$/);
    expect(foot).toBe("Subtotal193.410000CNY");
    const [, adjusted] = rowsOf("Adjustments of 2026-09");
    expect(adjusted).toMatch(/^disk of web-1, 10 GiB.*Adjustment.*\u22120\.100000CNY$/);

    expect(rowsOf("Sums")).toEqual([
      "Subtotal193.310000CNY",
      "Tax 6 %\u22120.006000CNY",
      "Tax 25 %48.352500CNY",
      "Rounding0.003500CNY",
      "Total241.66CNY",
      "of it net193.31CNY",
      "of it tax48.35CNY",
    ]);
  });

  test("has its files and credit notes, and theirs", async () => {
    fakeServer(member);
    await renderApp(path);
    for (const format of ["html", "pdf", "csv", "json"]) {
      const name = `Invoice INV-000042 as ${format.toUpperCase()}`;
      expect(await screen.findByRole("link", { name })).toHaveAttribute(
        "href",
        `/v1/invoices/${invoice.id}/files/${format}?language=en`,
      );
    }
    const table = screen.getByRole("table", { name: "Credit notes" });
    const row = within(table).getByRole("row", { name: /^CN-000007/ });
    expect(row).toHaveTextContent("outage of 3 November33.32CNY8.34CNY41.66CNY");
    expect(
      within(row).getByRole("link", { name: "Credit note CN-000007 as PDF" }),
    ).toHaveAttribute("href", `/v1/credit-notes/${note.id}/files/pdf?language=en`);
  });

  test("without tax, notes or a rounding says no more than there is", async () => {
    const free: InvoiceLine = { ...compute, tax: "0.000000", first_line: null };
    const sums = {
      lines_net: "183.670000",
      lines_tax: "0.000000",
      net: "183.670000",
      tax: "0.000000",
      total: "183.670000",
      rounding: "0.000000",
    };
    await shown({ content: { ...whole.content, lines: [free], sums }, credit_notes: [] });
    expect(rowsOf("Sums")).toEqual(["Subtotal183.670000CNY", "Total183.67CNY"]);
    expect(screen.getByText("Nothing of this invoice was taken back.")).toBeVisible();
    expect(screen.queryByRole("table", { name: "Credit notes" })).toBeNull();
    // It was issued before invoices said with what their lines begin.
    expect(screen.getByText(/^What was charged, .* the bill of the period does\.$/)).toBeVisible();
    expect(screen.queryByRole("button", { name: /^Why / })).toBeNull();
  });

  test("of many lines shows more of them when it is asked", async () => {
    const lines = Array.from({ length: 230 }, () => traffic);
    await shown({ content: { ...whole.content, lines } });
    expect(rowsOf("Use in 2026-10")).toHaveLength(202);
    await userEvent.click(screen.getByRole("button", { name: "Show more" }));
    expect(rowsOf("Use in 2026-10")).toHaveLength(232);
    expect(screen.queryByRole("button", { name: "Show more" })).toBeNull();
  });

  test("that is not there, or another's, is refused in words", async () => {
    fakeServer(member);
    await renderApp("/invoices/01930000-0000-7000-8000-000000009999");
    expect(await screen.findByText("it does not exist")).toBeVisible();
  });

  test("is cards on a phone, with the subtotal above them", async () => {
    const wide = matchMedia;
    vi.stubGlobal("matchMedia", (query: string) =>
      Object.assign(wide(query), { matches: true }),
    );
    try {
      await shown({});
      const cards = within(screen.getByRole("list", { name: "Use in 2026-10" }));
      expect(cards.getAllByRole("listitem")).toHaveLength(2);
      const section = screen.getByRole("region", { name: "Use in 2026-10" });
      expect(section).toHaveTextContent(/^Use in 2026-10Subtotal193\.410000CNYinstance web-1/);
    } finally {
      vi.stubGlobal("matchMedia", wide);
    }
  });

  test("is reached from the list, and leads back to it", async () => {
    fakeServer(member);
    const { router } = await renderApp("/billing?tab=invoices");
    const table = await screen.findByRole("table", { name: "Invoices" });
    await userEvent.click(within(table).getByRole("link", { name: "INV-000042" }));
    await screen.findByRole("heading", { level: 1, name: "Invoice INV-000042" });
    expect(router.state.location.pathname).toBe(path);
    const billing = screen.getByRole("link", { name: "Billing" });
    expect(billing).toHaveAttribute("aria-current", "page");
    await userEvent.click(screen.getByRole("link", { name: "Invoices" }));
    expect(await screen.findByRole("table", { name: "Invoices" })).toBeVisible();
    expect(router.state.location.href).toBe("/billing?tab=invoices");
  });

  test("leads an operator back to its tenant's, and is said in Chinese", async () => {
    fakeServer(operator);
    await renderApp(path, "zh-CN");
    await screen.findByRole("heading", { level: 1, name: "月度账单 INV-000042" });
    expect(screen.getByRole("link", { name: "月度账单" })).toHaveAttribute(
      "href",
      `/tenants/${invoice.tenant_id}/bill?tab=invoices`,
    );
    expect(screen.getByRole("table", { name: "2026-10 用量" })).toBeVisible();
    const html = screen.getByRole("link", { name: "下载 HTML 格式的账单 INV-000042" });
    expect(html.getAttribute("href")).toMatch(/\/files\/html\?language=zh-CN$/);
  });
});

describe("a line of an invoice", () => {
  const rated = (line: InvoiceLine, over: Partial<RatedLine>): RatedLine => ({
    ...ratedLine,
    component: line.component,
    rate: line.rate,
    unit_price: line.unit_price,
    kind: line.kind ?? "usage",
    from: line.from,
    to: line.to,
    quantity: line.quantity,
    net: line.net,
    tax: line.tax,
    ...over,
  });

  /** Opens it; of which lines the dialog speaks. */
  async function opened(line: InvoiceLine, listed: readonly RatedLine[]) {
    const asked = fakeServer(member, (sent) =>
      sent.path === "/v1/lines"
        ? { status: 200, body: { items: listed, more: false } }
        : undefined,
    );
    await renderApp(path);
    const name = `Why ${line.what} costs that`;
    await userEvent.click(await screen.findByRole("button", { name }));
    const dialog = await screen.findByRole("dialog", { name: "Why it costs that" });
    const table = await within(dialog).findByRole("table", { name: "Rated lines" });
    const ids = within(table).getAllByRole("button").map((button) => button.textContent);
    return { asked, dialog, ids };
  }

  test("opens what was charged up to its closing, down to the facts", async () => {
    // What the flavor is called by now does not matter.
    const first = rated(compute, { id: compute.first_line ?? "", what: "renamed" });
    const after = new Date(Date.parse(whole.content.issued_at) + 1).toISOString();
    const later = rated(compute, { id: `${invoice.tenant_id}.9.0`, at: after });
    const { asked, dialog, ids } = await opened(compute, [first, later]);
    expect(ids).toEqual(["7.0"]);
    expect(dialog).toHaveTextContent(/instance web-1, flavor m1\.tiny229\.587500CNY/);
    expect(await within(dialog).findByRole("table", { name: "Facts" })).toHaveTextContent("running");
    const [sent] = asked.filter(({ path }) => path === "/v1/lines");
    expect(Object.fromEntries(sent?.query ?? [])).toEqual({
      tenant_id: invoice.tenant_id,
      resource_id: compute.resource_id,
      component: "instance.compute",
      from: compute.from,
      to: compute.to,
    });
    expect(asked.filter(({ path }) => path.endsWith("/months"))).toEqual([]);
  });

  test("of an earlier month opens what was charged since that was closed", async () => {
    const middle = "2026-09-30T15:00:00Z";
    const line = (charge: number, over: Partial<RatedLine>) =>
      rated(late, { id: `${invoice.tenant_id}.${charge}.0`, ...over });
    const { asked, ids } = await opened(late, [
      line(6, { to: middle }),
      // Charged within the grace: it is on the invoice before.
      line(2, { from: middle, at: new Date(0).toISOString() }),
      line(6, { id: `${invoice.tenant_id}.6.1`, from: middle }),
    ]);
    expect(ids).toEqual(["6.0", "6.1"]);
    expect(asked.filter(({ path }) => path.endsWith("/months"))).toHaveLength(1);
  });

  test("is opened where it says with what it begins", () => {
    expect(ofInvoice(traffic)).toBeNull();
    expect(ofInvoice({ ...traffic, first_line: undefined })).toBeNull();
    const joining = ofInvoice({ ...traffic, first_line: "first" });
    expect(joining).toMatchObject({ first_line: "first", per: "unit", amount: "12.175000" });
  });
});

test("quantity and price are said as on the printed form", async () => {
  await i18n.changeLanguage("en");
  const price = (over: Partial<InvoiceLine>) => invoicedPrice({ ...compute, ...over }, i18n.t);
  const quantity = (over: Partial<InvoiceLine>) =>
    invoicedQuantity({ ...compute, ...over }, "en");
  expect(price({})).toBe("0.3600");
  expect(price({ priced: { ...compute.priced, effective: true } as never })).toBe("\u2248 0.3600");
  expect(price({ kind: "minimum", priced: null })).toBe("minimum charge");
  expect(price({ model: "volume", net: "0.000000" })).toBe("by volume");
  expect(price({ model: "package", priced: null })).toBe("by blocks");
  // As older invoices have it.
  expect(price({ priced: undefined, model: undefined })).toBe("0.3600");
  expect(quantity({ priced: undefined })).toBe("1");
  expect(quantity({ priced: undefined, quantity: 0 })).toBeNull();
  expect(invoicedQuantity({ ...traffic, priced: null }, "en")).toBe("13 GiB");
});

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test, vi } from "vitest";
import { keys } from "../api/keys";
import { flavors, images, instances, invoices, member, operator } from "../test/fake";
import { formatPrice } from "../format/money";
import { fakeServer, renderApp, renderFor } from "../test/render";
import { shares } from "./billing/CostTable";
import { presetPeriod, readSearch, toPeriod } from "./billing/period";
import { CreateInstanceForm } from "./instances/CreateInstance";
import { goingTo } from "./instances/InstanceStatus";
import { plainText } from "./instances/plainText";
import { allowed } from "./instances/useInstanceVerbs";

const web = instances[0];
if (!web) throw new Error("the fake has instances");

async function choose(field: string, option: RegExp) {
  await userEvent.click(screen.getByRole("combobox", { name: field }));
  await userEvent.click(await screen.findByRole("option", { name: option }));
}

describe("creating an instance", () => {
  test("says what is missing, at each field, and sends nothing", async () => {
    const asked = fakeServer(operator);
    await renderFor(operator, <CreateInstanceForm onClose={() => undefined} />);
    await userEvent.type(screen.getByRole("textbox", { name: "SSH public key" }), "not a key");
    await userEvent.click(screen.getByRole("button", { name: "Create" }));
    expect(screen.getByRole("textbox", { name: "Name" })).toBeInvalid();
    expect(screen.getByText("Give the instance a name.")).toBeVisible();
    expect(screen.getByText("Choose whose instance it is.")).toBeVisible();
    expect(screen.getByText("Choose a flavor.")).toBeVisible();
    expect(screen.getByText("Choose an image.")).toBeVisible();
    expect(screen.getByText(/^That is no OpenSSH public key/)).toBeVisible();
    expect(asked.filter(({ method }) => method === "POST")).toEqual([]);
  });

  test("sends what was chosen, once, with a key", async () => {
    const done = vi.fn();
    const asked = fakeServer(member, ({ method }) =>
      method === "POST" ? { status: 202, body: { target_name: "web-9" } } : undefined,
    );
    await renderFor(member, <CreateInstanceForm onClose={done} />);
    await userEvent.type(screen.getByRole("textbox", { name: "Name" }), "web-9");
    await choose("Flavor", /^m1.tiny/);
    // Only an image whose files are all there can be booted.
    await userEvent.click(screen.getByRole("combobox", { name: "Image" }));
    expect(await screen.findAllByRole("option")).toHaveLength(1);
    await userEvent.click(screen.getByRole("option", { name: "debian-12" }));
    await userEvent.type(
      screen.getByRole("textbox", { name: "SSH public key" }),
      "ssh-ed25519 AAAAC3Nz ada",
    );
    await userEvent.click(screen.getByRole("button", { name: "Create" }));
    await waitFor(() => expect(done).toHaveBeenCalledOnce());
    const posts = asked.filter(({ method }) => method === "POST");
    expect(posts).toHaveLength(1);
    expect(posts[0]?.headers.get("Idempotency-Key")).toBeTruthy();
    expect(posts[0]?.body).toEqual({
      name: "web-9",
      flavor_id: flavors[0]?.id,
      image_id: images[0]?.id,
      ssh_key: "ssh-ed25519 AAAAC3Nz ada",
    });
  });

  test("shows the server's refusal with its remedy, and at the field it names", async () => {
    const refusal = {
      type: "urn:opshawk:problem:quota-exceeded",
      title: "The quota is used up",
      status: 409,
      detail: "1 of 1 instances is used",
      remedy: "delete an instance or ask for more",
      field: "name",
    };
    fakeServer(member, ({ method }) =>
      method === "POST" ? { status: 409, body: refusal } : undefined,
    );
    await renderFor(member, <CreateInstanceForm onClose={() => undefined} />);
    await userEvent.type(screen.getByRole("textbox", { name: "Name" }), "web-9");
    await choose("Flavor", /^m1.tiny/);
    await choose("Image", /^debian-12/);
    await userEvent.click(screen.getByRole("button", { name: "Create" }));
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("The quota is used up");
    expect(alert).toHaveTextContent("delete an instance or ask for more");
    expect(screen.getByRole("textbox", { name: "Name" })).toBeInvalid();
  });
});

describe("an instance", () => {
  test("is started and stopped by what its tenant wants", () => {
    expect(allowed("start", web, false)).toBe(false);
    expect(allowed("stop", web, false)).toBe(true);
    expect(allowed("start", { ...web, wanted: "stopped" }, false)).toBe(true);
    expect(allowed("delete", { ...web, wanted: "absent" }, true)).toBe(false);
    expect(allowed("lock", web, false)).toBe(false);
    expect(allowed("lock", web, true)).toBe(true);
  });

  test("says where it is going", () => {
    expect(goingTo(web)).toBeNull();
    expect(goingTo({ ...web, power: "stopped" })).toBe("stopping");
    expect(goingTo({ ...web, power: "running", state: "stopped" })).toBe("starting");
    expect(goingTo({ ...web, power: "absent" })).toBe("deleting");
    expect(goingTo({ ...web, state: "unknown" })).toBeNull();
  });

  test("is deleted only after a question", async () => {
    const asked = fakeServer(member, ({ method }) =>
      method === "DELETE" ? { status: 202, body: {} } : undefined,
    );
    await renderApp("/instances");
    await userEvent.click(await screen.findByRole("button", { name: "Delete web-1" }));
    const question = await screen.findByRole("dialog", { name: "Delete web-1?" });
    expect(asked.some(({ method }) => method === "DELETE")).toBe(false);
    await userEvent.click(within(question).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(asked.some(({ method }) => method === "DELETE")).toBe(true));
    expect(await screen.findByText("web-1 is being deleted.")).toBeVisible();
  });

  test("prints its console without what a terminal would act on", () => {
    expect(plainText("\u001b[1;32mok\u001b[0m\r\nnext\u0007\tx")).toBe("ok\nnext\tx");
  });
});

describe("who sees what", () => {
  const links = () =>
    within(screen.getByRole("navigation", { name: "Main navigation" }))
      .getAllByRole("link")
      .map((link) => link.textContent);

  test("a member has its own pages", async () => {
    fakeServer(member);
    await renderApp("/");
    expect(await screen.findByText("8/10 instances")).toBeVisible();
    expect(links()).toEqual([
      "Overview",
      "Instances",
      "Alerts",
      "Metrics",
      "Operations",
      "Billing",
      "Packages",
    ]);
    expect(
      await screen.findByText(/^The account is expected to run out of balance within/),
    ).toBeVisible();
  });

  test("an operator has all pages", async () => {
    fakeServer(operator);
    await renderApp("/");
    expect(await screen.findByRole("table", { name: "Tenants" })).toBeVisible();
    expect(links()).toHaveLength(14);
  });

  test("a member that follows a link to an operator's page lands on its own", async () => {
    fakeServer(member);
    const { router } = await renderApp("/tenants");
    expect(await screen.findByText("8/10 instances")).toBeVisible();
    expect(router.state.location.pathname).toBe("/");
  });

  test("nobody is asked to log in, and comes back to where it wanted to go", async () => {
    let known = false;
    fakeServer(member, ({ method, path }) => {
      if (method === "POST" && path === "/v1/session") known = true;
      if (path === "/v1/session" || (path === "/v1/me" && known))
        return { status: 200, body: member };
      return path === "/v1/me" ? { status: 401, body: {} } : undefined;
    });
    const { router } = await renderApp("/billing");
    await userEvent.type(await screen.findByLabelText("Login"), "ada@acme.example");
    await userEvent.type(screen.getByLabelText("Password"), "a long password");
    await userEvent.click(screen.getByRole("button", { name: "Log in" }));
    expect(await screen.findByRole("heading", { level: 1, name: "Billing" })).toBeVisible();
    expect(router.state.location.pathname).toBe("/billing");
  });

  test("a login page leads to nowhere else", async () => {
    fakeServer(null);
    for (const next of ["//evil.example", "/\\evil.example", "http://evil.example"]) {
      const { router, unmount } = await renderApp(`/login?next=${encodeURIComponent(next)}`);
      await screen.findByLabelText("Login");
      expect(router.state.location.search).toEqual({});
      unmount();
    }
  });

  test("whoever logs out is led to the login page, and leaves nothing behind", async () => {
    const asked = fakeServer(member, ({ method }) =>
      method === "DELETE" ? { status: 204, body: null } : undefined,
    );
    const { queries, router } = await renderApp("/instances");
    await userEvent.click(await screen.findByRole("button", { name: "Account" }));
    await userEvent.click(await screen.findByRole("menuitem", { name: "Log out" }));
    expect(await screen.findByRole("button", { name: "Log in" })).toBeVisible();
    expect(asked.some(({ method, path }) => method === "DELETE" && path === "/v1/session")).toBe(
      true,
    );
    expect(router.state.location.href).toBe("/login");
    await waitFor(() => expect(queries.getQueryData(keys.instanceList)).toBeUndefined());
  });

  test("a session that ends leads to the login page", async () => {
    let ended = false;
    fakeServer(member, () => (ended ? { status: 401, body: {} } : undefined));
    const { queries } = await renderApp("/instances");
    await screen.findByRole("button", { name: "Delete web-1" });
    ended = true;
    void queries.invalidateQueries();
    expect(await screen.findByRole("button", { name: "Log in" })).toBeVisible();
  });
});

test("the one-time link sets a password that was typed twice", async () => {
  let known = false;
  const asked = fakeServer(null, ({ method, path }) => {
    if (method === "POST") known = true;
    return path === "/v1/setup" || (path === "/v1/me" && known)
      ? { status: 200, body: operator }
      : undefined;
  });
  await renderApp("/setup?token=0123456789");
  await userEvent.type(await screen.findByLabelText("New password"), "correct horse");
  await userEvent.type(screen.getByLabelText("Repeat the password"), "correct hose");
  await userEvent.click(screen.getByRole("button", { name: "Set password" }));
  expect(screen.getByText("The two passwords differ.")).toBeVisible();
  await userEvent.clear(screen.getByLabelText("Repeat the password"));
  await userEvent.type(screen.getByLabelText("Repeat the password"), "correct horse");
  await userEvent.click(screen.getByRole("button", { name: "Set password" }));
  expect(await screen.findByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  const sent = asked.find(({ path }) => path === "/v1/setup");
  expect(sent?.body).toEqual({ token: "0123456789", password: "correct horse" });
});

describe("a bill", () => {
  test("has each line, and a subtotal to the last micro-unit", async () => {
    fakeServer(member);
    await renderApp("/billing");
    const table = await screen.findByRole("table", { name: "Bill" });
    expect(
      within(table).getByRole("row", { name: /^instance web-1, flavor m1.tiny/ }),
    ).toHaveTextContent("0.3600 CNY/h");
    expect(within(table).getByRole("row", { name: /^Subtotal/ })).toHaveTextContent("0.187655");
    const csv = screen.getByRole("link", { name: "Download CSV" });
    expect(csv.getAttribute("href")).toMatch(
      /^\/v1\/tenants\/[0-9a-f-]+\/bill\.csv\?from=.+&to=.+$/,
    );
  });

  test("opens a line down to what made it, and says where it differs", async () => {
    fakeServer(member);
    await renderApp("/billing");
    const table = await screen.findByRole("table", { name: "Bill" });
    const why = "Why instance web-1, flavor m1.tiny costs that";
    await userEvent.click(within(table).getByRole("button", { name: why }));
    const dialog = await screen.findByRole("dialog", { name: "Why it costs that" });
    const steps = await within(dialog).findByRole("table", { name: "Steps" });
    expect(within(steps).getByText("net 0.180000, tax 0.000000")).toBeVisible();
    expect(within(steps).getByText("Posted: net 0.170000, tax 0.000000")).toBeVisible();
    expect(within(dialog).getByText(/does not come to what was posted/)).toBeVisible();
    expect(within(dialog).getByText("0.36 per unit and hour")).toBeVisible();
    expect(within(dialog).getByRole("table", { name: "Facts" })).toHaveTextContent("running");
  });

  test("stands beside what it cost by day and resource", async () => {
    fakeServer(member);
    await renderApp("/billing");
    await userEvent.click(await screen.findByRole("tab", { name: "Costs" }));
    const days = await screen.findByRole("list", { name: "Costs by day" });
    expect(within(days).getAllByRole("listitem")).toHaveLength(31);
    const table = await screen.findByRole("table", { name: "Costs by resource" });
    expect(within(table).getByRole("row", { name: /^web-1/ })).toHaveTextContent(
      "510.25 h running5,102.50 GiB\u00b7h of disk183.690000CNY",
    );
    expect(shares(["-1", "0", "5.5", "11", "no number"])).toEqual([0, 0, 0.5, 1, 0]);
  });

  test("stands beside what it cost by a label that is picked", async () => {
    const asked = fakeServer(member);
    await renderApp("/billing");
    await userEvent.click(await screen.findByRole("tab", { name: "Costs" }));
    const table = await screen.findByRole("table", { name: "Costs by label" });
    expect(within(table).getByRole("columnheader", { name: "team" })).toBeVisible();
    expect(within(table).getByRole("row", { name: /^shop/ })).toHaveTextContent("150.330000CNY");
    expect(within(table).getByRole("row", { name: /^Without it/ })).toHaveTextContent("43.000000");
    await choose("Label", /^tier$/);
    expect(await screen.findByRole("columnheader", { name: "tier" })).toBeVisible();
    const labels = asked.filter(({ query }) => query.get("group") === "label");
    expect(labels.map(({ query }) => query.get("label"))).toEqual(["team", "tier"]);
    const csv = screen.getByRole("link", { name: "Download the costs by tier as CSV" });
    expect(csv.getAttribute("href")).toMatch(/&group=label&label=tier$/);
  });

  test("says where no resource had a label", async () => {
    fakeServer(member, ({ path }) =>
      path === "/v1/costs/labels" ? { status: 200, body: { items: [] } } : undefined,
    );
    await renderApp("/billing");
    await userEvent.click(await screen.findByRole("tab", { name: "Costs" }));
    expect(await screen.findByText("No resource had a label in this period.")).toBeVisible();
    expect(screen.queryByRole("combobox", { name: "Label" })).toBeNull();
  });

  test("becomes an invoice, to be had in each form", async () => {
    fakeServer(member);
    await renderApp("/billing");
    await userEvent.click(await screen.findByRole("tab", { name: "Invoices" }));
    const table = await screen.findByRole("table", { name: "Invoices" });
    const row = within(table).getByRole("row", { name: /^INV-000042/ });
    expect(row).toHaveTextContent("241.66CNY41.66CNY");
    for (const format of ["html", "pdf", "csv", "json"]) {
      const name = `Invoice INV-000042 as ${format.toUpperCase()}`;
      expect(within(row).getByRole("link", { name })).toHaveAttribute(
        "href",
        `/v1/invoices/${invoices[0]?.id}/files/${format}?language=en`,
      );
    }
  });

  test("is of the period in the address", () => {
    const now = new Date(2026, 10, 21, 12, 30);
    expect(presetPeriod("lastMonth", now)).toEqual({
      from: new Date(2026, 9, 1),
      to: new Date(2026, 10, 1),
    });
    expect(toPeriod({}, now)).toEqual({ from: new Date(2026, 10, 1), to: now });
    expect(readSearch({ from: "yesterday", to: "2026-11-01T00:00:00Z" })).toEqual({
      from: undefined,
      to: "2026-11-01T00:00:00Z",
    });
  });

  test("a price keeps its digits and loses the zeros behind the fourth", () => {
    expect(formatPrice("0.360000000")).toBe("0.3600");
    expect(formatPrice("0.001531000")).toBe("0.001531");
    expect(formatPrice("12")).toBe("12.0000");
  });
});

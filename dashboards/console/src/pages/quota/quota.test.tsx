import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { changed } from "../../components/QuotaLimits";
import { member, operator, quota, quotaRequests } from "../../test/fake";
import { fakeServer, renderFor, type Sent } from "../../test/render";
import { OwnQuotaPanel, TenantRequests, WaitingRequests } from "./Panels";

const [pending] = quotaRequests;
if (!pending) throw new Error("the fake has a request");
const tenantId = pending.tenant_id;

const posts = (asked: Sent[]) => asked.filter(({ method }) => method === "POST");

async function write(field: HTMLElement, text: string) {
  await userEvent.clear(field);
  await userEvent.type(field, text);
}

test("what was changed is what differs, and an emptied field says nothing", () => {
  const values = { instances: 20, vcpus: 40, memory_mib: "", disk_gib: 100 };
  expect(changed(quota.items, values)).toEqual([
    { resource: "instances", limit: 20 },
    { resource: "disk_gib", limit: 100 },
  ]);
});

describe("a member", () => {
  test("asks for more, with a reason, once", async () => {
    const asked = fakeServer(member, ({ method }) =>
      method === "POST" ? { status: 201, body: pending } : undefined,
    );
    await renderFor(member, <OwnQuotaPanel tenantId={tenantId} />);
    expect(await screen.findByText("8/10 instances")).toBeVisible();
    expect(screen.getByText("0/50 public IPs")).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "Ask for more" }));
    const dialog = await screen.findByRole("dialog", { name: "Ask for a higher quota" });
    const send = within(dialog).getByRole("button", { name: "Ask" });
    await userEvent.click(send);
    expect(within(dialog).getByText("Raise at least one limit.")).toBeVisible();
    expect(within(dialog).getByText("Say what you need it for.")).toBeVisible();
    expect(posts(asked)).toEqual([]);

    await write(within(dialog).getByRole("textbox", { name: "Instances" }), "20");
    await write(within(dialog).getByRole("textbox", { name: /^Reason/ }), " a launch ");
    await userEvent.click(send);
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(posts(asked)).toHaveLength(1);
    expect(posts(asked)[0]?.path).toBe("/v1/quota-requests");
    expect(posts(asked)[0]?.headers.get("Idempotency-Key")).toBeTruthy();
    expect(posts(asked)[0]?.body).toEqual({
      items: [{ resource: "instances", limit: 20 }],
      reason: "a launch",
    });
  });

  test("sees its requests with their answers, and withdraws one that waits", async () => {
    const asked = fakeServer(member, ({ method }) =>
      method === "POST" ? { status: 200, body: pending } : undefined,
    );
    await renderFor(member, <TenantRequests tenantId={tenantId} />);
    const table = await screen.findByRole("table", { name: "Quota requests" });
    expect(within(table).getByText("Memory (MiB): 65,536")).toBeVisible();
    expect(within(table).getByText("vCPUs: 40")).toBeVisible();
    expect(within(table).getByText("40 until the next host is here.")).toBeVisible();
    expect(within(table).queryByRole("button", { name: /^Approve/ })).toBeNull();
    await userEvent.click(within(table).getByRole("button", { name: "Withdraw" }));
    const dialog = await screen.findByRole("dialog", { name: "Withdraw the request?" });
    await userEvent.click(within(dialog).getByRole("button", { name: "Withdraw" }));
    await waitFor(() => expect(posts(asked)).toHaveLength(1));
    expect(posts(asked)[0]?.path).toBe(`/v1/quota-requests/${pending.id}/withdraw`);
  });
});

describe("an operator", () => {
  async function decide(verb: "Approve" | "Refuse") {
    const asked = fakeServer(operator, ({ method }) =>
      method === "POST" ? { status: 200, body: pending } : undefined,
    );
    await renderFor(operator, <WaitingRequests />);
    const name = `${verb} the request of acme`;
    await userEvent.click(await screen.findByRole("button", { name }));
    const dialog = within(await screen.findByRole("dialog", { name }));
    return { asked, dialog, send: dialog.getByRole("button", { name: verb }) };
  }

  test("approves what waits, with another limit", async () => {
    const { asked, dialog, send } = await decide("Approve");
    expect(screen.queryByText("A nightly batch run.")).toBeNull();
    await write(dialog.getByRole("textbox", { name: "Instances" }), "15");
    await userEvent.click(send);
    await waitFor(() => expect(posts(asked)).toHaveLength(1));
    expect(posts(asked)[0]?.path).toBe(`/v1/quota-requests/${pending.id}/approve`);
    expect(posts(asked)[0]?.body).toEqual({ items: [{ resource: "instances", limit: 15 }] });
  });

  test("refuses with an answer, and not without", async () => {
    const { asked, dialog, send } = await decide("Refuse");
    await userEvent.click(send);
    expect(dialog.getByText("Say why.")).toBeVisible();
    expect(posts(asked)).toEqual([]);
    await write(dialog.getByRole("textbox", { name: /^Answer/ }), "no room");
    await userEvent.click(send);
    await waitFor(() => expect(posts(asked)).toHaveLength(1));
    expect(posts(asked)[0]?.body).toEqual({ answer: "no room" });
  });

  test("reads it in Chinese", async () => {
    fakeServer(operator);
    await renderFor(operator, <WaitingRequests />, "zh-CN");
    const table = await screen.findByRole("table", { name: "待审批的配额申请" });
    expect(within(table).getByText("实例数调至 20")).toBeVisible();
    expect(within(table).getByText("待审批")).toBeVisible();
  });
});

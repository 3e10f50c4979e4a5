import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { findings, gaps, operator } from "../../test/fake";
import { fakeServer, renderFor, type Sent } from "../../test/render";
import { factOf, FindingsPage } from "./FindingsPage";
import { within as withinGap } from "./forms";

const [aside, leak] = findings;
const [gap] = gaps;
if (!aside || !leak || !gap) throw new Error("the fake has findings");

const posts = (asked: Sent[]) => asked.filter(({ method }) => method === "POST");

async function opened(): Promise<Sent[]> {
  const asked = fakeServer(operator, ({ method }) =>
    method === "POST" ? { status: 200, body: {} } : undefined,
  );
  await renderFor(operator, <FindingsPage />);
  await screen.findByRole("table", { name: "Findings" });
  return asked;
}

test("a finding names its fact where one waits for a ruling", () => {
  expect(factOf(aside)).toBe(aside.subject.slice("fact/".length));
  expect(factOf(leak)).toBeNull();
});

test("an end of a gap is that end to the millisecond", () => {
  const second = (at: string) => new Date(Math.floor(new Date(at).getTime() / 1000) * 1000);
  expect(withinGap(gap, second(gap.to))).toBe(gap.to);
  expect(withinGap(gap, second(gap.from))).toBe(gap.from);
  expect(withinGap(gap, new Date("2026-11-21T09:30:00Z"))).toBe("2026-11-21T09:30:00.000Z");
});

describe("an operator", () => {
  test("resolves a finding with a reason", async () => {
    const asked = await opened();
    const row = screen.getByRole("row", { name: /leak_unbilled/ });
    await userEvent.click(within(row).getByRole("button", { name: "Resolve" }));
    const dialog = await screen.findByRole("dialog", { name: "Resolve the finding" });
    await userEvent.click(within(dialog).getByRole("button", { name: "Resolve" }));
    expect(within(dialog).getByText("Say why; it is kept.")).toBeVisible();
    expect(posts(asked)).toEqual([]);
    await userEvent.type(within(dialog).getByRole("textbox", { name: /^Reason/ }), "mended");
    await userEvent.click(within(dialog).getByRole("button", { name: "Resolve" }));
    await waitFor(() => expect(posts(asked)).toHaveLength(1));
    expect(posts(asked)[0]?.path).toBe(`/v1/findings/${leak.id}/resolve`);
    expect(posts(asked)[0]?.body).toEqual({ reason: "mended" });
  });

  test("rules on the fact that a finding is about", async () => {
    const asked = await opened();
    const row = screen.getByRole("row", { name: /usage_quarantined/ });
    await userEvent.click(within(row).getByRole("button", { name: "Rule on a fact" }));
    const dialog = await screen.findByRole("dialog", { name: "Rule on a fact" });
    await userEvent.click(within(dialog).getByText("It never counts"));
    await userEvent.type(within(dialog).getByRole("textbox", { name: /^Reason/ }), "a test");
    await userEvent.click(within(dialog).getByRole("button", { name: "Rule on a fact" }));
    await waitFor(() => expect(posts(asked)).toHaveLength(1));
    expect(posts(asked)[0]?.path).toBe(`/v1/usage-facts/${factOf(aside)}/rule`);
    expect(posts(asked)[0]?.body).toEqual({ ruling: "drop", reason: "a test" });
  });

  test("answers a gap, and reads what was ruled on", async () => {
    const asked = await opened();
    const table = await screen.findByRole("table", { name: "Gaps" });
    await userEvent.click(within(table).getByRole("button", { name: "Answer" }));
    const dialog = await screen.findByRole("dialog", { name: "Say what was in the gap" });
    await userEvent.type(within(dialog).getByRole("textbox", { name: /^Reason/ }), "a ticket");
    await userEvent.click(within(dialog).getByRole("button", { name: "Answer" }));
    await waitFor(() => expect(posts(asked)).toHaveLength(1));
    expect(posts(asked)[0]?.path).toBe(`/v1/usage-gaps/${gap.id}/answer`);
    expect(posts(asked)[0]?.body).toEqual({
      state: "running",
      changed_at: gap.to,
      reason: "a ticket",
    });
    const rulings = screen.getByRole("table", { name: "Rulings" });
    expect(within(rulings).getByText("told by a test")).toBeVisible();
  });
});

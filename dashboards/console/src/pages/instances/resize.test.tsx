import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import type { Flavor, Instance } from "../../api/types";
import { flavors, instances, member, type FakeAnswer } from "../../test/fake";
import { fakeServer, renderApp } from "../../test/render";

const stopped = instances.find(({ name }) => name === "db-1");
const [tiny, large] = flavors;
if (!stopped || !tiny || !large) throw new Error("the fake has instances and flavors");

/** The page of db-1, and what the server was asked by it. */
async function open(over: Partial<Instance>, resized?: FakeAnswer, known: Flavor[] = flavors) {
  const instance = { ...stopped, ...over };
  const asked = fakeServer(member, ({ method, path }) => {
    if (path === "/v1/flavors") return { status: 200, body: { items: known, next_cursor: null } };
    if (path === `/v1/instances/${instance.id}`) return { status: 200, body: instance };
    return method === "POST" ? resized : undefined;
  });
  await renderApp(`/instances/${instance.id}`);
  await screen.findByText(/^m1.tiny · 1 vCPU/);
  return asked;
}

const button = () => screen.getByRole("button", { name: "Resize db-1" });

async function openDialog() {
  await userEvent.click(button());
  const dialog = within(await screen.findByRole("dialog", { name: "Resize db-1" }));
  const field = dialog.getByRole("combobox", { name: "New flavor" });
  await userEvent.click(field);
  return { dialog, field };
}

async function askForLarge() {
  const { dialog, field } = await openDialog();
  await userEvent.click(await screen.findByRole("option", { name: /^m1.large/ }));
  await userEvent.click(dialog.getByRole("button", { name: "Resize" }));
  return { dialog, field };
}

const refusal = (status: number, kind: string, field?: string): FakeAnswer => ({
  status,
  body: {
    type: `urn:opshawk:problem:${kind}`,
    title: "Refused",
    status,
    detail: "it is too large",
    remedy: "choose a smaller one",
    field,
  },
});

describe("a stopped instance", () => {
  test("is offered other flavors whose disk is no smaller", async () => {
    const flavor = (name: string, disk_gib: number) => ({ ...tiny, id: name, name, disk_gib });
    const own = { ...tiny, disk_gib: 20 };
    const others = [flavor("less", 19), flavor("same", 20), flavor("more", 21)];
    await open({ disk_gib: 20 }, undefined, [own, ...others]);
    await openDialog();
    await screen.findByRole("option", { name: /^more/ });
    const options = screen.getAllByRole("option").map(({ textContent }) => textContent);
    expect(options.map((text) => text.split(" ")[0])).toEqual(["same", "more"]);
  });

  test("is asked to become the chosen one", async () => {
    const asked = await open({}, { status: 202, body: { target_name: "db-1" } });
    const { dialog, field } = await openDialog();
    await userEvent.click(dialog.getByRole("button", { name: "Resize" }));
    expect(field).toBeInvalid();
    await userEvent.click(field);
    await userEvent.click(await screen.findByRole("option", { name: /^m1.large/ }));
    await userEvent.click(dialog.getByRole("button", { name: "Resize" }));
    expect(await screen.findByText("db-1 is being resized.")).toBeVisible();
    expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
    const posts = asked.filter(({ method }) => method === "POST");
    expect(posts.map(({ path, body }) => ({ path, body }))).toEqual([
      { path: `/v1/instances/${stopped.id}/resize`, body: { flavor_id: large.id } },
    ]);
  });

  test("shows the server's refusal at the field", async () => {
    await open({}, refusal(400, "invalid", "flavor_id"));
    const { dialog, field } = await askForLarge();
    await waitFor(() => expect(field).toBeInvalid());
    expect(dialog.getByRole("alert")).toHaveTextContent("choose a smaller one");
  });

  test.each([
    [402, "payment-required", "The balance does not suffice"],
    [409, "conflict", "The state forbids it"],
    [409, "quota-exceeded", "The quota is used up"],
  ])("shows why the server says %i %s", async (status, kind, title) => {
    await open({}, refusal(status, kind));
    const { dialog } = await askForLarge();
    const alert = await dialog.findByRole("alert");
    for (const said of [title, "it is too large", "choose a smaller one"]) {
      expect(alert).toHaveTextContent(said);
    }
    expect(screen.queryByText("db-1 is being resized.")).not.toBeInTheDocument();
  });
});

describe("what can't be resized", () => {
  test.each<[string, Partial<Instance>, string]>([
    ["runs", { state: "running", power: "running", wanted: "running" }, "Stop it first"],
    ["is stopping", { state: "running" }, "Stop it first"],
    ["is starting", { power: "running", wanted: "running" }, "Stop it first"],
    ["is locked", { locked: true }, "An operator must unlock it first"],
    ["is being resized", { resize_flavor_id: large.id }, "Wait until it is done"],
  ])("says what it waits for: it %s", async (_, over, why) => {
    await open(over);
    expect(button()).toHaveAttribute("aria-disabled", "true");
    await userEvent.click(button());
    expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
    expect(await screen.findByRole("tooltip")).toHaveTextContent(why);
  });

  test("has no button where it is being deleted", async () => {
    await open({ wanted: "absent", power: "absent" });
    expect(screen.queryByRole("button", { name: "Resize db-1" })).not.toBeInTheDocument();
  });
});

test("what an instance is becoming stands beside what it is", async () => {
  await open({ resize_flavor_id: large.id });
  expect(screen.getByText("becoming m1.large")).toBeVisible();
});

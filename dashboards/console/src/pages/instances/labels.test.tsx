import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test, vi } from "vitest";
import { flavors, images, instances, member } from "../../test/fake";
import { fakeServer, renderApp, renderFor } from "../../test/render";
import { CreateInstanceForm } from "./CreateInstance";
import { labelChange, labelsText, parseLabels } from "./labels";

const [web] = instances;
if (!web) throw new Error("the fake has instances");

describe("labels as text", () => {
  test("are one a line, in both directions", () => {
    const labels = { team: "web, shop", "example.com/tier": "a=b" };
    expect(labelsText(labels)).toBe("team=web, shop\nexample.com/tier=a=b");
    expect(parseLabels(labelsText(labels))).toEqual(labels);
    expect(parseLabels("\n  team = web \n\n")).toEqual({ team: "web" });
    expect(parseLabels("")).toEqual({});
    for (const wrong of ["team", "=web", "team=", "team=a\nteam=b"]) {
      expect(parseLabels(wrong), wrong).toBeNull();
    }
  });

  test("change by what differs", () => {
    const before = { team: "blue", tier: "gold", env: "test" };
    expect(labelChange(before, { team: "red", env: "test", new: "1" })).toEqual({
      team: "red",
      tier: null,
      new: "1",
    });
    expect(labelChange(before, before)).toEqual({});
  });
});

test("an instance is created with its labels", async () => {
  const done = vi.fn();
  const asked = fakeServer(member, ({ method }) =>
    method === "POST" ? { status: 202, body: { target_name: "web-9" } } : undefined,
  );
  await renderFor(member, <CreateInstanceForm onClose={done} />);
  await userEvent.type(screen.getByRole("textbox", { name: "Name" }), "web-9");
  for (const [field, option] of [
    ["Flavor", /^m1.tiny/],
    ["Image", /^debian-12/],
  ] as const) {
    await userEvent.click(screen.getByRole("combobox", { name: field }));
    await userEvent.click(await screen.findByRole("option", { name: option }));
  }
  const labels = screen.getByRole("textbox", { name: "Labels" });
  await userEvent.type(labels, "team");
  await userEvent.click(screen.getByRole("button", { name: "Create" }));
  expect(labels).toBeInvalid();
  await userEvent.type(labels, "=shop{Enter}tier=gold");
  await userEvent.click(screen.getByRole("button", { name: "Create" }));
  await waitFor(() => expect(done).toHaveBeenCalledOnce());
  expect(asked.find(({ method }) => method === "POST")?.body).toEqual({
    name: "web-9",
    flavor_id: flavors[0]?.id,
    image_id: images[0]?.id,
    labels: { team: "shop", tier: "gold" },
  });
});

describe("an instance's page", () => {
  test("shows its labels, and sends what was changed of them", async () => {
    const asked = fakeServer(member, ({ method }) =>
      method === "PATCH" ? { status: 200, body: web } : undefined,
    );
    await renderApp(`/instances/${web.id}`);
    expect(await screen.findByText("team=blue")).toBeVisible();
    expect(screen.getByText("tier=gold")).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "Labels of web-1" }));
    const dialog = await screen.findByRole("dialog", { name: "Labels of web-1" });
    const field = within(dialog).getByRole("textbox", { name: "Labels" });
    expect(field).toHaveValue("team=blue\ntier=gold");
    await userEvent.clear(field);
    await userEvent.type(field, "team=red");
    await userEvent.click(within(dialog).getByRole("button", { name: "Save" }));
    expect(await screen.findByText("The labels of web-1 are changed.")).toBeVisible();
    const patch = asked.find(({ method }) => method === "PATCH");
    expect(patch?.path).toBe(`/v1/instances/${web.id}`);
    expect(patch?.body).toEqual({ labels: { team: "red", tier: null } });
  });

  test("shows the server's refusal at the field", async () => {
    const refusal = {
      type: "urn:opshawk:problem:invalid",
      title: "The request is wrong",
      status: 400,
      detail: "'Team' can't be a label's key",
      remedy: "use 1 to 63 of a-z",
      field: "labels",
    };
    fakeServer(member, ({ method }) =>
      method === "PATCH" ? { status: 400, body: refusal } : undefined,
    );
    await renderApp(`/instances/${web.id}`);
    await userEvent.click(await screen.findByRole("button", { name: "Labels of web-1" }));
    const dialog = await screen.findByRole("dialog", { name: "Labels of web-1" });
    const field = within(dialog).getByRole("textbox", { name: "Labels" });
    await userEvent.type(field, "{Enter}Team=x");
    await userEvent.click(within(dialog).getByRole("button", { name: "Save" }));
    await waitFor(() => expect(field).toBeInvalid());
    expect(within(dialog).getByRole("alert")).toHaveTextContent("use 1 to 63 of a-z");
  });
});

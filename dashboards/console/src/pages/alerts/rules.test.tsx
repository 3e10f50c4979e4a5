import { EditorView } from "@codemirror/view";
import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { operator } from "../../test/fake";
import { fakeServer, renderApp } from "../../test/render";

async function openEditor() {
  await renderApp("/alerts");
  await userEvent.click(await screen.findByRole("tab", { name: "Rules" }));
  await userEvent.click(await screen.findByRole("button", { name: "Edit" }));
  const dialog = await screen.findByRole("dialog", { name: "Edit guests" });
  const field = await within(dialog).findByRole("textbox", { name: /^Rules/ });
  const view = EditorView.findFromDOM(field);
  if (view === null) throw new Error("no editor");
  return { dialog, field, view };
}

function write(view: EditorView, insert: string) {
  act(() => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert } }));
}

test("a rule group is edited as YAML, and sent as it was written", async () => {
  const asked = fakeServer(operator, ({ method, body }) =>
    method === "PUT"
      ? { status: 200, body: { name: "guests", source: "api", rules: body, updated_at: "" } }
      : undefined,
  );
  const { dialog, field, view } = await openEditor();
  expect(field).toHaveTextContent("- alert: GuestCpuHigh");
  // Words of the language are told apart from what is written in it.
  expect(field.querySelectorAll("span[class]").length).toBeGreaterThan(5);
  const rules = "groups:\n  - name: guests\n    rules: []\n";
  write(view, rules);
  await userEvent.click(within(dialog).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const put = asked.find(({ method }) => method === "PUT");
  expect(put?.path).toBe("/v1/rule-groups/guests");
  expect(put?.body).toBe(rules);
});

test("what the server finds wrong stands at the editor", async () => {
  const body = {
    type: "urn:opshawk:problem:invalid",
    title: "The request is not valid",
    status: 400,
    detail: "rule 1 has no expr",
    field: "rules",
  };
  fakeServer(operator, ({ method }) => (method === "PUT" ? { status: 400, body } : undefined));
  const { dialog, field, view } = await openEditor();
  write(view, "groups: []");
  await userEvent.click(within(dialog).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(field).toBeInvalid());
  expect(field).toHaveAccessibleDescription(/rule 1 has no expr/);
  expect(within(dialog).getByRole("alert")).toHaveTextContent("rule 1 has no expr");
});

test("no rules are not sent", async () => {
  const asked = fakeServer(operator);
  const { dialog, field, view } = await openEditor();
  write(view, "");
  await userEvent.click(within(dialog).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(field).toBeInvalid());
  expect(asked.some(({ method }) => method === "PUT")).toBe(false);
});

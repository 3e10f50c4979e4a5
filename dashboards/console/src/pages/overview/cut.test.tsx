import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Cut } from "../../api/types";
import { operator, tenants } from "../../test/fake";
import { fakeServer, renderFor } from "../../test/render";
import { CutPanel } from "./CutPanel";

const [, , initech] = tenants;
const cut: Cut = {
  tenant_id: initech?.id ?? "",
  tenant: "initech",
  at: new Date(Date.now() + 7_200_000).toISOString(),
  standing: "warned",
  next: "suspended",
  balance: "7.801676",
  balance_at: new Date().toISOString(),
  burn_per_hour: "0.788640000",
  currency: "CNY",
  instances: [
    { id: "1", name: "in-1" },
    { id: "2", name: "in-2" },
  ],
};

test("who is cut off next stands with its balance, figures at the right", async () => {
  const guard = { actor: "guard", of_tenants: 3, paused: false, reason: "", tenants: 0 };
  fakeServer(operator, ({ path }) => {
    if (path === "/v1/standing/preview") return { status: 200, body: { items: [cut] } };
    return path === "/v1/standing/guard" ? { status: 200, body: guard } : undefined;
  });
  await renderFor(operator, <CutPanel />);
  const table = await screen.findByRole("table", { name: "What stops within a day for lack of balance" });
  const row = within(table).getByRole("row", { name: /^initech/ });
  expect(row).toHaveTextContent("in-1, in-2");
  for (const cell of [
    within(row).getByRole("cell", { name: /^7\.8017/ }),
    within(table).getByRole("columnheader", { name: "Balance" }),
  ]) {
    expect(cell).toHaveStyle({ textAlign: "right" });
  }
});

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { describe, expect, test, vi } from "vitest";
import { ApiError } from "../api/problem";
import type { Balance } from "../api/types";
import { balance, fakeGet, member, operator, operations, quota } from "../test/fake";
import { fakeServer, renderFor } from "../test/render";
import { Amount } from "./Amount";
import { BalanceFigures } from "./BalanceCard";
import { DataTable } from "./DataTable";
import { OperationsTable } from "./OperationsTable";
import { Problem } from "./Problem";
import { QuotaList } from "./QuotaList";
import { align, last } from "./series";
import { StandingNotice } from "./StandingBanner";
import { StatusBadge } from "./StatusBadge";

const IN_AN_HOUR = 3_660_000;
const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

describe("money", () => {
  test("an amount has four decimals and its currency", async () => {
    await renderFor(member, <Amount value="10824.5" currency="CNY" />);
    expect(screen.getByText("10,824.5000")).toHaveTextContent("CNY");
  });

  test("the balance tells when it runs out", async () => {
    const running: Balance = { ...balance, runs_out_at: soon(IN_AN_HOUR) };
    await renderFor(member, <BalanceFigures balance={running} />);
    expect(screen.getByLabelText("Balance 0.4123 CNY")).toBeVisible();
    expect(screen.getByText(/^Runs out in 1 hr/)).toBeVisible();
  });

  test.each([
    [{ runs_out_at: null, burn_per_hour: "0.000000000" }, "Nothing burns: it does not run out."],
    [{ balance: "-0.000001", balance_display: "0.0000" }, "The balance is used up."],
    [{ runs_out_at: null }, "At this rate it lasts for years."],
  ])("%j", async (over, text) => {
    await renderFor(member, <BalanceFigures balance={{ ...balance, ...over }} />);
    expect(screen.getByText(text)).toBeVisible();
  });

  test("a low balance is announced with the time that is left", async () => {
    const warned: Balance = { ...balance, standing: "warned", runs_out_at: soon(IN_AN_HOUR) };
    await renderFor(member, <StandingNotice balance={warned} />);
    const text = /^The account is expected to run out of balance within 1 hr/;
    expect(within(screen.getByRole("alert")).getByText(text)).toBeVisible();
  });

  test("in Chinese too", async () => {
    await renderFor(
      member,
      <StandingNotice balance={{ ...balance, standing: "stopped" }} />,
      "zh-CN",
    );
    expect(screen.getByRole("alert")).toHaveTextContent("余额已用尽：实例已停机");
  });

  test("an account in good standing is not announced", async () => {
    await renderFor(member, <StandingNotice balance={{ ...balance, standing: "active" }} />);
    expect(screen.queryByRole("alert")).toBeNull();
  });
});

test("quotas are told as used of limit, and as bars with that name", async () => {
  await renderFor(member, <QuotaList items={quota.items} />);
  expect(screen.getByText("8/10 instances")).toBeVisible();
  expect(screen.getByText("16 GiB/16 GiB memory")).toBeVisible();
  expect(screen.getByText("used up")).toBeVisible();
  expect(screen.getByRole("progressbar", { name: "8/10 instances" })).toHaveAttribute(
    "aria-valuenow",
    "80",
  );
});

describe("problems", () => {
  test("are shown with detail and remedy, and can be tried again", async () => {
    const retry = vi.fn();
    const error = new ApiError("quota-exceeded", 409, "10 of 10 instances are used", "delete one");
    await renderFor(member, <Problem error={error} onRetry={retry} />);
    const alert = screen.getByRole("alert");
    expect(alert).toHaveTextContent("The quota is used up");
    expect(alert).toHaveTextContent("10 of 10 instances are used");
    expect(alert).toHaveTextContent("delete one");
    within(alert).getByRole("button", { name: "Try again" }).click();
    expect(retry).toHaveBeenCalledOnce();
  });

  test("a server that does not answer has its own remedy", async () => {
    await renderFor(member, <Problem error={new TypeError("Failed to fetch")} />);
    expect(screen.getByRole("alert")).toHaveTextContent("Check that OpsHawk runs");
  });
});

test("a state is a word and an icon, also one that is not known yet", async () => {
  const badges = (
    <>
      <StatusBadge kind="instance" value="running" />
      <StatusBadge kind="instance" value="migrating" />
    </>
  );
  await renderFor(member, badges);
  for (const name of ["Running", "migrating"]) {
    const badge = screen.getByText(name).closest("[data-status]");
    expect(badge?.querySelector("svg")).not.toBeNull();
  }
});

test("operations show result, actor and duration", async () => {
  fakeServer(operator);
  await renderFor(operator, <OperationsTable label="Operations" />);
  const rows = within(await screen.findByRole("table", { name: "Operations" })).getAllByRole("row");
  expect(rows).toHaveLength(operations.length + 1);
  expect(rows[2]).toHaveTextContent("Create instanceweb-1Succeededada@acme.example");
  expect(rows[2]).toHaveTextContent("4.2 sec");
  expect(rows[4]).toHaveTextContent("the host's disk is full");
});

test("an operation of somebody whom a member is not told of names nobody", async () => {
  const theirs = { ...operations[1], actor: { kind: "token", id: "", name: "" } };
  fakeServer(member, ({ path }) =>
    path === "/v1/operations"
      ? { status: 200, body: { items: [theirs], next_cursor: null } }
      : undefined,
  );
  await renderFor(member, <OperationsTable label="Operations" />);
  const table = await screen.findByRole("table", { name: "Operations" });
  expect(within(table).getByText("An operator")).toBeVisible();
});

test("a list grows by its cursor", async () => {
  const first = { items: operations.slice(0, 2), next_cursor: "there" };
  let pages = 0;
  fakeServer(operator, ({ path }) => {
    if (path !== "/v1/operations") return undefined;
    pages += 1;
    return pages === 1
      ? { status: 200, body: first }
      : fakeGet(new URL("http://x/v1/operations"), operator);
  });
  await renderFor(operator, <OperationsTable label="Operations" />);
  (await screen.findByRole("button", { name: "Show more" })).click();
  expect(await screen.findByText("instance.frobnicate")).toBeVisible();
  expect(screen.queryByRole("button", { name: "Show more" })).toBeNull();
});

test("a column can be sorted, and says how it is", async () => {
  const columns = [
    {
      id: "n",
      header: "N",
      isTitle: true,
      cell: (row: { n: number }) => `row ${row.n}`,
      sort: (row: { n: number }) => row.n,
    },
  ];
  const rows = [{ n: 10 }, { n: 9 }, { n: 100 }];
  const table = (
    <DataTable
      label="Rows"
      columns={columns}
      rows={rows}
      rowId={({ n }) => String(n)}
      empty={null}
    />
  );
  await renderFor(member, table);
  const order = () => screen.getAllByRole("cell").map((cell) => cell.textContent);
  screen.getByRole("button", { name: "N" }).click();
  await screen.findByRole("columnheader", { name: "N" });
  await waitFor(() =>
    expect(screen.getByRole("columnheader")).not.toHaveAttribute("aria-sort", "none"),
  );
  const sorted = screen.getByRole("columnheader").getAttribute("aria-sort");
  const ascending = ["row 9", "row 10", "row 100"];
  expect(order()).toEqual(sorted === "ascending" ? ascending : [...ascending].reverse());
});

test("a page that is drawn anew keeps what stands in a table's cells", async () => {
  function Page() {
    const [drawn, draw] = useState(1);
    return (
      <>
        <button onClick={() => draw(drawn + 1)}>Draw {drawn}</button>
        <DataTable
          label="Rows"
          columns={[{ id: "n", header: "N", cell: () => <input aria-label="reason" /> }]}
          rows={[{ n: 1 }]}
          rowId={({ n }) => String(n)}
          empty={null}
        />
      </>
    );
  }
  await renderFor(member, <Page />);
  const cell = screen.getByRole("textbox", { name: "reason" });
  await userEvent.type(cell, "half a sen");
  await userEvent.click(screen.getByRole("button", { name: "Draw 1" }));
  expect(await screen.findByRole("button", { name: "Draw 2" })).toBeVisible();
  expect(screen.getByRole("textbox", { name: "reason" })).toBe(cell);
  expect(cell).toHaveValue("half a sen");
});

test("series are laid over one another by instant", () => {
  const series = [
    {
      labels: {},
      points: [
        [1, 5],
        [3, null],
      ] as [number, number | null][],
    },
    { labels: {}, points: [[2, 7]] as [number, number | null][] },
  ];
  expect(align(series)).toEqual([
    [1, 2, 3],
    [5, null, null],
    [null, 7, null],
  ]);
  expect(series.map(last)).toEqual([5, 7]);
});

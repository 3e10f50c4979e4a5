import { completionStatus, currentCompletions, startCompletion } from "@codemirror/autocomplete";
import { diagnosticCount, forceLinting } from "@codemirror/lint";
import { EditorView } from "@codemirror/view";
import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { seriesName } from "../../api/prometheus";
import { formatSample, formatTick, formatWritten } from "../../format/quantity";
import { member, operator } from "../../test/fake";
import { fakeServer, renderApp } from "../../test/render";
import { LINES_MAX } from "./Results";
import { durationS, readSearch, toSpan } from "./search";

/** The editor, as soon as its script is there. */
async function editor(): Promise<EditorView> {
  const content = await screen.findByRole("textbox", { name: "PromQL expression" });
  const view = EditorView.findFromDOM(content);
  if (view === null) throw new Error("no editor");
  return view;
}

function write(view: EditorView, insert: string) {
  act(() => {
    const changes = { from: 0, to: view.state.doc.length, insert };
    view.dispatch({ changes, selection: { anchor: insert.length } });
  });
}

function press(view: EditorView, key: string, more = {}) {
  act(() => void fireEvent.keyDown(view.contentDOM, { key, code: key, ...more }));
}

describe("the address of a query", () => {
  test("a duration has a number and a unit", () => {
    expect(["15s", "2m", " 3h ", "1d", "2w"].map(durationS)).toEqual([
      15, 120, 10800, 86400, 1209600,
    ]);
    expect(["", "15", "0s", "-1m", "1y", "1.5h"].map(durationS)).toEqual(Array(6).fill(null));
  });

  test("what is no query is ignored", () => {
    expect(readSearch({ expr: " ", range: "soon", end: "never", step: "0s", view: "pie" })).toEqual(
      {},
    );
    const kept = {
      expr: "up",
      range: "2h",
      end: "2026-11-01T00:00:00Z",
      step: "30s",
      view: "table",
    };
    expect(readSearch(kept)).toEqual(kept);
  });

  test("a range lies on whole steps, and ends now where it names no end", () => {
    expect(toSpan({ range: "1h", step: "1m" }, 100_030)).toEqual({
      startS: 100_020 - 3_600,
      endS: 100_020,
      stepS: 60,
    });
    expect(toSpan({ range: "4h", end: "1970-01-02T00:00:00Z" }, 5)).toEqual({
      startS: 72_000,
      endS: 86_400,
      stepS: 60,
    });
    expect(toSpan({ range: "5m" }, 1_000)).toMatchObject({ stepS: 1 });
  });
});

test("a series is named as PromQL writes it", () => {
  expect(seriesName({ __name__: "up" })).toBe("up");
  expect(seriesName({ b: 'x"y', a: "1" })).toBe('{a="1", b="x\\"y"}');
  expect(seriesName({ __name__: "up", job: "node" })).toBe('up{job="node"}');
  expect(seriesName({})).toBe("{}");
});

test("values keep their first digits, and what is no number its text", () => {
  expect(formatSample(1234567.891, "en")).toBe("1,234,568");
  expect(formatSample(167772160, "en")).toBe("167,772,160");
  expect(formatSample(0.0613333333, "en")).toBe("0.0613333");
  expect(formatTick(150000000, "en")).toBe("150M");
  expect(formatTick(0.25, "en")).toBe("0.25");
  expect(formatSample(0.00001234, "en")).toBe("1.234E-5");
  expect(formatSample(0, "en")).toBe("0");
  expect(formatWritten("0.25", "en")).toBe("0.25");
  expect(["NaN", "+Inf", "-Inf", ""].map((text) => formatWritten(text, "en"))).toEqual([
    "NaN",
    "+Inf",
    "-Inf",
    "",
  ]);
});

describe("the page of a query", () => {
  test("Enter runs the expression, draws it, and puts it into the address", async () => {
    const asked = fakeServer(member);
    const { router } = await renderApp("/query");
    const view = await editor();
    write(view, "rate(node_load1[1m])");
    press(view, "Enter");
    expect(await screen.findByRole("img", { name: "rate(node_load1[1m])" })).toBeVisible();
    expect(router.state.location.search).toEqual({ expr: "rate(node_load1[1m])" });
    const ranges = asked.filter(({ path }) => path.endsWith("/query_range"));
    expect(ranges).toHaveLength(1);
    const { query } = ranges[0] ?? {};
    expect(query?.get("query")).toBe("rate(node_load1[1m])");
    expect(Number(query?.get("end")) - Number(query?.get("start"))).toBe(1_800);
    // Run again, it is asked again.
    await userEvent.click(screen.getByRole("button", { name: "Run" }));
    await waitFor(() =>
      expect(asked.filter(({ path }) => path.endsWith("/query_range"))).toHaveLength(2),
    );
    expect(view.state.doc.toString()).toBe("rate(node_load1[1m])");
  });

  test("Shift and Enter makes a new line, and runs nothing", async () => {
    const asked = fakeServer(member);
    await renderApp("/query");
    const view = await editor();
    write(view, "sum(");
    press(view, "Enter", { shiftKey: true });
    expect(view.state.doc.lines).toBe(2);
    expect(asked.filter(({ path }) => path.includes("/query"))).toEqual([]);
  });

  test("a shared address shows the same query, range, step and table", async () => {
    const asked = fakeServer(operator);
    const search = "expr=node_load1&range=2h&end=2026-11-20T10:00:00Z&step=30s&view=table";
    const { router } = await renderApp(`/query?${search}`);
    const table = await screen.findByRole("table", { name: "Result" });
    expect((await editor()).state.doc.toString()).toBe("node_load1");
    expect(screen.getByRole("combobox", { name: "Range" })).toHaveValue("2 hr");
    expect(screen.getByRole("textbox", { name: "Step" })).toHaveValue("30s");
    const cells = within(table).getAllByRole("row").slice(1);
    expect(cells[0]).toHaveTextContent('node_load1{cpu="0", instance="node-a"}0.25');
    expect(cells[1]).toHaveTextContent("NaN");
    const instants = asked.filter(({ path }) => path.endsWith("/query"));
    expect(instants[0]?.query.get("time")).toBe(String(Date.UTC(2026, 10, 20, 10) / 1_000));
    // The graph of the same is of the same range.
    await userEvent.click(screen.getByText("Graph"));
    await screen.findByRole("img", { name: "node_load1" });
    const range = asked.find(({ path }) => path.endsWith("/query_range"))?.query;
    expect(range?.get("step")).toBe("30");
    expect(Number(range?.get("end"))).toBe(Date.UTC(2026, 10, 20, 10) / 1_000);
    expect(router.state.location.search).toMatchObject({ view: "graph", range: "2h" });
  });

  test("says how many lines are not drawn", async () => {
    const result = Array.from({ length: LINES_MAX + 7 }, (_, i) => ({
      metric: { i: String(i) },
      values: [[1_000, "1"]],
    }));
    fakeServer(member, ({ path }) =>
      path.endsWith("/query_range")
        ? { status: 200, body: { status: "success", data: { resultType: "matrix", result } } }
        : undefined,
    );
    await renderApp("/query?expr=many");
    expect(await screen.findByText(/^24 of 31 series are drawn/)).toBeVisible();
    const figures = screen.getByRole("img", { name: "many" }).parentElement;
    expect(within(figures as HTMLElement).getAllByRole("listitem")).toHaveLength(LINES_MAX);
  });

  test.each(["graph", "table"])("says what the answer lacks, above the %s", async (view) => {
    const warning = "the block 00000007.blk is damaged and set aside";
    const lacking = (resultType: string) => ({
      status: 200,
      body: { status: "success", data: { resultType, result: [] }, warnings: [warning] },
    });
    fakeServer(operator, ({ path }) => {
      if (path.endsWith("/query_range")) return lacking("matrix");
      return path.endsWith("/query") ? lacking("vector") : undefined;
    });
    await renderApp(`/query?expr=up&view=${view}`);
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("The answer may be incomplete");
    expect(alert).toHaveTextContent(warning);
  });

  test("says in words what is wrong with an expression", async () => {
    const body = { status: "error", errorType: "bad_data", error: "unclosed left parenthesis" };
    fakeServer(operator, ({ path }) =>
      path.endsWith("/query_range") ? { status: 400, body } : undefined,
    );
    await renderApp("/query?expr=rate(up", "zh-CN");
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("查询语句无效");
    expect(alert).toHaveTextContent("unclosed left parenthesis");
  });

  test("completes the names of our own metrics", async () => {
    const asked = fakeServer(member);
    await renderApp("/query");
    const view = await editor();
    view.focus();
    write(view, "node_lo");
    act(() => void startCompletion(view));
    await waitFor(() => expect(completionStatus(view.state)).toBe("active"));
    const labels = currentCompletions(view.state).map(({ label }) => label);
    expect(labels).toEqual(expect.arrayContaining(["node_load1", "node_load5"]));
    const paths = asked.map(({ path }) => path).filter((path) => path.startsWith("/prometheus"));
    expect(new Set(paths)).toEqual(
      new Set(["/prometheus/api/v1/label/__name__/values", "/prometheus/api/v1/metadata"]),
    );
  });

  test("marks what is no PromQL while it is written", async () => {
    fakeServer(member);
    await renderApp("/query");
    const view = await editor();
    write(view, "sum(up)");
    act(() => forceLinting(view));
    await waitFor(() => expect(diagnosticCount(view.state)).toBe(0));
    write(view, "rate(up)");
    act(() => forceLinting(view));
    await waitFor(() => expect(diagnosticCount(view.state)).toBe(1));
  });

  test("a range is moved back, and up to now again", async () => {
    fakeServer(member);
    const { router } = await renderApp("/query?expr=up&range=1h");
    await userEvent.click(await screen.findByRole("button", { name: "Earlier" }));
    const { end } = router.state.location.search as { end?: string };
    const backMs = Date.now() - Date.parse(end ?? "");
    expect(backMs).toBeGreaterThanOrEqual(1_800_000);
    expect(backMs).toBeLessThan(1_860_000);
    await userEvent.click(await screen.findByRole("button", { name: "Up to now" }));
    await waitFor(() => expect(router.state.location.search).toEqual({ expr: "up", range: "1h" }));
  });

  test("a step that is no duration is refused at its field", async () => {
    fakeServer(member);
    const { router } = await renderApp("/query?expr=up");
    const step = await screen.findByRole("textbox", { name: "Step" });
    await userEvent.type(step, "fast{Enter}");
    expect(step).toBeInvalid();
    expect(screen.getByText("Such as 15s or 2m.")).toBeVisible();
    expect(router.state.location.search).toEqual({ expr: "up" });
    await userEvent.clear(step);
    await userEvent.type(step, "15s{Enter}");
    await waitFor(() =>
      expect(router.state.location.search).toMatchObject({ expr: "up", step: "15s" }),
    );
  });

  test("examples are a beginning; those of hosts are for operators", async () => {
    fakeServer(member);
    const { router } = await renderApp("/query");
    await userEvent.click(await screen.findByRole("button", { name: "CPU time of guests" }));
    expect(screen.queryByRole("button", { name: "CPU use of hosts" })).toBeNull();
    const expr = "rate(libvirt_domain_info_cpu_time_seconds_total[1m])";
    await waitFor(() => expect(router.state.location.search).toEqual({ expr }));
    expect((await editor()).state.doc.toString()).toBe(expr);
  });
});

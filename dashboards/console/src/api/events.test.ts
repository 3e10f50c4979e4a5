import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { listen, topicOf, type Liveness } from "./events";
import { keys, TOPIC_KEYS } from "./keys";

/** An EventSource whose events the test sends. */
class Source extends EventTarget {
  static opened: Source[] = [];
  readyState = 0;
  closed = false;
  constructor(readonly url: string) {
    super();
    Source.opened.push(this);
  }
  send(type: string, data?: object) {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }));
  }
  close() {
    this.closed = true;
  }
}

let queries: QueryClient;
let invalidated: unknown[];
let seen: Liveness[];
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", { CLOSED: 2 });
  Source.opened = [];
  invalidated = [];
  seen = [];
  queries = new QueryClient();
  vi.spyOn(queries, "invalidateQueries").mockImplementation((filters) => {
    invalidated.push(filters?.queryKey ?? "everything");
    return Promise.resolve();
  });
  const open = (url: string) => new Source(url) as unknown as EventSource;
  stop = listen(queries, (liveness) => seen.push(liveness), open);
});

afterEach(() => {
  stop();
  vi.useRealTimers();
});

const newest = () => Source.opened.at(-1) as Source;

test("a change reads again what it concerns, once for a burst", () => {
  newest().send("open");
  for (let i = 0; i < 20; i += 1) newest().send("change", { topic: "instance", id: String(i) });
  newest().send("change", { topic: "money", id: "t" });
  expect(invalidated).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(invalidated).toEqual([
    ["instances"],
    ["balance"],
    ["bill"],
    ["costs"],
    ["lines"],
    ["findings"],
    ["packages"],
    ["invoices"],
    ["tenants"],
    ["price-books"],
    ["price-overrides"],
    ["cuts"],
  ]);
  expect(seen).toEqual(["live"]);
});

test("an unknown topic and broken data are ignored", () => {
  newest().send("change", { topic: "weather" });
  newest().dispatchEvent(new MessageEvent("change", { data: "{" }));
  vi.advanceTimersByTime(200);
  expect(invalidated).toEqual([]);
  expect(topicOf("{")).toBeNull();
});

test("after a gap everything is read again", () => {
  newest().send("open");
  newest().send("error");
  newest().send("open");
  expect(seen).toEqual(["live", "lost", "live"]);
  expect(invalidated).toEqual(["everything"]);
  newest().send("lagged");
  expect(invalidated).toEqual(["everything", "everything"]);
});

test("a stream that was refused is tried again, later each time, and asks who we are", () => {
  newest().readyState = 2;
  newest().send("error");
  expect(invalidated).toEqual([keys.me]);
  expect(Source.opened).toHaveLength(1);
  vi.advanceTimersByTime(2_000);
  expect(Source.opened).toHaveLength(2);
  newest().readyState = 2;
  newest().send("error");
  vi.advanceTimersByTime(2_000);
  expect(Source.opened).toHaveLength(2);
  vi.advanceTimersByTime(2_000);
  expect(Source.opened).toHaveLength(3);
});

test("nothing is heard after the end", () => {
  newest().send("change", { topic: "host", id: "x" });
  stop();
  vi.advanceTimersByTime(1_000);
  expect(newest().closed).toBe(true);
  expect(invalidated).toEqual([]);
});

test("every topic of the server has its queries", () => {
  const topics = [
    "tenant",
    "instance",
    "host_desired",
    "host",
    "server",
    "operation",
    "money",
    "alert",
    "notice",
    "image",
    "quota",
  ];
  expect(Object.keys(TOPIC_KEYS).sort()).toEqual(topics.sort());
});

import { describe, expect, test, vi } from "vitest";
import { client, once, unwrap } from "./client";
import { IdempotencyKeys, newKey } from "./idempotency";
import { ApiError, fromAnswer, toApiError } from "./problem";
import { queryRange, quote } from "./prometheus";
import { fakeServer } from "../test/render";
import { operator } from "../test/fake";

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("problems", () => {
  test("problem details keep kind, detail, remedy and field", () => {
    const error = fromAnswer(409, {
      type: "urn:opshawk:problem:quota-exceeded",
      title: "The quota is used up",
      status: 409,
      detail: "10 of 10 instances are used",
      remedy: "delete one",
      field: "name",
    });
    expect(error).toMatchObject({
      kind: "quota-exceeded",
      status: 409,
      remedy: "delete one",
      field: "name",
    });
    expect(error.unanswered).toBe(false);
  });

  test("Prometheus's errors and bare texts are problems too", () => {
    const prometheus = { status: "error", errorType: "bad_data", error: "parse error" };
    expect(fromAnswer(400, prometheus)).toMatchObject({ kind: "bad_data", detail: "parse error" });
    expect(fromAnswer(502, "Bad Gateway")).toMatchObject({
      kind: "unknown",
      detail: "Bad Gateway",
    });
  });

  test("no answer is unreachable", () => {
    expect(toApiError(new TypeError("Failed to fetch"))).toMatchObject({
      kind: "unreachable",
      unanswered: true,
    });
  });

  test("a refused request is thrown", async () => {
    fakeServer(null);
    const refused = unwrap(client.GET("/v1/me"));
    await expect(refused).rejects.toMatchObject({ kind: "unauthenticated", status: 401 });
  });
});

describe("idempotency keys", () => {
  test("are UUIDs with and without a secure origin", () => {
    expect(newKey()).toMatch(UUID_V4);
    const getRandomValues = globalThis.crypto.getRandomValues.bind(globalThis.crypto);
    expect(newKey({ getRandomValues })).toMatch(UUID_V4);
    expect(newKey({})).toMatch(UUID_V4);
  });

  test("stay the same until the request is answered", async () => {
    const keys = new IdempotencyKeys();
    const seen: string[] = [];
    const send = (outcome: "lost" | "refused" | "done") =>
      keys
        .with("top up 1", (key) => {
          seen.push(key);
          if (outcome === "done") return Promise.resolve();
          const status = outcome === "lost" ? null : 409;
          return Promise.reject(new ApiError("x", status, ""));
        })
        .catch(() => undefined);
    for (const outcome of ["lost", "lost", "done", "refused", "done"] as const) await send(outcome);
    const [first, second, third, fourth, fifth] = seen;
    expect(second).toBe(first);
    expect(third).toBe(first);
    expect(fourth).not.toBe(first);
    expect(fifth).not.toBe(fourth);
  });

  test("go with every POST that creates or pays", async () => {
    const asked = fakeServer(operator, () => ({ status: 201, body: {} }));
    const body = { name: "acme", currency: "CNY" };
    await once(["create-tenant", body], (header) =>
      client.POST("/v1/tenants", { body, params: { header } }),
    );
    expect(asked[0]).toMatchObject({ method: "POST", path: "/v1/tenants", body });
    expect(asked[0]?.headers.get("Idempotency-Key")).toMatch(UUID_V4);
  });
});

describe("range queries", () => {
  test("become points, and what is no number becomes a gap", async () => {
    const result = [
      {
        metric: { domain: "web-1" },
        values: [
          [10, "0.5"],
          [20, "NaN"],
        ],
      },
    ];
    fakeServer(operator, () => ({
      status: 200,
      body: { status: "success", data: { resultType: "matrix", result } },
    }));
    expect(await queryRange("up", 10, 20, 10)).toEqual({
      series: [
        {
          labels: { domain: "web-1" },
          points: [
            [10, 0.5],
            [20, null],
          ],
        },
      ],
      warnings: [],
    });
  });

  test("a label's value can't leave its quotes", () => {
    expect(quote('a"b\\c\n')).toBe('"a\\"b\\\\c\\n"');
  });

  test("an unreachable server is told apart from a refusing one", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(queryRange("up", 0, 1, 1)).rejects.toMatchObject({ kind: "unreachable" });
  });
});

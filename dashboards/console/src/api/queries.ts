// What the pages read. Live updates come by event; an interval stands only where time itself
// changes the answer (a balance) or where no event is sent.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { client, unwrap } from "./client";
import { keys } from "./keys";
import { ApiError, fromAnswer, toApiError } from "./problem";
import { queryInstant, queryRange, type Span } from "./prometheus";
import type { CostGroup, Me, Page } from "./types";

/** Lists that are choices in a form are read in one page of the API's largest size. */
const CHOICES = 1000;
/** Lists that are read page by page. */
const PAGE = 50;
const BALANCE_REFRESH_MS = 5_000;
const CHART_REFRESH_MS = 5_000;
const STATUS_REFRESH_MS = 5_000;
const CUTS_REFRESH_MS = 30_000;

const all = { params: { query: { limit: CHOICES } } };
const byId = (id: string) => ({ params: { path: { id } } });

/** Pages of a list: `data.pages`, and `fetchNextPage` for more. */
function paged<T>(queryKey: readonly string[], read: (cursor?: string) => Promise<Page<T>>) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

function list<T>(queryKey: readonly string[], read: () => Promise<Page<T>>) {
  return queryOptions({ queryKey, queryFn: read, select: (page) => page.items });
}

/** What stops for want of money within a day, and whether automatic stops are paused. */
export const cutsQuery = queryOptions({
  queryKey: keys.cuts,
  queryFn: async () => {
    const [preview, guard] = await Promise.all([
      unwrap(client.GET("/v1/standing/preview", { params: { query: {} } })),
      unwrap(client.GET("/v1/standing/guard")),
    ]);
    return { cuts: preview.items, guard };
  },
  refetchInterval: CUTS_REFRESH_MS,
});

/** Null when nobody is logged in. */
export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: async (): Promise<Me | null> => {
    try {
      return await unwrap(client.GET("/v1/me"));
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.status === 401) return null;
      throw thrown;
    }
  },
  staleTime: 60_000,
});

export const tenantsQuery = list(keys.tenants, () => unwrap(client.GET("/v1/tenants", all)));
export const tenantQuery = (id: string) =>
  queryOptions({
    queryKey: keys.tenant(id),
    queryFn: () => unwrap(client.GET("/v1/tenants/{id}", byId(id))),
  });
export const balanceQuery = (tenantId: string) =>
  queryOptions({
    queryKey: keys.balance(tenantId),
    queryFn: () => unwrap(client.GET("/v1/tenants/{id}/balance", byId(tenantId))),
    refetchInterval: BALANCE_REFRESH_MS,
  });
export const billQuery = (tenantId: string, from: string, to: string) =>
  queryOptions({
    queryKey: keys.bill(tenantId, from, to),
    queryFn: () =>
      unwrap(
        client.GET("/v1/tenants/{id}/bill", {
          params: { path: { id: tenantId }, query: { from, to } },
        }),
      ),
  });
/** `label` names one where the group is by label. */
export const costsQuery = (
  tenantId: string,
  from: string,
  to: string,
  group: CostGroup,
  label?: string,
) =>
  queryOptions({
    queryKey: keys.costs(tenantId, from, to, group, label),
    queryFn: () =>
      unwrap(
        client.GET("/v1/costs", {
          params: { query: { tenant_id: tenantId, from, to, group, label } },
        }),
      ),
  });
/** What each tenant's use cost, for operators. */
export const tenantCostsQuery = (from: string, to: string) =>
  queryOptions({
    queryKey: keys.tenantCosts(from, to),
    queryFn: () =>
      unwrap(client.GET("/v1/costs", { params: { query: { from, to, group: "tenant" } } })),
  });
/** What costs can be grouped by. */
export const costLabelsQuery = (tenantId: string, from: string, to: string) =>
  queryOptions({
    queryKey: keys.costLabels(tenantId, from, to),
    queryFn: () =>
      unwrap(
        client.GET("/v1/costs/labels", { params: { query: { tenant_id: tenantId, from, to } } }),
      ),
    select: (answer) => answer.items,
  });
export const packagesQuery = (tenantId: string) =>
  list(keys.packages(tenantId), () =>
    unwrap(client.GET("/v1/tenants/{id}/packages", byId(tenantId))),
  );
/**
 * The rated lines of a resource between two instants, a thousand at a time; the last of them says where
 * the next begin.
 */
export const linesQuery = (
  tenantId: string,
  of: { resource_id: string; component: string; from: string; to: string },
) =>
  infiniteQueryOptions({
    queryKey: keys.lines(tenantId, of),
    queryFn: ({ pageParam: after }) =>
      unwrap(client.GET("/v1/lines", { params: { query: { tenant_id: tenantId, ...of, after } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ items, more }) => (more ? items.at(-1)?.id : undefined),
  });
/** With a thousand of its facts at a time. */
export const explanationQuery = (line: string) =>
  infiniteQueryOptions({
    queryKey: keys.explanation(line),
    queryFn: ({ pageParam: facts_after }) =>
      unwrap(
        client.GET("/v1/lines/{line}", { params: { path: { line }, query: { facts_after } } }),
      ),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ usage }) => usage.next_facts ?? undefined,
  });
export const findingsQuery = queryOptions({
  queryKey: keys.findings,
  queryFn: () => unwrap(client.GET("/v1/findings")),
  select: (answer) => answer.items,
});
export const gapsQuery = queryOptions({
  queryKey: keys.gaps,
  queryFn: () => unwrap(client.GET("/v1/usage-gaps")),
  select: (answer) => answer.items,
});
export const rulingsQuery = queryOptions({
  queryKey: keys.rulings,
  queryFn: () => unwrap(client.GET("/v1/usage-rulings")),
  select: (answer) => answer.items,
});
export const invoicesQuery = (tenantId: string) =>
  paged(keys.invoices(tenantId), (cursor) =>
    unwrap(
      client.GET("/v1/invoices", {
        params: { query: { tenant_id: tenantId, limit: PAGE, cursor } },
      }),
    ),
  );
/** With what it says, and its credit notes. */
export const invoiceQuery = (id: string) =>
  queryOptions({
    queryKey: keys.invoice(id),
    queryFn: () => unwrap(client.GET("/v1/invoices/{id}", byId(id))),
  });
/** The closed ones, newest first. */
export const monthsQuery = (tenantId: string) =>
  list(keys.months(tenantId), () => unwrap(client.GET("/v1/tenants/{id}/months", byId(tenantId))));
export const quotaQuery = (tenantId: string) =>
  queryOptions({
    queryKey: keys.quota(tenantId),
    queryFn: () => unwrap(client.GET("/v1/tenants/{id}/quota", byId(tenantId))),
    select: (quota) => quota.items,
  });
/** The newest of one tenant's. */
export const quotaRequestsQuery = (tenantId: string) =>
  list(keys.quotaRequestsOf(tenantId), () =>
    unwrap(
      client.GET("/v1/quota-requests", {
        params: { query: { tenant_id: tenantId, limit: PAGE } },
      }),
    ),
  );
/** All that wait for an operator. */
export const pendingQuotaRequestsQuery = list(keys.quotaRequestsPending, () =>
  unwrap(
    client.GET("/v1/quota-requests", { params: { query: { state: "pending", limit: CHOICES } } }),
  ),
);
export const usersQuery = list(keys.users, () => unwrap(client.GET("/v1/users", all)));
export const priceBooksQuery = list(keys.priceBooks, () =>
  unwrap(client.GET("/v1/price-books", all)),
);
export const priceDraftsQuery = (bookId: string) =>
  list(keys.priceDrafts(bookId), () =>
    unwrap(client.GET("/v1/price-books/{id}/drafts", byId(bookId))),
  );
export const priceDraftQuery = (id: string) =>
  queryOptions({
    queryKey: keys.priceDraft(id),
    queryFn: () => unwrap(client.GET("/v1/price-drafts/{id}", byId(id))),
  });
export const priceOverridesQuery = (tenantId: string) =>
  list(keys.priceOverrides(tenantId), () =>
    unwrap(client.GET("/v1/tenants/{id}/price-overrides", byId(tenantId))),
  );

export const flavorsQuery = list(keys.flavors, () => unwrap(client.GET("/v1/flavors", all)));
export const imagesQuery = list(keys.images, () => unwrap(client.GET("/v1/images", all)));

export const hostsQuery = list(keys.hosts, () => unwrap(client.GET("/v1/hosts", all)));
export const hostQuery = (id: string) =>
  queryOptions({
    queryKey: keys.host(id),
    queryFn: () => unwrap(client.GET("/v1/hosts/{id}", byId(id))),
  });
export const serversQuery = list(keys.servers, () => unwrap(client.GET("/v1/servers", all)));
export const serverQuery = (id: string) =>
  queryOptions({
    queryKey: keys.server(id),
    queryFn: () => unwrap(client.GET("/v1/servers/{id}", byId(id))),
  });

export const instancesQuery = paged(keys.instanceList, (cursor) =>
  unwrap(client.GET("/v1/instances", { params: { query: { limit: PAGE, cursor } } })),
);
/** For counting: the first page of the API's largest size. */
export const allInstancesQuery = list(keys.allInstances, () =>
  unwrap(client.GET("/v1/instances", { params: { query: { limit: CHOICES } } })),
);
export const instanceQuery = (id: string) =>
  queryOptions({
    queryKey: keys.instance(id),
    queryFn: () => unwrap(client.GET("/v1/instances/{id}", byId(id))),
  });
export const consoleLogQuery = (id: string) =>
  queryOptions({
    queryKey: keys.consoleLog(id),
    queryFn: () => unwrap(client.GET("/v1/instances/{id}/console-log", byId(id))),
    refetchInterval: STATUS_REFRESH_MS,
  });

/** Without an upgrade, a console that could be had asks for one. */
const UPGRADE_REQUIRED = 426;
/** Why a console was refused; null where a plain request would not be. */
export const refusalQuery = (path: string) =>
  queryOptions({
    queryKey: ["refusal", path],
    queryFn: async (): Promise<ApiError | null> => {
      try {
        const request = new Request(new URL(path, window.location.origin));
        const response = await globalThis.fetch(request);
        if (response.status === UPGRADE_REQUIRED) return null;
        const body: unknown = await response.json().catch(() => null);
        return fromAnswer(response.status, body);
      } catch (thrown) {
        return toApiError(thrown);
      }
    },
    staleTime: 0,
    gcTime: 0,
  });

export const operationsQuery = (targetId?: string) =>
  paged(keys.operations(targetId), (cursor) =>
    unwrap(
      client.GET("/v1/operations", {
        params: { query: { limit: PAGE, cursor, target_id: targetId } },
      }),
    ),
  );
export const alertsQuery = list(keys.alerts, () => unwrap(client.GET("/v1/alerts", all)));
export const ruleGroupsQuery = list(keys.ruleGroups, () =>
  unwrap(client.GET("/v1/rule-groups", all)),
);
export const noticesQuery = paged(keys.notices, (cursor) =>
  unwrap(client.GET("/v1/notices", { params: { query: { limit: PAGE, cursor } } })),
);
export const auditQuery = paged(keys.audit, (cursor) =>
  unwrap(client.GET("/v1/audit", { params: { query: { limit: PAGE, cursor } } })),
);

export const reconcilersQuery = queryOptions({
  queryKey: keys.reconcilers,
  queryFn: () => unwrap(client.GET("/v1/system/reconcilers")),
  select: (answer) => answer.items,
  refetchInterval: STATUS_REFRESH_MS,
});
export const systemInfoQuery = queryOptions({
  queryKey: keys.systemInfo,
  queryFn: () => unwrap(client.GET("/v1/system/info")),
});

/** The last `spanS` seconds up to now, in about `points` steps. */
export const rangeQuery = (query: string, spanS: number, points = 180) =>
  queryOptions({
    queryKey: ["range", query, spanS],
    queryFn: async () => {
      const stepS = Math.max(1, Math.round(spanS / points));
      // On whole steps, so that the points of two readings are the same instants.
      const endS = Math.floor(Date.now() / 1000 / stepS) * stepS;
      const { series } = await queryRange(query, endS - spanS, endS, stepS);
      return series;
    },
    refetchInterval: CHART_REFRESH_MS,
    placeholderData: (previous) => previous,
  });

/** Between two instants, read once for each time that it is asked. */
export const spanQuery = (query: string, span: Span, askedS: number) =>
  queryOptions({
    queryKey: ["span", query, span, askedS],
    queryFn: () => queryRange(query, span.startS, span.endS, span.stepS),
    staleTime: Infinity,
  });
export const instantQuery = (query: string, atS: number, askedS: number) =>
  queryOptions({
    queryKey: ["instant", query, atS, askedS],
    queryFn: () => queryInstant(query, atS),
    staleTime: Infinity,
  });

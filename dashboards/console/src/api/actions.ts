// What the pages do. Every POST that creates or pays carries its `Idempotency-Key`.
import { useMutation, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { client, once, unwrap } from "./client";
import { keys } from "./keys";
import type { ApiError } from "./problem";
import type { components } from "./schema";
import type { CreateInstance, Me } from "./types";

type Schemas = components["schemas"];

const path = (id: string) => ({ path: { id } });

/** A mutation that reads what it touched again; events would too, but not before their time. */
function useAction<I, O>(act: (input: I) => Promise<O>, touched: readonly (readonly string[])[]) {
  const queries = useQueryClient();
  return useMutation<O, ApiError, I>({
    mutationFn: act,
    onSuccess: () =>
      Promise.all(touched.map((key) => queries.invalidateQueries({ queryKey: [...key] }))),
  });
}

/**
 * Sets who is logged in. Whoever comes next sees nothing of who was there before. Their own query
 * stays, since the frame listens to it: in a cleared cache it would not hear that they are gone.
 */
function become(queries: QueryClient, me: Me | null) {
  queries.setQueryData(keys.me, me);
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.me[0] });
}

function useSession<I>(act: (input: I) => Promise<Me>) {
  const queries = useQueryClient();
  return useMutation<Me, ApiError, I>({
    mutationFn: act,
    onSuccess: (me) => become(queries, me),
  });
}

export const useLogin = () =>
  useSession((body: Schemas["Login"]) => unwrap(client.POST("/v1/session", { body })));

export const useSetup = () =>
  useSession((body: Schemas["Setup"]) => unwrap(client.POST("/v1/setup", { body })));

export function useLogout() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return useMutation<unknown, ApiError>({
    mutationFn: () => unwrap(client.DELETE("/v1/session")),
    onSettled: async () => {
      // First the page, so that the guard does not note it as where the next user wants to go.
      await navigate({ to: "/login" });
      become(queries, null);
    },
  });
}

const INSTANCE_TOUCHES = [keys.instances, ["operations"], ["quota"], ["balance"]];

export const useCreateInstance = () =>
  useAction(
    (body: CreateInstance) =>
      once(["create-instance", body], (header) =>
        client.POST("/v1/instances", { body, params: { header } }),
      ),
    INSTANCE_TOUCHES,
  );

export const usePatchInstance = (id: string) =>
  useAction(
    (body: Schemas["PatchInstance"]) =>
      unwrap(client.PATCH("/v1/instances/{id}", { body, params: path(id) })),
    [...INSTANCE_TOUCHES, ["costs"]],
  );

export const useResizeInstance = (id: string) =>
  useAction(
    (body: Schemas["ResizeInstance"]) =>
      unwrap(client.POST("/v1/instances/{id}/resize", { body, params: path(id) })),
    INSTANCE_TOUCHES,
  );

export type InstanceVerb = "start" | "stop" | "lock" | "unlock" | "delete";

function actOnInstance(verb: InstanceVerb, id: string) {
  const params = path(id);
  switch (verb) {
    case "start":
      return unwrap(client.POST("/v1/instances/{id}/start", { params }));
    case "stop":
      return unwrap(client.POST("/v1/instances/{id}/stop", { params }));
    case "lock":
      return unwrap(client.POST("/v1/instances/{id}/lock", { params }));
    case "unlock":
      return unwrap(client.POST("/v1/instances/{id}/unlock", { params }));
    case "delete":
      return unwrap(client.DELETE("/v1/instances/{id}", { params }));
  }
}

export const useInstanceAction = () =>
  useAction(
    ({ verb, id }: { verb: InstanceVerb; id: string }) => actOnInstance(verb, id),
    INSTANCE_TOUCHES,
  );

export const useTopup = (tenantId: string) =>
  useAction(
    (body: Schemas["CreateTopup"]) =>
      once(["topup", tenantId, body], (header) =>
        client.POST("/v1/tenants/{id}/topups", { body, params: { ...path(tenantId), header } }),
      ),
    [["balance"], ["bill"], keys.tenants, keys.instances],
  );

export const useCreateTenant = () =>
  useAction(
    (body: Schemas["CreateTenant"]) =>
      once(["create-tenant", body], (header) =>
        client.POST("/v1/tenants", { body, params: { header } }),
      ),
    [keys.tenants],
  );

export const useSetQuota = (tenantId: string) =>
  useAction(
    (body: Schemas["SetQuota"]) =>
      unwrap(client.PUT("/v1/tenants/{id}/quota", { body, params: path(tenantId) })),
    [["quota"]],
  );

export const useAskQuota = () =>
  useAction(
    (body: Schemas["CreateQuotaRequest"]) =>
      once(["ask-quota", body], (header) =>
        client.POST("/v1/quota-requests", { body, params: { header } }),
      ),
    [keys.quotaRequests],
  );

export const useApproveQuota = (id: string) =>
  useAction(
    (body: Schemas["ApproveQuotaRequest"]) =>
      unwrap(client.POST("/v1/quota-requests/{id}/approve", { body, params: path(id) })),
    [keys.quotaRequests, ["quota"]],
  );

export const useRefuseQuota = (id: string) =>
  useAction(
    (body: Schemas["RefuseQuotaRequest"]) =>
      unwrap(client.POST("/v1/quota-requests/{id}/refuse", { body, params: path(id) })),
    [keys.quotaRequests],
  );

export const useWithdrawQuota = () =>
  useAction(
    (id: string) =>
      unwrap(client.POST("/v1/quota-requests/{id}/withdraw", { params: path(id) })),
    [keys.quotaRequests],
  );

export const useResolveFinding = (id: string) =>
  useAction(
    (body: Schemas["CloseFinding"]) =>
      unwrap(client.POST("/v1/findings/{id}/resolve", { body, params: path(id) })),
    [keys.findings],
  );

export const useRuleOnFact = () =>
  useAction(
    ({ id, ...body }: Schemas["RuleOnFact"] & { id: string }) =>
      unwrap(client.POST("/v1/usage-facts/{id}/rule", { body, params: path(id) })),
    [keys.findings, ["lines"]],
  );

export const useAnswerGap = (id: string) =>
  useAction(
    (body: Schemas["AnswerGap"]) =>
      unwrap(client.POST("/v1/usage-gaps/{id}/answer", { body, params: path(id) })),
    [keys.findings, ["lines"]],
  );

export const useCreatePriceBook = () =>
  useAction(
    (body: Schemas["CreatePriceBook"]) =>
      once(["create-price-book", body], (header) =>
        client.POST("/v1/price-books", { body, params: { header } }),
      ),
    [keys.priceBooks],
  );

/** A copy of what is in force. */
export const useCreatePriceDraft = (bookId: string) =>
  useAction(
    () =>
      once(["create-price-draft", bookId], (header) =>
        client.POST("/v1/price-books/{id}/drafts", {
          body: {},
          params: { ...path(bookId), header },
        }),
      ),
    [keys.priceDrafts(bookId)],
  );

export const useReplacePriceDraft = (id: string, bookId: string) =>
  useAction(
    (body: Schemas["ReplacePriceDraft"]) =>
      unwrap(client.PUT("/v1/price-drafts/{id}", { body, params: path(id) })),
    [keys.priceDraft(id), keys.priceDrafts(bookId)],
  );

export const useCheckPriceDraft = (id: string, bookId: string) =>
  useAction(
    () => unwrap(client.POST("/v1/price-drafts/{id}/check", { params: path(id) })),
    [keys.priceDraft(id), keys.priceDrafts(bookId)],
  );

export const usePublishPriceDraft = (id: string, bookId: string) =>
  useAction(
    (body: Schemas["PublishPriceDraft"]) =>
      once(["publish-price-draft", id, body], (header) =>
        client.POST("/v1/price-drafts/{id}/publish", { body, params: { ...path(id), header } }),
      ),
    [keys.priceBooks, keys.priceDrafts(bookId)],
  );

export const useDiscardPriceDraft = (bookId: string) =>
  useAction(
    (id: string) => unwrap(client.DELETE("/v1/price-drafts/{id}", { params: path(id) })),
    [keys.priceDrafts(bookId)],
  );

/** Changes nothing. */
export const useSimulatePrices = () =>
  useAction(
    (body: Schemas["SimulatePrices"]) => unwrap(client.POST("/v1/prices/simulate", { body })),
    [],
  );

export const useCreatePriceOverride = (tenantId: string) =>
  useAction(
    (body: Schemas["CreatePriceOverride"]) =>
      once(["create-price-override", tenantId, body], (header) =>
        client.POST("/v1/tenants/{id}/price-overrides", {
          body,
          params: { ...path(tenantId), header },
        }),
      ),
    [keys.priceOverrides(tenantId), ["balance"]],
  );

export const useEndPriceOverride = (tenantId: string, number: number) =>
  useAction(
    (body: Schemas["EndPriceOverride"]) =>
      unwrap(
        client.POST("/v1/tenants/{id}/price-overrides/{number}/end", {
          body,
          params: { path: { id: tenantId, number } },
        }),
      ),
    [keys.priceOverrides(tenantId), ["balance"]],
  );

const PACKAGE_TOUCHES = [["packages"], ["balance"], ["bill"], ["costs"]];

export const useOrderPackage = (tenantId: string) =>
  useAction(
    (body: Schemas["OrderPackage"]) =>
      once(["order-package", tenantId, body], (header) =>
        client.POST("/v1/tenants/{id}/packages", { body, params: { ...path(tenantId), header } }),
      ),
    PACKAGE_TOUCHES,
  );

export const useCancelPackage = (tenantId: string) =>
  useAction(
    (id: string) =>
      unwrap(
        client.POST("/v1/tenants/{id}/packages/{package}/cancel", {
          params: { path: { id: tenantId, package: id } },
        }),
      ),
    PACKAGE_TOUCHES,
  );

export const useCreateUser = () =>
  useAction(
    (body: Schemas["CreateUser"]) =>
      once(["create-user", body], (header) =>
        client.POST("/v1/users", { body, params: { header } }),
      ),
    [keys.users],
  );

export const useCreateHost = () =>
  useAction(
    (body: Schemas["CreateHost"]) =>
      once(["create-host", body], (header) =>
        client.POST("/v1/hosts", { body, params: { header } }),
      ),
    [keys.hosts],
  );

export const usePatchHost = (id: string) =>
  useAction(
    (body: Schemas["PatchHost"]) =>
      unwrap(client.PATCH("/v1/hosts/{id}", { body, params: path(id) })),
    [keys.hosts],
  );

export const useCreateServer = () =>
  useAction(
    (body: Schemas["CreateServer"]) =>
      once(["create-server", body], (header) =>
        client.POST("/v1/servers", { body, params: { header } }),
      ),
    [keys.servers],
  );

export const useServerPower = (id: string) =>
  useAction(
    (action: Schemas["WantedPower"]) =>
      unwrap(client.POST("/v1/servers/{id}/power", { body: { action }, params: path(id) })),
    [keys.servers, ["operations"]],
  );

export const usePutRuleGroup = () =>
  useAction(
    ({ name, rules }: { name: string; rules: string }) =>
      unwrap(
        client.PUT("/v1/rule-groups/{name}", {
          params: { path: { name } },
          body: rules,
          bodySerializer: (text) => text,
          headers: { "Content-Type": "application/yaml" },
        }),
      ),
    [keys.ruleGroups, keys.alerts],
  );

export const useDeleteRuleGroup = () =>
  useAction(
    (name: string) =>
      unwrap(client.DELETE("/v1/rule-groups/{name}", { params: { path: { name } } })),
    [keys.ruleGroups, keys.alerts],
  );

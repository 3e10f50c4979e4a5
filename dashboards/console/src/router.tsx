// Paths, who may see them, and what they show.
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  Outlet,
  parseSearchWith,
  redirect,
  stringifySearchWith,
  type RouterHistory,
} from "@tanstack/react-router";
import { meQuery } from "./api/queries";
import { AlertsPage } from "./pages/alerts/AlertsPage";
import { AuditPage } from "./pages/AuditPage";
import { BillingPage, TenantBillPage } from "./pages/billing/BillingPage";
import { readSearch } from "./pages/billing/period";
import { HostPage } from "./pages/hosts/HostPage";
import { HostsPage } from "./pages/hosts/HostsPage";
import { InstancePage } from "./pages/instances/InstancePage";
import { InstancesPage } from "./pages/instances/InstancesPage";
import { FailedPage, MissingPage } from "./pages/MissingPage";
import { OperationsPage } from "./pages/OperationsPage";
import { OverviewPage } from "./pages/OverviewPage";
import { ServerPage } from "./pages/servers/ServerPage";
import { ServersPage } from "./pages/servers/ServersPage";
import { LoginPage } from "./pages/session/LoginPage";
import { SetupPage } from "./pages/session/SetupPage";
import { SystemPage } from "./pages/SystemPage";
import { TenantPage } from "./pages/tenants/TenantPage";
import { TenantsPage } from "./pages/tenants/TenantsPage";
import { AppFrame } from "./shell/AppFrame";

interface Context {
  queries: QueryClient;
}

const root = createRootRouteWithContext<Context>()({
  component: Outlet,
  notFoundComponent: MissingPage,
});

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

/** Only a path of our own: a link to the login page must not lead elsewhere afterwards. */
const ownPath = (value: unknown) => {
  const path = text(value);
  return path?.startsWith("/") && !/^\/[/\\]/.test(path) ? path : undefined;
};

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search): { next?: string } => ({ next: ownPath(search.next) }),
  component: LoginPage,
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  validateSearch: (search): { token?: string } => ({ token: text(search.token) }),
  component: SetupPage,
});

const app = createRoute({
  getParentRoute: () => root,
  id: "app",
  beforeLoad: async ({ context, location }) => {
    const me = await context.queries.query({ ...meQuery, staleTime: "static" });
    if (me) return { me };
    const next = location.pathname === "/" ? undefined : location.href;
    throw redirect({ to: "/login", search: { next } });
  },
  component: AppFrame,
  errorComponent: FailedPage,
});

/** Pages for operators; a member who follows a link to one lands on its own overview. */
const operatorOnly = ({ context }: { context: { me: { role: string } } }) => {
  if (context.me.role !== "operator") throw redirect({ to: "/" });
};

const page = { getParentRoute: () => app };
const operatorPage = { ...page, beforeLoad: operatorOnly };
const bill = { validateSearch: readSearch };

// Each on its own: inside of a list, the compiler loses their types.
const overview = createRoute({ ...page, path: "/", component: OverviewPage });
const instances = createRoute({ ...page, path: "/instances", component: InstancesPage });
const instance = createRoute({ ...page, path: "/instances/$id", component: InstancePage });
const alerts = createRoute({ ...page, path: "/alerts", component: AlertsPage });
const operations = createRoute({ ...page, path: "/operations", component: OperationsPage });
const billing = createRoute({ ...page, ...bill, path: "/billing", component: BillingPage });
const hosts = createRoute({ ...operatorPage, path: "/hosts", component: HostsPage });
const host = createRoute({ ...operatorPage, path: "/hosts/$id", component: HostPage });
const servers = createRoute({ ...operatorPage, path: "/servers", component: ServersPage });
const server = createRoute({ ...operatorPage, path: "/servers/$id", component: ServerPage });
const tenants = createRoute({ ...operatorPage, path: "/tenants", component: TenantsPage });
const tenant = createRoute({ ...operatorPage, path: "/tenants/$id", component: TenantPage });
const tenantBill = createRoute({
  ...operatorPage,
  ...bill,
  path: "/tenants/$id/bill",
  component: TenantBillPage,
});
const audit = createRoute({ ...operatorPage, path: "/audit", component: AuditPage });
const system = createRoute({ ...operatorPage, path: "/system", component: SystemPage });

const routes = root.addChildren([
  login,
  setup,
  app.addChildren([
    overview,
    instances,
    instance,
    alerts,
    operations,
    billing,
    hosts,
    host,
    servers,
    server,
    tenants,
    tenant,
    tenantBill,
    audit,
    system,
  ]),
]);

/** `history` is the browser's where none is given. */
export function makeRouter(queries: QueryClient, history?: RouterHistory) {
  return createRouter({
    history,
    routeTree: routes,
    context: { queries },
    defaultPreload: "intent",
    scrollRestoration: true,
    // All that stands in our addresses is text: no token may be read as a number.
    parseSearch: parseSearchWith((value) => value),
    stringifySearch: stringifySearchWith(String),
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}

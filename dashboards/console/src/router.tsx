// Paths, who may see them, and what they show.
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent as lazy,
  Outlet,
  parseSearchWith,
  redirect,
  stringifySearchWith,
  type RouterHistory,
} from "@tanstack/react-router";
import { meQuery } from "./api/queries";
import { readMoneySearch, readSearch as readPeriodSearch } from "./pages/billing/period";
import { readSearch as readQuerySearch } from "./pages/metrics/search";
import { FailedPage, MissingPage, PendingPage } from "./pages/MissingPage";
import { AppFrame } from "./shell/AppFrame";

interface Context {
  queries: QueryClient;
}

const root = createRootRouteWithContext<Context>()({
  component: Outlet,
  notFoundComponent: MissingPage,
});

// A page's script comes when somebody goes there (or is about to): charts, editors and terminals
// are heavy, and most visits need none of them.
const loginPage = lazy(() => import("./pages/session/LoginPage"), "LoginPage");
const setupPage = lazy(() => import("./pages/session/SetupPage"), "SetupPage");
const overviewPage = lazy(() => import("./pages/OverviewPage"), "OverviewPage");
const instancesPage = lazy(() => import("./pages/instances/InstancesPage"), "InstancesPage");
const instancePage = lazy(() => import("./pages/instances/InstancePage"), "InstancePage");
const alertsPage = lazy(() => import("./pages/alerts/AlertsPage"), "AlertsPage");
const metricsPage = lazy(() => import("./pages/metrics/MetricsPage"), "MetricsPage");
const operationsPage = lazy(() => import("./pages/OperationsPage"), "OperationsPage");
const billingPage = lazy(() => import("./pages/billing/BillingPage"), "BillingPage");
const invoicePage = lazy(() => import("./pages/billing/InvoicePage"), "InvoicePage");
const hostsPage = lazy(() => import("./pages/hosts/HostsPage"), "HostsPage");
const hostPage = lazy(() => import("./pages/hosts/HostPage"), "HostPage");
const serversPage = lazy(() => import("./pages/servers/ServersPage"), "ServersPage");
const serverPage = lazy(() => import("./pages/servers/ServerPage"), "ServerPage");
const topologyPage = lazy(() => import("./pages/topology/TopologyPage"), "TopologyPage");
const tenantsPage = lazy(() => import("./pages/tenants/TenantsPage"), "TenantsPage");
const tenantPage = lazy(() => import("./pages/tenants/TenantPage"), "TenantPage");
const tenantBillPage = lazy(() => import("./pages/billing/BillingPage"), "TenantBillPage");
const tenantCostsPage = lazy(() => import("./pages/billing/TenantCosts"), "TenantCostsPage");
const packagesPage = lazy(() => import("./pages/packages/PackagesPage"), "PackagesPage");
const tenantPackagesPage = lazy(
  () => import("./pages/packages/PackagesPage"),
  "TenantPackagesPage",
);
const pricesPage = lazy(() => import("./pages/prices/PricesPage"), "PricesPage");
const priceBookPage = lazy(() => import("./pages/prices/BookPage"), "BookPage");
const priceDraftPage = lazy(() => import("./pages/prices/DraftPage"), "DraftPage");
const findingsPage = lazy(() => import("./pages/findings/FindingsPage"), "FindingsPage");
const auditPage = lazy(() => import("./pages/AuditPage"), "AuditPage");
const systemPage = lazy(() => import("./pages/SystemPage"), "SystemPage");

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
  component: loginPage,
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  validateSearch: (search): { token?: string } => ({ token: text(search.token) }),
  component: setupPage,
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
const bill = { validateSearch: readMoneySearch };
const period = { validateSearch: readPeriodSearch };
const query = { validateSearch: readQuerySearch };

// Each on its own: inside of a list, the compiler loses their types.
const overview = createRoute({ ...page, path: "/", component: overviewPage });
const instances = createRoute({ ...page, path: "/instances", component: instancesPage });
const instance = createRoute({ ...page, path: "/instances/$id", component: instancePage });
const alerts = createRoute({ ...page, path: "/alerts", component: alertsPage });
// Not `/metrics`: that is what OpsHawk tells about itself, for Prometheus to scrape.
const metrics = createRoute({ ...page, ...query, path: "/query", component: metricsPage });
const operations = createRoute({ ...page, path: "/operations", component: operationsPage });
const billing = createRoute({ ...page, ...bill, path: "/billing", component: billingPage });
const invoice = createRoute({ ...page, path: "/invoices/$id", component: invoicePage });
const packages = createRoute({ ...page, path: "/packages", component: packagesPage });
const topology = createRoute({ ...operatorPage, path: "/topology", component: topologyPage });
const hosts = createRoute({ ...operatorPage, path: "/hosts", component: hostsPage });
const host = createRoute({ ...operatorPage, path: "/hosts/$id", component: hostPage });
const servers = createRoute({ ...operatorPage, path: "/servers", component: serversPage });
const server = createRoute({ ...operatorPage, path: "/servers/$id", component: serverPage });
const tenants = createRoute({ ...operatorPage, path: "/tenants", component: tenantsPage });
const tenant = createRoute({ ...operatorPage, path: "/tenants/$id", component: tenantPage });
const tenantCosts = createRoute({
  ...operatorPage,
  ...period,
  path: "/costs",
  component: tenantCostsPage,
});
const tenantBill = createRoute({
  ...operatorPage,
  ...bill,
  path: "/tenants/$id/bill",
  component: tenantBillPage,
});
const tenantPackages = createRoute({
  ...operatorPage,
  path: "/tenants/$id/packages",
  component: tenantPackagesPage,
});
const prices = createRoute({ ...operatorPage, path: "/prices", component: pricesPage });
const priceBook = createRoute({ ...operatorPage, path: "/prices/$id", component: priceBookPage });
const priceDraft = createRoute({
  ...operatorPage,
  path: "/prices/drafts/$id",
  component: priceDraftPage,
});
const findings = createRoute({ ...operatorPage, path: "/findings", component: findingsPage });
const audit = createRoute({ ...operatorPage, path: "/audit", component: auditPage });
const system = createRoute({ ...operatorPage, path: "/system", component: systemPage });

const routes = root.addChildren([
  login,
  setup,
  app.addChildren([
    overview,
    instances,
    instance,
    alerts,
    metrics,
    operations,
    billing,
    invoice,
    packages,
    topology,
    hosts,
    host,
    servers,
    server,
    tenants,
    tenant,
    tenantBill,
    tenantPackages,
    tenantCosts,
    prices,
    priceBook,
    priceDraft,
    findings,
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
    defaultPendingComponent: PendingPage,
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

// What the navigation holds, by role.
import {
  IconActivity,
  IconBell,
  IconBox,
  IconBuildingCommunity,
  IconChartLine,
  IconClipboardList,
  IconEyeExclamation,
  IconHistory,
  IconLayoutDashboard,
  IconPackage,
  IconReceipt2,
  IconReportMoney,
  IconServer2,
  IconServerBolt,
  IconTags,
  IconTopologyStar3,
  type Icon,
} from "@tabler/icons-react";
import type en from "../i18n/en.json";

export interface NavItem {
  to: string;
  /** Where its pages stand that are not below it. */
  also?: string;
  key: keyof typeof en.nav;
  icon: Icon;
}

export interface NavGroup {
  key: keyof typeof en.navGroup | null;
  items: readonly NavItem[];
}

const overview: NavItem = { to: "/", key: "overview", icon: IconLayoutDashboard };
const instances: NavItem = { to: "/instances", key: "instances", icon: IconBox };
const alerts: NavItem = { to: "/alerts", key: "alerts", icon: IconBell };
const query: NavItem = { to: "/query", key: "query", icon: IconChartLine };
const operations: NavItem = { to: "/operations", key: "operations", icon: IconHistory };

export const OPERATOR_NAV: readonly NavGroup[] = [
  { key: null, items: [overview] },
  {
    key: "machines",
    items: [
      instances,
      { to: "/hosts", key: "hosts", icon: IconServer2 },
      { to: "/servers", key: "servers", icon: IconServerBolt },
      { to: "/topology", key: "topology", icon: IconTopologyStar3 },
    ],
  },
  { key: "watch", items: [alerts, query, operations] },
  {
    key: "customers",
    items: [
      { to: "/tenants", also: "/invoices", key: "tenants", icon: IconBuildingCommunity },
      { to: "/costs", key: "costs", icon: IconReportMoney },
      { to: "/prices", key: "prices", icon: IconTags },
      { to: "/findings", key: "findings", icon: IconEyeExclamation },
    ],
  },
  {
    key: "installation",
    items: [
      { to: "/audit", key: "audit", icon: IconClipboardList },
      { to: "/system", key: "system", icon: IconActivity },
    ],
  },
];

export const MEMBER_NAV: readonly NavGroup[] = [
  { key: null, items: [overview, instances, alerts, query, operations] },
  {
    key: "money",
    items: [
      { to: "/billing", also: "/invoices", key: "billing", icon: IconReceipt2 },
      { to: "/packages", key: "packages", icon: IconPackage },
    ],
  },
];

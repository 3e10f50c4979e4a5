import { SimpleGrid, Stack } from "@mantine/core";
import {
  IconBell,
  IconBox,
  IconBuildingCommunity,
  IconServer2,
  IconServerBolt,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import {
  alertsQuery,
  allInstancesQuery,
  hostsQuery,
  serversQuery,
  tenantsQuery,
} from "../../api/queries";
import { Empty } from "../../components/Empty";
import { TextLink } from "../../components/links";
import { OperationsTable } from "../../components/OperationsTable";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { Problem } from "../../components/Problem";
import { QueryView } from "../../components/QueryView";
import { AlertTable } from "../alerts/AlertTable";
import { WaitingRequests } from "../quota/Panels";
import { TenantTable } from "../tenants/TenantTable";
import { CutPanel } from "./CutPanel";
import { StatCard } from "./StatCard";

const NEWEST_OPERATIONS = 8;
/** Stands for a figure that is not read yet. */
const UNREAD = "\u2026";

export function OperatorOverview() {
  const { t } = useTranslation();
  const alerts = useQuery(alertsQuery);
  const tenants = useQuery(tenantsQuery);
  const firing = alerts.data?.filter(({ state }) => state === "firing") ?? [];
  return (
    <>
      <PageHeader title={t("nav.overview")} description={t("overview.operator")} />
      <Stack gap="lg">
        <Figures firing={firing.length} />
        <Problem error={alerts.error} />
        {firing.length > 0 && (
          <Panel title={t("overview.firing")} flush>
            <AlertTable state="firing" alerts={firing} />
          </Panel>
        )}
        <CutPanel />
        <WaitingRequests />
        <Panel
          title={t("overview.tenants")}
          flush
          aside={
            <TextLink to="/tenants" size="sm">
              {t("action.all")}
            </TextLink>
          }
        >
          <QueryView query={tenants}>
            {(items) => (
              <TenantTable
                tenants={items}
                empty={
                  <Empty
                    icon={IconBuildingCommunity}
                    title={t("tenant.empty")}
                    hint={t("tenant.emptyHint")}
                  />
                }
              />
            )}
          </QueryView>
        </Panel>
        <Panel
          title={t("overview.operations")}
          flush
          aside={
            <TextLink to="/operations" size="sm">
              {t("action.all")}
            </TextLink>
          }
        >
          <OperationsTable label={t("overview.operations")} newest={NEWEST_OPERATIONS} />
        </Panel>
      </Stack>
    </>
  );
}

function Figures({ firing }: { firing: number }) {
  const { t } = useTranslation();
  const hosts = useQuery(hostsQuery).data;
  const servers = useQuery(serversQuery).data;
  const instances = useQuery(allInstancesQuery).data;
  const hostsOk = hosts?.filter(({ status }) => status === "ok").length ?? 0;
  const unknownServers = servers?.filter(({ power }) => power === "unknown").length ?? 0;
  const serversOn = servers?.filter(({ power }) => power === "on").length ?? 0;
  const running = instances?.filter(({ state }) => state === "running").length ?? 0;
  const hostsBad = hosts !== undefined && hostsOk < hosts.length;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }} spacing="md">
      <StatCard
        to="/hosts"
        icon={IconServer2}
        title={t("nav.hosts")}
        value={hosts ? t("common.ratio", { part: hostsOk, total: hosts.length }) : UNREAD}
        hint={
          hostsBad
            ? t("overview.hostsUnknown", { count: hosts.length - hostsOk })
            : t("overview.hostsOk")
        }
        color={hostsBad ? "orange" : "hawk"}
      />
      <StatCard
        to="/servers"
        icon={IconServerBolt}
        title={t("nav.servers")}
        value={servers ? t("common.ratio", { part: serversOn, total: servers.length }) : UNREAD}
        hint={
          unknownServers > 0
            ? t("overview.serversUnknown", { count: unknownServers })
            : t("overview.serversOn")
        }
        color={unknownServers > 0 ? "orange" : "hawk"}
      />
      <StatCard
        to="/instances"
        icon={IconBox}
        title={t("nav.instances")}
        value={instances ? t("common.ratio", { part: running, total: instances.length }) : UNREAD}
        hint={t("overview.instancesRunning")}
      />
      <StatCard
        to="/alerts"
        icon={IconBell}
        title={t("nav.alerts")}
        value={firing}
        hint={firing === 0 ? t("overview.noAlerts") : t("overview.alertsFiring")}
        color={firing === 0 ? "hawk" : "red"}
      />
    </SimpleGrid>
  );
}

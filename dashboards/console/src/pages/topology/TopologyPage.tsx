// The installation in one look: what stands where, and how it is. Events keep it fresh, as all pages.
import { Alert, Skeleton, Stack } from "@mantine/core";
import { IconInfoCircle, IconTopologyStar3 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { allInstancesQuery, hostsQuery, serversQuery, tenantsQuery } from "../../api/queries";
import { Empty } from "../../components/Empty";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { plan } from "./plan";
import { TopologyList } from "./TopologyList";

const Diagram = lazy(() => import("./Diagram"));

/** A removed instance keeps its row, and no place. */
const GONE = "absent";

export function TopologyPage() {
  const { t } = useTranslation();
  const hosts = useQuery(hostsQuery);
  const servers = useQuery(serversQuery);
  const instances = useQuery(allInstancesQuery);
  const tenants = useQuery(tenantsQuery);
  const { data: named } = tenants;
  const tenantName = useCallback(
    (id: string) => named?.find((tenant) => tenant.id === id)?.name ?? id.slice(0, 8),
    [named],
  );
  const parts = [hosts, servers, instances, tenants];
  const all = {
    data: useMemo(
      () =>
        hosts.data && servers.data && instances.data && named
          ? {
              hosts: hosts.data,
              servers: servers.data,
              instances: instances.data.filter(({ state }) => state !== GONE),
            }
          : undefined,
      [hosts.data, servers.data, instances.data, named],
    ),
    error: parts.find(({ error }) => error !== null)?.error,
    refetch: () => Promise.all(parts.map((part) => part.refetch())),
  };
  return (
    <>
      <PageHeader title={t("nav.topology")} description={t("topology.about")} />
      <QueryView query={all} lines={8}>
        {(data) => <Topology {...data} tenantName={tenantName} />}
      </QueryView>
    </>
  );
}

type Props = Parameters<typeof TopologyList>[0];

function Topology({ hosts, servers, instances, tenantName }: Props) {
  const { t } = useTranslation();
  const planned = useMemo(() => plan(hosts, servers, instances), [hosts, servers, instances]);
  const { hiddenHosts, hiddenServers, hiddenInstances } = planned;
  if (hosts.length + servers.length + instances.length === 0) {
    return (
      <Panel>
        <Empty
          icon={IconTopologyStar3}
          title={t("topology.empty")}
          hint={t("topology.emptyHint")}
        />
      </Panel>
    );
  }
  return (
    <Stack gap="lg">
      <Panel title={t("topology.diagram")} flush>
        {hiddenHosts + hiddenServers + hiddenInstances > 0 && (
          <Alert color="blue" radius={0} py="xs" icon={<IconInfoCircle size={18} />}>
            {t("topology.bound", {
              hosts: hiddenHosts,
              servers: hiddenServers,
              instances: hiddenInstances,
            })}
          </Alert>
        )}
        <Suspense fallback={<Skeleton height={360} radius={0} />}>
          <Diagram plan={planned} tenantName={tenantName} />
        </Suspense>
      </Panel>
      <TopologyList {...{ hosts, servers, instances, tenantName }} />
    </Stack>
  );
}

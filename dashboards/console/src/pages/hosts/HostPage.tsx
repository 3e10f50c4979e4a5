import { Button, SimpleGrid, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { usePatchHost } from "../../api/actions";
import { ApiError } from "../../api/problem";
import { quote } from "../../api/prometheus";
import { hostQuery } from "../../api/queries";
import type { Host } from "../../api/types";
import { Copyable } from "../../components/Copyable";
import { Facts } from "../../components/Facts";
import { MetricChart } from "../../components/MetricChart";
import { notifyProblem } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { Problem } from "../../components/Problem";
import { QueryView } from "../../components/QueryView";
import { StatusBadge } from "../../components/StatusBadge";
import { Nothing, When } from "../../components/When";
import { formatBytes, formatNumber, formatPercent } from "../../format/quantity";
import { Hypervisor, Taken, TakenMemory } from "./HostsPage";

export function HostPage() {
  const { id } = useParams({ from: "/app/hosts/$id" });
  const query = useQuery(hostQuery(id));
  return <QueryView query={query}>{(host) => <Details host={host} />}</QueryView>;
}

function Details({ host }: { host: Host }) {
  const { t } = useTranslation();
  const patch = usePatchHost(host.id);
  const next = host.state === "enabled" ? "disabled" : "enabled";
  const problem =
    host.status === "unknown" &&
    new ApiError("unavailable", null, host.reason ?? t("host.noReport"), host.remedy ?? null);
  return (
    <>
      <PageHeader
        title={host.name}
        badge={
          <>
            <StatusBadge kind="host" value={host.status} size="lg" />
            <StatusBadge kind="host_state" value={host.state} size="lg" />
          </>
        }
        back={{ label: t("nav.hosts"), render: (props) => <Link to="/hosts" {...props} /> }}
        actions={
          <Button
            variant="default"
            loading={patch.isPending}
            onClick={() => patch.mutate({ state: next }, { onError: notifyProblem })}
          >
            {t(`host.set.${next}`)}
          </Button>
        }
      />
      <Stack gap="lg">
        {problem && <Problem error={problem} />}
        <Panel title={t("field.details")}>
          <HostFacts host={host} />
        </Panel>
        <HostCharts host={host} />
      </Stack>
    </>
  );
}

function HostFacts({ host }: { host: Host }) {
  const { t, i18n } = useTranslation();
  const { cpus, cpu_ratio_pct, vcpus_placed, disk_gib } = host;
  return (
    <Facts
      facts={[
        [
          t("host.vcpus"),
          <Taken used={vcpus_placed} of={Math.floor((cpus * cpu_ratio_pct) / 100)} show={String} />,
        ],
        [t("host.memory"), <TakenMemory host={host} />],
        [t("host.disk"), `${formatNumber(disk_gib, i18n.language)} GiB`],
        [t("host.cpus"), formatNumber(cpus, i18n.language)],
        [t("host.hypervisor"), <Hypervisor host={host} />],
        [t("host.libvirt"), host.libvirt_version ?? <Nothing />],
        [t("host.agent"), host.agent_version ?? <Nothing />],
        [t("host.lastReport"), <When at={host.last_report_at} />],
        [t("field.id"), <Copyable value={host.id} label={t("field.id")} />],
      ]}
    />
  );
}

function HostCharts({ host }: { host: Host }) {
  const { t, i18n } = useTranslation();
  const of = `host_id=${quote(host.id)}`;
  const name = () => host.name;
  const percent = (value: number) => formatPercent(value, i18n.language);
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
      <MetricChart
        title={t("host.chart.cpu")}
        query={`1 - avg(rate(node_cpu_seconds_total{mode="idle",${of}}[1m]))`}
        name={name}
        floor={0.05}
        format={percent}
      />
      <MetricChart
        title={t("host.chart.memory")}
        query={`node_memory_MemTotal_bytes{${of}} - node_memory_MemAvailable_bytes{${of}}`}
        name={name}
        bytes
        format={(value) => formatBytes(value, i18n.language)}
      />
    </SimpleGrid>
  );
}

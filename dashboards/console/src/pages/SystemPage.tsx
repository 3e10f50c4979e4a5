// The program itself: what it is, and the loops that make it so.
import { Code, Stack, Text } from "@mantine/core";
import { IconActivity } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { reconcilersQuery, systemInfoQuery } from "../api/queries";
import type { Reconciler, SystemInfo } from "../api/types";
import { DataTable, type Column } from "../components/DataTable";
import { Empty } from "../components/Empty";
import { Facts } from "../components/Facts";
import { PageHeader } from "../components/PageHeader";
import { Panel } from "../components/Panel";
import { QueryView } from "../components/QueryView";
import { StatusBadge } from "../components/StatusBadge";
import { Duration, Nothing, When } from "../components/When";
import { formatNumber } from "../format/quantity";

export function SystemPage() {
  const { t } = useTranslation();
  const info = useQuery(systemInfoQuery);
  const reconcilers = useQuery(reconcilersQuery);
  const columns = useReconcilerColumns();
  return (
    <>
      <PageHeader title={t("nav.system")} description={t("system.about")} />
      <Stack gap="lg">
        <Panel title={t("system.installation")}>
          <QueryView query={info}>{(data) => <Installation info={data} />}</QueryView>
        </Panel>
        <Panel title={t("system.reconcilers")} flush>
          <QueryView query={reconcilers} lines={6}>
            {(items) => (
              <DataTable
                label={t("system.reconcilers")}
                columns={columns}
                rows={items}
                rowId={({ name }) => name}
                empty={<Empty icon={IconActivity} title={t("system.noReconcilers")} />}
              />
            )}
          </QueryView>
        </Panel>
      </Stack>
    </>
  );
}

function Installation({ info }: { info: SystemInfo }) {
  const { t } = useTranslation();
  return (
    <Facts
      facts={[
        [t("system.version"), info.version],
        [t("system.started"), <When at={info.started_at} />],
        [t("system.database"), info.database],
        [t("system.dataDir"), <Code>{info.data_dir}</Code>],
        [t("system.listen"), <Code>{info.listen}</Code>],
        [t("system.publicUrl"), <Code>{info.public_url}</Code>],
      ]}
    />
  );
}

export function stateOf({ running, runs, last_error }: Reconciler) {
  if (last_error) return "failing";
  if (running) return "running";
  return runs === 0 ? "waiting" : "ok";
}

function useReconcilerColumns(): Column<Reconciler>[] {
  const { t, i18n } = useTranslation();
  return [
    {
      id: "name",
      header: t("field.name"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: ({ name, description }) => (
        <div>
          <Text size="sm" fw={600}>
            {name}
          </Text>
          <Text size="xs" c="dimmed" maw={320}>
            {description}
          </Text>
        </div>
      ),
    },
    {
      id: "state",
      header: t("field.state"),
      sort: stateOf,
      cell: (reconciler) => (
        <Stack gap={2} align="flex-start">
          <StatusBadge kind="reconciler" value={stateOf(reconciler)} />
          {reconciler.last_error && (
            <Text size="xs" c="var(--mantine-color-error)" maw={320}>
              {reconciler.last_error}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      id: "runs",
      header: t("system.runs"),
      align: "right",
      sort: ({ runs }) => runs,
      cell: ({ runs, failures }) => (
        <Text size="sm" style={{ whiteSpace: "nowrap" }}>
          {t("system.runsOf", {
            runs: formatNumber(runs, i18n.language),
            failures: formatNumber(failures, i18n.language),
          })}
        </Text>
      ),
    },
    {
      id: "last",
      header: t("system.lastRun"),
      cell: ({ last_finished_at }) => <When at={last_finished_at} />,
    },
    {
      id: "duration",
      header: t("operations.column.duration"),
      align: "right",
      sort: ({ last_duration_ms }) => last_duration_ms ?? 0,
      cell: ({ last_duration_ms }) => <Duration ms={last_duration_ms} />,
    },
    {
      id: "next",
      header: t("system.nextRun"),
      cell: ({ next_run_at }) => <When at={next_run_at} />,
    },
    {
      id: "status",
      header: t("system.lastStatus"),
      cell: ({ last_status }) => {
        const text = JSON.stringify(last_status);
        if (text === "null" || text === "{}") return <Nothing />;
        return <Code style={{ overflowWrap: "anywhere" }}>{text}</Code>;
      },
    },
  ];
}

import { Badge, Group, Stack, Text } from "@mantine/core";
import { IconBellCheck } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Alert } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { TextLink } from "../../components/links";
import { StatusBadge } from "../../components/StatusBadge";
import { Nothing, When } from "../../components/When";
import { formatNumber } from "../../format/quantity";

interface Props {
  state: Alert["state"];
  alerts: readonly Alert[];
}

export function AlertTable({ state, alerts }: Props) {
  const { t, i18n } = useTranslation();
  const columns: Column<Alert>[] = [
    {
      id: "name",
      header: t("alert.name"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: (alert) => <AlertName alert={alert} />,
    },
    {
      id: "state",
      header: t("field.state"),
      cell: (alert) => <StatusBadge kind="alert" value={alert.state} />,
    },
    { id: "labels", header: t("alert.labels"), cell: (alert) => <Labels labels={alert.labels} /> },
    {
      id: "value",
      header: t("alert.value"),
      align: "right",
      sort: ({ value }) => value ?? 0,
      cell: ({ value }) =>
        value === null || value === undefined ? <Nothing /> : formatNumber(value, i18n.language, 4),
    },
    {
      id: "since",
      header: t(`alert.since.${state}`),
      sort: (alert) => sinceOf(alert) ?? "",
      cell: (alert) => <When at={sinceOf(alert)} />,
    },
  ];
  return (
    <DataTable
      label={t("alert.list", { state: t(`status.alert.${state}`) })}
      columns={columns}
      rows={alerts}
      rowId={({ id }) => id}
      empty={
        <Empty
          icon={IconBellCheck}
          title={t(`alert.empty.${state}`)}
          hint={t(`alert.emptyHint.${state}`)}
        />
      }
    />
  );
}

function sinceOf({ state, active_at, fired_at, resolved_at }: Alert) {
  if (state === "firing") return fired_at ?? active_at;
  return state === "resolved" ? resolved_at : active_at;
}

function AlertName({ alert: { name, annotations, labels } }: { alert: Alert }) {
  const said = annotations.summary ?? annotations.description;
  const instance = labels.instance_id;
  return (
    <Stack gap={2}>
      <Text size="sm" fw={600}>
        {instance ? (
          <TextLink to="/instances/$id" params={{ id: instance }}>
            {name}
          </TextLink>
        ) : (
          name
        )}
      </Text>
      {said && (
        <Text size="xs" c="dimmed" maw={420}>
          {said}
        </Text>
      )}
    </Stack>
  );
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function Labels({ labels }: { labels: Record<string, string> }) {
  const shown = Object.entries(labels).filter(([name]) => name !== "alertname");
  return (
    <Group gap={4} maw={440}>
      {shown.map(([name, value]) => (
        <Badge
          key={name}
          color="gray"
          size="sm"
          title={`${name}=${value}`}
          styles={{
            label: { overflowWrap: "anywhere", whiteSpace: "normal" },
            root: { height: "auto" },
          }}
        >
          {name}={UUID.test(value) ? `${value.slice(0, 8)}\u2026` : value}
        </Badge>
      ))}
    </Group>
  );
}

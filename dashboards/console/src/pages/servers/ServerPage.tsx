import { Button, Stack, Text } from "@mantine/core";
import { IconPower, IconTemperature } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useServerPower } from "../../api/actions";
import { ApiError } from "../../api/problem";
import { serverQuery } from "../../api/queries";
import type { Sensor, Server } from "../../api/types";
import { Copyable } from "../../components/Copyable";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Facts } from "../../components/Facts";
import { notifyDone, notifyProblem } from "../../components/notify";
import { OperationsTable } from "../../components/OperationsTable";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { Problem } from "../../components/Problem";
import { QueryView } from "../../components/QueryView";
import { StatusBadge } from "../../components/StatusBadge";
import { useConfirm } from "../../components/useConfirm";
import { Nothing, When } from "../../components/When";
import { formatNumber } from "../../format/quantity";
import { manufacturerOf } from "./sensors";

export function ServerPage() {
  const { id } = useParams({ from: "/app/servers/$id" });
  const query = useQuery(serverQuery(id));
  return <QueryView query={query}>{(server) => <Details server={server} />}</QueryView>;
}

function Details({ server }: { server: Server }) {
  const { t } = useTranslation();
  const { name, power, wanted_power } = server;
  const problem =
    server.reason && new ApiError("unavailable", null, server.reason, server.remedy ?? null);
  return (
    <>
      <PageHeader
        title={name}
        badge={
          <>
            <StatusBadge kind="power" value={power} size="lg" />
            {wanted_power && wanted_power !== power && (
              <Text size="sm" c="dimmed">
                {t(`server.going.${wanted_power}`)}
              </Text>
            )}
          </>
        }
        back={{ label: t("nav.servers"), render: (props) => <Link to="/servers" {...props} /> }}
        actions={<PowerButtons server={server} />}
      />
      <Stack gap="lg">
        {problem && <Problem error={problem} />}
        <Panel title={t("field.details")}>
          <ServerFacts server={server} />
        </Panel>
        <Panel
          title={t("server.sensors")}
          flush
          aside={
            <Text size="xs" c="dimmed">
              <When at={server.sensors_at} />
            </Text>
          }
        >
          <Sensors sensors={server.sensors} />
        </Panel>
        <Panel title={t("nav.operations")} flush>
          <OperationsTable label={t("operations.of", { name })} targetId={server.id} />
        </Panel>
      </Stack>
    </>
  );
}

/** Both stay usable whatever the power seems to be: what is seen can be old. */
function PowerButtons({ server: { id, name, power } }: { server: Server }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const set = useServerPower(id);
  const send = (action: "on" | "off") =>
    set.mutate(action, {
      onSuccess: () => notifyDone(t(`server.done.${action}`, { name })),
      onError: notifyProblem,
    });
  return (
    <>
      <Button
        variant={power === "on" ? "default" : "filled"}
        leftSection={<IconPower size={16} aria-hidden />}
        loading={set.isPending && set.variables === "on"}
        onClick={() => send("on")}
      >
        {t("server.powerOn")}
      </Button>
      <Button
        variant="light"
        color="red"
        leftSection={<IconPower size={16} aria-hidden />}
        loading={set.isPending && set.variables === "off"}
        onClick={() =>
          confirm({
            title: t("server.confirmOff.title", { name }),
            consequence: t("server.confirmOff.consequence"),
            confirm: t("server.powerOff"),
            danger: true,
            onConfirm: () => send("off"),
          })
        }
      >
        {t("server.powerOff")}
      </Button>
    </>
  );
}

function ServerFacts({ server: { device, ...server } }: { server: Server }) {
  const { t } = useTranslation();
  return (
    <Facts
      facts={[
        [t("server.manufacturer"), manufacturerOf(device) ?? <Nothing />],
        [t("server.product"), device?.product_id ?? <Nothing />],
        [t("server.firmware"), device?.firmware ?? <Nothing />],
        [t("server.bmc"), <Copyable value={server.bmc_address} label={t("server.bmc")} />],
        [t("server.create.user"), server.bmc_user],
        [t("server.ipmi"), device?.ipmi_version ?? <Nothing />],
        [t("server.cipherSuite"), device?.cipher_suite ?? <Nothing />],
        [t("server.observed"), <When at={server.observed_at} />],
        [t("field.id"), <Copyable value={server.id} label={t("field.id")} />],
      ]}
    />
  );
}

function Sensors({ sensors }: { sensors: Sensor[] }) {
  const { t, i18n } = useTranslation();
  const columns: Column<Sensor>[] = [
    {
      id: "name",
      header: t("field.name"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: ({ name }) => name,
    },
    {
      id: "type",
      header: t("server.sensorType"),
      sort: ({ type }) => type,
      cell: ({ type }) => type,
    },
    {
      id: "value",
      header: t("server.reading"),
      align: "right",
      cell: ({ value, unit }) =>
        value === null || value === undefined ? (
          <Nothing />
        ) : (
          <Text span size="sm" fw={600} className="figures">
            {formatNumber(value, i18n.language, 3)}{" "}
            <Text span c="dimmed" fw={400}>
              {unit === "C" ? "°C" : unit}
            </Text>
          </Text>
        ),
    },
    {
      id: "state",
      header: t("field.state"),
      sort: ({ state }) => state,
      cell: ({ state }) => <StatusBadge kind="sensor" value={state} />,
    },
  ];
  return (
    <DataTable
      label={t("server.sensors")}
      columns={columns}
      rows={sensors}
      rowId={({ id }) => String(id)}
      empty={
        <Empty
          icon={IconTemperature}
          title={t("server.noSensors")}
          hint={t("server.noSensorsHint")}
        />
      }
    />
  );
}

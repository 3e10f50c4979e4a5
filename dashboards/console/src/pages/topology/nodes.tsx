// The boxes of the picture. Their links are for pointers: the list below has the same for keys.
import { Box, Group, Text } from "@mantine/core";
import { IconServer2, IconServerBolt } from "@tabler/icons-react";
import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Host, Instance, Server } from "../../api/types";
import { HawkMark } from "../../components/HawkMark";
import { TextLink } from "../../components/links";
import { StatusBadge } from "../../components/StatusBadge";
import type { Place } from "./plan";

export type RootNode = Node<Record<string, never>, "root">;
export type BoxNode = Node<{ place: Place; hidden: number }, "box">;
export type InstanceNode = Node<{ instance: Instance; tenant: string }, "instance">;
export type ServerNode = Node<{ server: Server }, "server">;
export type AnyNode = RootNode | BoxNode | InstanceNode | ServerNode;

const name = {
  size: "sm",
  fw: 600,
  truncate: true,
  tabIndex: -1,
  display: "block",
  // A box that can't be moved takes no clicks; its link does.
  style: { pointerEvents: "all" },
} as const;

function Port({ type }: { type: "source" | "target" }) {
  const position = type === "source" ? Position.Bottom : Position.Top;
  return <Handle type={type} position={position} isConnectable={false} />;
}

function Root() {
  const { t } = useTranslation();
  return (
    <Group className="topo-node" gap={8} justify="center" wrap="nowrap" h="100%" px="sm">
      <HawkMark size={24} />
      <Text fw={700} size="sm">
        {t("brand.name")}
      </Text>
      <Port type="source" />
    </Group>
  );
}

function PlaceBox({ data: { place, hidden } }: NodeProps<BoxNode>) {
  const { t } = useTranslation();
  const state = place.kind === "host" ? place.host.status : "none";
  return (
    <Box className="topo-node topo-box" data-state={state} h="100%" px="sm" py={8}>
      {place.kind !== "unplaced" && <Port type="target" />}
      {place.kind === "host" && <HostHead host={place.host} />}
      {place.kind === "servers" && (
        <Head
          icon={<IconServerBolt size={17} stroke={1.6} aria-hidden />}
          title={t("nav.servers")}
          hint={t("topology.servers")}
        />
      )}
      {place.kind === "unplaced" && (
        <Head title={t("topology.unplaced")} hint={t("topology.unplacedHint")} />
      )}
      {hidden > 0 && (
        <Text size="xs" c="dimmed" pos="absolute" bottom={8} left={12}>
          {t("topology.moreHere", { count: hidden })}
        </Text>
      )}
    </Box>
  );
}

function HostHead({ host }: { host: Host }) {
  const { t } = useTranslation();
  const placed = t("topology.vcpus", { placed: host.vcpus_placed, cpus: host.cpus });
  const disabled = host.state === "disabled" ? [t("status.host_state.disabled")] : [];
  return (
    <Head
      icon={<IconServer2 size={17} stroke={1.6} aria-hidden />}
      title={
        <TextLink to="/hosts/$id" params={{ id: host.id }} {...name}>
          {host.name}
        </TextLink>
      }
      badge={<StatusBadge kind="host" value={host.status} size="sm" />}
      hint={[...disabled, placed].join(" \u00b7 ")}
    />
  );
}

interface HeadProps {
  icon?: ReactNode;
  title: ReactNode;
  badge?: ReactNode;
  hint: string;
}

function Head({ icon, title, badge, hint }: HeadProps) {
  return (
    <>
      <Group justify="space-between" wrap="nowrap" gap={6}>
        <Group gap={6} wrap="nowrap" miw={0}>
          {icon}
          <Box miw={0} fz="sm" fw={600}>
            {title}
          </Box>
        </Group>
        {badge}
      </Group>
      <Text size="xs" c="dimmed" truncate>
        {hint}
      </Text>
    </>
  );
}

interface ItemProps {
  state: string;
  title: ReactNode;
  hint: string;
  badge: ReactNode;
}

function Item({ state, title, hint, badge }: ItemProps) {
  return (
    <Group
      className="topo-node topo-item"
      data-state={state}
      justify="space-between"
      wrap="nowrap"
      gap={6}
      h="100%"
      px={10}
    >
      <Box miw={0} lh={1.3}>
        {title}
        <Text size="xs" c="dimmed" truncate lh={1.3}>
          {hint}
        </Text>
      </Box>
      {badge}
    </Group>
  );
}

function InstanceItem({ data: { instance, tenant } }: NodeProps<InstanceNode>) {
  const { id, state } = instance;
  return (
    <Item
      state={state}
      title={
        <TextLink to="/instances/$id" params={{ id }} {...name} lh={1.3}>
          {instance.name}
        </TextLink>
      }
      hint={tenant}
      badge={<StatusBadge kind="instance" value={state} size="sm" />}
    />
  );
}

function ServerItem({ data: { server } }: NodeProps<ServerNode>) {
  const { id, power } = server;
  return (
    <Item
      state={power}
      title={
        <TextLink to="/servers/$id" params={{ id }} {...name} lh={1.3}>
          {server.name}
        </TextLink>
      }
      hint={server.bmc_address}
      badge={<StatusBadge kind="power" value={power} size="sm" />}
    />
  );
}

export const nodeTypes = {
  root: Root,
  box: PlaceBox,
  instance: InstanceItem,
  server: ServerItem,
};

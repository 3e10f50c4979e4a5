// The same as the picture, whole and in words: for keyboards, screen readers and narrow windows.
import { Box, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useId, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Host, Instance, Server } from "../../api/types";
import { TextLink } from "../../components/links";
import { Panel } from "../../components/Panel";
import { StatusBadge } from "../../components/StatusBadge";
import { byHost } from "./plan";

interface Props {
  hosts: readonly Host[];
  servers: readonly Server[];
  instances: readonly Instance[];
  tenantName: (id: string) => string;
}

export function TopologyList({ hosts, servers, instances, tenantName }: Props) {
  const { t } = useTranslation();
  const groups = byHost(instances);
  const unplaced = groups.get(null) ?? [];
  const list = (of: readonly Instance[]) => <Instances instances={of} tenantName={tenantName} />;
  return (
    <Panel title={t("topology.list")}>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="xl">
        {hosts.map((host) => (
          <Part
            key={host.id}
            head={
              <>
                <TextLink to="/hosts/$id" params={{ id: host.id }} fz="inherit" fw="inherit">
                  {host.name}
                </TextLink>
                <StatusBadge kind="host" value={host.status} hint={host.reason} size="sm" />
              </>
            }
          >
            {list(groups.get(host.id) ?? [])}
          </Part>
        ))}
        {unplaced.length > 0 && <Part head={t("topology.unplaced")}>{list(unplaced)}</Part>}
        {servers.length > 0 && (
          <Part head={t("nav.servers")}>
            <Stack component="ul" gap={6} p={0} m={0} style={{ listStyle: "none" }}>
              {servers.map((server) => (
                <Line
                  key={server.id}
                  badge={
                    <StatusBadge kind="power" value={server.power} hint={server.reason} size="sm" />
                  }
                >
                  <TextLink to="/servers/$id" params={{ id: server.id }} size="sm">
                    {server.name}
                  </TextLink>
                </Line>
              ))}
            </Stack>
          </Part>
        )}
      </SimpleGrid>
    </Panel>
  );
}

function Part({ head, children }: { head: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    <Box component="section" aria-labelledby={id} miw={0}>
      <Title order={3} size="h6" id={id} mb="xs">
        <Group gap="xs" component="span">
          {head}
        </Group>
      </Title>
      {children}
    </Box>
  );
}

function Instances({ instances, tenantName }: Pick<Props, "instances" | "tenantName">) {
  const { t } = useTranslation();
  if (instances.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t("topology.noInstances")}
      </Text>
    );
  }
  return (
    <Stack component="ul" gap={6} p={0} m={0} style={{ listStyle: "none" }}>
      {instances.map((instance) => (
        <Line
          key={instance.id}
          badge={
            <StatusBadge kind="instance" value={instance.state} hint={instance.error} size="sm" />
          }
        >
          <TextLink to="/instances/$id" params={{ id: instance.id }} size="sm">
            {instance.name}
          </TextLink>
          <Text size="xs" c="dimmed">
            {tenantName(instance.tenant_id)}
          </Text>
        </Line>
      ))}
    </Stack>
  );
}

function Line({ badge, children }: { badge: ReactNode; children: ReactNode }) {
  return (
    <Group component="li" justify="space-between" wrap="nowrap" gap="sm">
      <Box miw={0} style={{ overflowWrap: "anywhere" }}>
        {children}
      </Box>
      {badge}
    </Group>
  );
}

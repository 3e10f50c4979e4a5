import { Button, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconBox, IconPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { instancesQuery } from "../../api/queries";
import type { Instance } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { TextLink } from "../../components/links";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { useFlavorName, useTenantName } from "../../components/useNames";
import { Nothing, When } from "../../components/When";
import { useMe } from "../../shell/me";
import { CreateInstanceDialog } from "./CreateInstance";
import { InstanceRowActions } from "./InstanceActions";
import { InstanceStatus } from "./InstanceStatus";

export function InstancesPage() {
  const { t } = useTranslation();
  const [creating, { open, close }] = useDisclosure();
  const query = useInfiniteQuery(instancesQuery);
  const columns = useInstanceColumns();
  const create = (
    <Button leftSection={<IconPlus size={17} aria-hidden />} onClick={open}>
      {t("instance.create.open")}
    </Button>
  );
  return (
    <>
      <PageHeader title={t("nav.instances")} description={t("instance.about")} actions={create} />
      <Panel flush>
        <QueryView query={query} lines={6}>
          {({ pages }) => (
            <DataTable
              label={t("nav.instances")}
              columns={columns}
              rows={pages.flatMap((page) => page.items)}
              rowId={(instance) => instance.id}
              more={{
                hasMore: query.hasNextPage,
                loading: query.isFetchingNextPage,
                load: () => void query.fetchNextPage(),
              }}
              empty={
                <Empty icon={IconBox} title={t("instance.empty")} hint={t("instance.emptyHint")} />
              }
            />
          )}
        </QueryView>
      </Panel>
      <CreateInstanceDialog opened={creating} onClose={close} />
    </>
  );
}

function useInstanceColumns(): Column<Instance>[] {
  const { t } = useTranslation();
  const { isOperator } = useMe();
  const flavorName = useFlavorName();
  const tenantName = useTenantName();
  const columns: Column<Instance>[] = [
    {
      id: "name",
      header: t("field.name"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: ({ id, name }) => (
        <TextLink to="/instances/$id" params={{ id }} fw={600} size="sm">
          {name}
        </TextLink>
      ),
    },
    {
      id: "state",
      header: t("field.state"),
      sort: ({ state }) => state,
      cell: (instance) => <InstanceStatus instance={instance} />,
    },
    {
      id: "tenant",
      header: t("field.tenant"),
      sort: ({ tenant_id }) => tenantName(tenant_id),
      cell: ({ tenant_id }) => (
        <TextLink to="/tenants/$id" params={{ id: tenant_id }} size="sm" c="inherit">
          {tenantName(tenant_id)}
        </TextLink>
      ),
    },
    {
      id: "flavor",
      header: t("field.flavor"),
      sort: ({ flavor_id }) => flavorName(flavor_id),
      cell: ({ flavor_id }) => flavorName(flavor_id),
    },
    {
      id: "addresses",
      header: t("field.addresses"),
      cell: ({ addresses }) =>
        addresses.length === 0 ? (
          <Nothing />
        ) : (
          <Text size="sm" ff="monospace">
            {addresses.join(", ")}
          </Text>
        ),
    },
    {
      id: "created",
      header: t("field.created"),
      sort: ({ created_at }) => created_at,
      cell: ({ created_at }) => <When at={created_at} />,
    },
    {
      id: "actions",
      header: t("field.actions"),
      isActions: true,
      cell: (instance) => <InstanceRowActions instance={instance} />,
    },
  ];
  return isOperator ? columns : columns.filter(({ id }) => id !== "tenant");
}

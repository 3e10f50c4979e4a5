import { SimpleGrid, Stack } from "@mantine/core";
import { IconBox } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { alertsQuery, allInstancesQuery } from "../../api/queries";
import type { Instance } from "../../api/types";
import { BalanceCard } from "../../components/BalanceCard";
import { DataTable } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { ButtonLink, TextLink } from "../../components/links";
import { OperationsTable } from "../../components/OperationsTable";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { When } from "../../components/When";
import { useMe } from "../../shell/me";
import { AlertTable } from "../alerts/AlertTable";
import { InstanceStatus } from "../instances/InstanceStatus";
import { OwnQuotaPanel, TenantRequests } from "../quota/Panels";

const NEWEST_OPERATIONS = 8;
const NEWEST_INSTANCES = 6;

export function MemberOverview({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation();
  const me = useMe();
  const instances = useQuery(allInstancesQuery);
  const firing = useQuery(alertsQuery).data?.filter(({ state }) => state === "firing") ?? [];
  return (
    <>
      <PageHeader
        title={t("nav.overview")}
        description={t("overview.member", { tenant: me.tenant_name ?? "" })}
      />
      <Stack gap="lg">
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
          <BalanceCard
            tenantId={tenantId}
            aside={
              <TextLink to="/billing" size="sm">
                {t("bill.title")}
              </TextLink>
            }
          />
          <OwnQuotaPanel tenantId={tenantId} />
        </SimpleGrid>
        <TenantRequests tenantId={tenantId} />
        {firing.length > 0 && (
          <Panel title={t("overview.firing")} flush>
            <AlertTable state="firing" alerts={firing} />
          </Panel>
        )}
        <Panel
          title={t("nav.instances")}
          flush
          aside={
            <TextLink to="/instances" size="sm">
              {t("action.all")}
            </TextLink>
          }
        >
          <QueryView query={instances}>{(items) => <Instances instances={items} />}</QueryView>
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

function Instances({ instances }: { instances: Instance[] }) {
  const { t } = useTranslation();
  return (
    <DataTable
      label={t("nav.instances")}
      rows={instances.slice(0, NEWEST_INSTANCES)}
      rowId={({ id }) => id}
      columns={[
        {
          id: "name",
          header: t("field.name"),
          isTitle: true,
          cell: ({ id, name }) => (
            <TextLink to="/instances/$id" params={{ id }} fw={600} size="sm">
              {name}
            </TextLink>
          ),
        },
        {
          id: "state",
          header: t("field.state"),
          cell: (instance) => <InstanceStatus instance={instance} />,
        },
        {
          id: "created",
          header: t("field.created"),
          cell: ({ created_at }) => <When at={created_at} />,
        },
      ]}
      empty={
        <Empty
          icon={IconBox}
          title={t("instance.empty")}
          hint={t("instance.emptyHint")}
          action={
            <ButtonLink to="/instances" mt="xs">
              {t("instance.create.open")}
            </ButtonLink>
          }
        />
      }
    />
  );
}

import { Code, Text } from "@mantine/core";
import { IconClipboardList } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { auditQuery } from "../api/queries";
import type { AuditEntry } from "../api/types";
import { DataTable, type Column } from "../components/DataTable";
import { Empty } from "../components/Empty";
import { PageHeader } from "../components/PageHeader";
import { Panel } from "../components/Panel";
import { QueryView } from "../components/QueryView";
import { useTenantName } from "../components/useNames";
import { Nothing, When } from "../components/When";

export function AuditPage() {
  const { t } = useTranslation();
  const query = useInfiniteQuery(auditQuery);
  const columns = useAuditColumns();
  return (
    <>
      <PageHeader title={t("nav.audit")} description={t("audit.about")} />
      <Panel flush>
        <QueryView query={query} lines={8}>
          {({ pages }) => (
            <DataTable
              label={t("nav.audit")}
              columns={columns}
              rows={pages.flatMap((page) => page.items)}
              rowId={({ id }) => id}
              more={{
                hasMore: query.hasNextPage,
                loading: query.isFetchingNextPage,
                load: () => void query.fetchNextPage(),
              }}
              empty={<Empty icon={IconClipboardList} title={t("audit.empty")} />}
            />
          )}
        </QueryView>
      </Panel>
    </>
  );
}

function useAuditColumns(): Column<AuditEntry>[] {
  const { t } = useTranslation();
  const tenantName = useTenantName();
  return [
    { id: "at", header: t("audit.at"), cell: ({ at }) => <When at={at} /> },
    { id: "actor", header: t("audit.actor"), cell: ({ actor }) => actor.name },
    {
      id: "action",
      header: t("audit.action"),
      isTitle: true,
      cell: ({ action }) => (
        <Text size="sm" ff="monospace">
          {action}
        </Text>
      ),
    },
    {
      id: "target",
      header: t("audit.target"),
      cell: ({ target_kind, target_id }) => (
        <Text size="sm" title={target_id}>
          {target_kind} {target_id.slice(0, 8)}
        </Text>
      ),
    },
    {
      id: "tenant",
      header: t("field.tenant"),
      cell: ({ tenant_id }) => (tenant_id ? tenantName(tenant_id) : <Nothing />),
    },
    {
      id: "detail",
      header: t("audit.detail"),
      cell: ({ detail }) => {
        const text = JSON.stringify(detail);
        if (text === "{}" || text === "null") return <Nothing />;
        return <Code style={{ overflowWrap: "anywhere" }}>{text}</Code>;
      },
    },
  ];
}

// What a shortage of money stops next, for operators.
import { Alert, Text } from "@mantine/core";
import { IconHandStop } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { cutsQuery } from "../../api/queries";
import type { Cut } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { TextLink } from "../../components/links";
import { Panel } from "../../components/Panel";
import { Problem } from "../../components/Problem";
import { StatusBadge } from "../../components/StatusBadge";
import { When } from "../../components/When";

/** Nothing where nothing stops within a day. */
export function CutPanel() {
  const { t } = useTranslation();
  const columns = useColumns();
  const { data, error } = useQuery(cutsQuery);
  if (error) return <Problem error={error} />;
  if (!data) return null;
  const { cuts, guard } = data;
  return (
    <>
      {guard.paused && (
        <Alert color="red" role="alert" icon={<IconHandStop size={20} />} title={t("cut.paused")}>
          {guard.reason}. {t("cut.resume")}
        </Alert>
      )}
      {cuts.length > 0 && (
        <Panel title={t("cut.title")} flush>
          <DataTable
            label={t("cut.title")}
            columns={columns}
            rows={cuts}
            rowId={({ tenant_id, next }) => `${tenant_id} ${next}`}
            empty={null}
          />
        </Panel>
      )}
    </>
  );
}

function useColumns(): Column<Cut>[] {
  const { t } = useTranslation();
  return [
    {
      id: "tenant",
      header: t("field.tenant"),
      isTitle: true,
      cell: ({ tenant_id, tenant }) => (
        <TextLink to="/tenants/$id" params={{ id: tenant_id }} fw={600} size="sm">
          {tenant}
        </TextLink>
      ),
    },
    { id: "at", header: t("cut.at"), cell: ({ at }) => <When at={at} /> },
    {
      id: "next",
      header: t("cut.next"),
      cell: ({ next }) => <StatusBadge kind="standing" value={next} />,
    },
    {
      id: "balance",
      header: t("cut.balance"),
      align: "right",
      cell: ({ balance, currency }) => <Amount value={balance} currency={currency} size="sm" />,
    },
    {
      id: "instances",
      header: t("cut.instances"),
      cell: ({ instances }) => (
        <Text size="sm">{instances.map(({ name }) => name).join(", ")}</Text>
      ),
    },
  ];
}

import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Tenant } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { TextLink } from "../../components/links";
import { StatusBadge } from "../../components/StatusBadge";
import { When } from "../../components/When";

export function TenantTable({ tenants, empty }: { tenants: readonly Tenant[]; empty: ReactNode }) {
  const { t } = useTranslation();
  const columns: Column<Tenant>[] = [
    {
      id: "name",
      header: t("field.name"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: ({ id, name }) => (
        <TextLink to="/tenants/$id" params={{ id }} fw={600} size="sm">
          {name}
        </TextLink>
      ),
    },
    {
      id: "standing",
      header: t("tenant.standing"),
      sort: ({ standing }) => standing,
      cell: ({ standing }) => <StatusBadge kind="standing" value={standing} />,
    },
    {
      id: "balance",
      header: t("balance.title"),
      align: "right",
      // For the order only; what is shown is never a float.
      sort: ({ balance }) => Number(balance),
      cell: ({ balance, currency }) => <Amount value={balance} currency={currency} size="sm" />,
    },
    {
      id: "created",
      header: t("field.created"),
      sort: ({ created_at }) => created_at,
      cell: ({ created_at }) => <When at={created_at} />,
    },
  ];
  return (
    <DataTable
      label={t("nav.tenants")}
      columns={columns}
      rows={tenants}
      rowId={({ id }) => id}
      empty={empty}
    />
  );
}

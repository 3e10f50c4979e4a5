import { Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { tenantQuery } from "../../api/queries";
import { BalanceCard } from "../../components/BalanceCard";
import { PageHeader } from "../../components/PageHeader";
import { useMe } from "../../shell/me";
import { MoneyTabs } from "./MoneyTabs";
import type { MoneySearch } from "./period";

const changed = (change: MoneySearch) => (search: MoneySearch) => ({ ...search, ...change });

/** A member's own money. */
export function BillingPage() {
  const { t } = useTranslation();
  const { tenant_id } = useMe();
  const search = useSearch({ from: "/app/billing" });
  const navigate = useNavigate({ from: "/billing" });
  if (!tenant_id) return null;
  return (
    <>
      <PageHeader title={t("nav.billing")} description={t("bill.about")} />
      <Stack gap="lg">
        <div className="no-print">
          <BalanceCard tenantId={tenant_id} />
        </div>
        <MoneyTabs
          tenantId={tenant_id}
          search={search}
          onSearch={(change) => void navigate({ search: changed(change) })}
        />
      </Stack>
    </>
  );
}

/** Any tenant's bill, for operators. */
export function TenantBillPage() {
  const { t } = useTranslation();
  const { id } = useParams({ from: "/app/tenants/$id/bill" });
  const search = useSearch({ from: "/app/tenants/$id/bill" });
  const navigate = useNavigate({ from: "/tenants/$id/bill" });
  const tenant = useQuery(tenantQuery(id));
  const name = tenant.data?.name ?? id.slice(0, 8);
  return (
    <>
      <PageHeader
        title={t("bill.of", { name })}
        description={t("bill.about")}
        back={{
          label: name,
          render: (props) => <Link to="/tenants/$id" params={{ id }} {...props} />,
        }}
      />
      <MoneyTabs
        tenantId={id}
        search={search}
        onSearch={(change) => void navigate({ search: changed(change) })}
      />
    </>
  );
}

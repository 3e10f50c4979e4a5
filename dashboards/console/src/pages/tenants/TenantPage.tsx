import { Button, SimpleGrid, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAdjustments, IconCoins, IconPackage, IconReceipt2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { priceBooksQuery, quotaQuery, tenantQuery } from "../../api/queries";
import type { Tenant } from "../../api/types";
import { BalanceCard } from "../../components/BalanceCard";
import { Copyable } from "../../components/Copyable";
import { Facts } from "../../components/Facts";
import { Dialog } from "../../components/FormDialog";
import { ButtonLink } from "../../components/links";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { QuotaList } from "../../components/QuotaList";
import { StatusBadge } from "../../components/StatusBadge";
import { Instant, Nothing } from "../../components/When";
import { OverridesPanel } from "../prices/Overrides";
import { TenantRequests } from "../quota/Panels";
import { QuotaForm } from "./QuotaForm";
import { TopupDialog } from "./Topup";
import { TenantUsers } from "./Users";

export function TenantPage() {
  const { id } = useParams({ from: "/app/tenants/$id" });
  const query = useQuery(tenantQuery(id));
  return <QueryView query={query}>{(tenant) => <Details tenant={tenant} />}</QueryView>;
}

function Details({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation();
  const [paying, { open, close }] = useDisclosure();
  return (
    <>
      <PageHeader
        title={tenant.name}
        badge={<StatusBadge kind="standing" value={tenant.standing} size="lg" />}
        back={{ label: t("nav.tenants"), render: (props) => <Link to="/tenants" {...props} /> }}
        actions={
          <>
            <ButtonLink
              to="/tenants/$id/bill"
              params={{ id: tenant.id }}
              variant="default"
              leftSection={<IconReceipt2 size={17} aria-hidden />}
            >
              {t("bill.title")}
            </ButtonLink>
            <ButtonLink
              to="/tenants/$id/packages"
              params={{ id: tenant.id }}
              variant="default"
              leftSection={<IconPackage size={17} aria-hidden />}
            >
              {t("package.title")}
            </ButtonLink>
            <Button leftSection={<IconCoins size={17} aria-hidden />} onClick={open}>
              {t("topup.submit")}
            </Button>
          </>
        }
      />
      <Stack gap="lg">
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
          <BalanceCard tenantId={tenant.id} />
          <QuotaPanel tenantId={tenant.id} />
        </SimpleGrid>
        <TenantRequests tenantId={tenant.id} />
        <OverridesPanel tenantId={tenant.id} />
        <TenantUsers tenant={tenant} />
        <Panel title={t("field.details")}>
          <TenantFacts tenant={tenant} />
        </Panel>
      </Stack>
      <TopupDialog tenant={tenant} opened={paying} onClose={close} />
    </>
  );
}

function QuotaPanel({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation();
  const query = useQuery(quotaQuery(tenantId));
  const [editing, { open, close }] = useDisclosure();
  return (
    <Panel
      title={t("quota.title")}
      aside={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconAdjustments size={15} aria-hidden />}
          onClick={open}
        >
          {t("quota.change")}
        </Button>
      }
    >
      <QueryView query={query} lines={4}>
        {(items) => (
          <>
            <QuotaList items={items} />
            <Dialog title={t("quota.change")} opened={editing} onClose={close}>
              <QuotaForm tenantId={tenantId} items={items} onClose={close} />
            </Dialog>
          </>
        )}
      </QueryView>
    </Panel>
  );
}

function TenantFacts({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation();
  const books = useQuery(priceBooksQuery);
  const book = books.data?.find(({ id }) => id === tenant.price_book_id);
  return (
    <Facts
      facts={[
        [t("tenant.currency"), tenant.currency],
        [t("tenant.priceBook"), book?.name ?? <Nothing />],
        [t("field.created"), <Instant at={tenant.created_at} />],
        [t("field.id"), <Copyable value={tenant.id} label={t("field.id")} />],
      ]}
    />
  );
}

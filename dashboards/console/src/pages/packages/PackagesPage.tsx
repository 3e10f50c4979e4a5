// Monthly packages of a tenant: what it has, what it can order.
import { Button, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import {
  packagesQuery,
  priceBooksQuery,
  priceOverridesQuery,
  tenantQuery,
} from "../../api/queries";
import type { Tenant } from "../../api/types";
import { Dialog } from "../../components/FormDialog";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { useNow } from "../../components/useNow";
import { useMe } from "../../shell/me";
import { offersOf, type Offer } from "./offers";
import { OrderForm } from "./OrderForm";
import { PackageTable } from "./PackageTable";

const REFRESH_MS = 60_000;

/** A member's own. */
export function PackagesPage() {
  const { t } = useTranslation();
  const { tenant_id } = useMe();
  if (!tenant_id) return null;
  return (
    <>
      <PageHeader title={t("nav.packages")} description={t("package.about")} />
      <Packages tenantId={tenant_id} />
    </>
  );
}

/** Any tenant's, for operators. */
export function TenantPackagesPage() {
  const { t } = useTranslation();
  const { id } = useParams({ from: "/app/tenants/$id/packages" });
  const tenant = useQuery(tenantQuery(id));
  const name = tenant.data?.name ?? id.slice(0, 8);
  return (
    <>
      <PageHeader
        title={t("package.of", { name })}
        description={t("package.about")}
        back={{
          label: name,
          render: (props) => <Link to="/tenants/$id" params={{ id }} {...props} />,
        }}
      />
      <Packages tenantId={id} />
    </>
  );
}

function Packages({ tenantId }: { tenantId: string }) {
  const tenant = useQuery(tenantQuery(tenantId));
  return <QueryView query={tenant}>{(found) => <PackagePanel tenant={found} />}</QueryView>;
}

/** Undefined until the prices are read. */
function useOffers({ id, price_book_id }: Tenant): Offer[] | undefined {
  const books = useQuery(priceBooksQuery);
  const overrides = useQuery(priceOverridesQuery(id));
  const now = useNow(REFRESH_MS);
  if (!books.data || !overrides.data) return undefined;
  const book = books.data.find((known) => known.id === price_book_id);
  return offersOf(book, overrides.data, now);
}

function PackagePanel({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation();
  const query = useQuery(packagesQuery(tenant.id));
  const offers = useOffers(tenant);
  const [ordering, { open, close }] = useDisclosure();
  const { id, currency } = tenant;
  return (
    <Panel
      title={t("package.title")}
      flush
      aside={
        offers?.length === 0 ? (
          <Text size="sm" c="dimmed">
            {t("package.order.none")}
          </Text>
        ) : (
          <Button
            size="xs"
            leftSection={<IconPlus size={15} aria-hidden />}
            loading={!offers}
            onClick={open}
          >
            {t("package.order.open")}
          </Button>
        )
      }
    >
      <QueryView query={query} lines={3}>
        {(packages) => <PackageTable tenantId={id} currency={currency} packages={packages} />}
      </QueryView>
      <Dialog title={t("package.order.title")} opened={ordering} onClose={close}>
        <OrderForm tenantId={id} currency={currency} offers={offers ?? []} onClose={close} />
      </Dialog>
    </Panel>
  );
}

// The invoices of a tenant, newest first, each with its page and its files.
import { IconFileInvoice } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { invoicesQuery } from "../../api/queries";
import type { Invoice } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { TextLink } from "../../components/links";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { Instant } from "../../components/When";
import { isPositive } from "../../format/money";
import { Files, INVOICE_FORMATS } from "./Files";

export function InvoicesView({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation();
  const query = useInfiniteQuery(invoicesQuery(tenantId));
  const columns: Column<Invoice>[] = [
    {
      id: "number",
      header: t("invoice.column.number"),
      cell: ({ id, number }) => (
        <TextLink to="/invoices/$id" params={{ id }} fw={600} size="sm">
          {number}
        </TextLink>
      ),
      sort: ({ number }) => number,
      isTitle: true,
    },
    {
      id: "month",
      header: t("invoice.column.month"),
      cell: ({ month }) => month,
      sort: ({ month }) => month,
    },
    {
      id: "issued",
      header: t("invoice.column.issued"),
      cell: ({ issued_at }) => <Instant at={issued_at} />,
      sort: ({ issued_at }) => issued_at,
    },
    {
      id: "total",
      header: t("invoice.column.total"),
      cell: ({ total, currency, digits }) => (
        <Amount value={total} currency={currency} digits={digits} size="sm" />
      ),
      align: "right",
    },
    {
      id: "credited",
      header: t("invoice.column.credited"),
      cell: ({ credited, currency, digits }) =>
        isPositive(credited) ? (
          <Amount value={credited} currency={currency} digits={digits} size="sm" />
        ) : (
          "\u2013"
        ),
      align: "right",
    },
    {
      id: "files",
      header: t("invoice.column.files"),
      cell: ({ id, number }) => (
        <Files
          of={`/v1/invoices/${id}`}
          formats={INVOICE_FORMATS}
          labelOf={(format) => t("invoice.download", { number, format })}
        />
      ),
    },
  ];
  return (
    <Panel title={t("invoice.title")} flush>
      <QueryView query={query} lines={4}>
        {({ pages }) => (
          <DataTable
            label={t("invoice.title")}
            columns={columns}
            rows={pages.flatMap((page) => page.items)}
            rowId={({ id }) => id}
            empty={
              <Empty
                icon={IconFileInvoice}
                title={t("invoice.empty")}
                hint={t("invoice.emptyHint")}
              />
            }
            more={{
              hasMore: query.hasNextPage,
              loading: query.isFetchingNextPage,
              load: () => void query.fetchNextPage(),
            }}
          />
        )}
      </QueryView>
    </Panel>
  );
}

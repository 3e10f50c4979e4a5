// The invoices of a tenant, newest first, each to be had as a file.
import { Anchor, Group, Text } from "@mantine/core";
import { IconFileInvoice } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { invoicesQuery } from "../../api/queries";
import type { Invoice } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { Instant } from "../../components/When";
import { isPositive } from "../../format/money";

const FORMATS = ["html", "pdf", "csv", "json"] as const;

export function InvoicesView({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation();
  const query = useInfiniteQuery(invoicesQuery(tenantId));
  const columns: Column<Invoice>[] = [
    {
      id: "number",
      header: t("invoice.column.number"),
      cell: ({ number }) => <Text span fw={600} size="sm">{number}</Text>,
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
      cell: (invoice) => <Files invoice={invoice} />,
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

/** In the reader's language, where the file has words. */
function Files({ invoice }: { invoice: Invoice }) {
  const { t, i18n } = useTranslation();
  const language = i18n.language.startsWith("zh") ? "zh-CN" : "en";
  const path = `/v1/invoices/${invoice.id}/files`;
  return (
    <Group gap="sm" wrap="nowrap">
      {FORMATS.map((format) => (
        <Anchor
          key={format}
          size="sm"
          href={`${path}/${format}?${new URLSearchParams({ language }).toString()}`}
          download
          aria-label={t("invoice.download", {
            number: invoice.number,
            format: format.toUpperCase(),
          })}
        >
          {format.toUpperCase()}
        </Anchor>
      ))}
    </Group>
  );
}

// An invoice as it was issued: who bills whom, for what, what it comes to, and what was credited since.
import { Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { invoiceQuery } from "../../api/queries";
import type { CreditNote, InvoiceContent, InvoiceDetail } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Facts } from "../../components/Facts";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { Instant, Nothing } from "../../components/When";
import { isNegative, isPositive, LEDGER_DIGITS, percent, sum } from "../../format/money";
import { useMe } from "../../shell/me";
import { Files, INVOICE_FORMATS, NOTE_FORMATS } from "./Files";
import { InvoiceLines } from "./InvoiceLines";

export function InvoicePage() {
  const { id } = useParams({ from: "/app/invoices/$id" });
  const query = useQuery(invoiceQuery(id));
  return <QueryView query={query}>{(invoice) => <Details invoice={invoice} />}</QueryView>;
}

function Details({ invoice }: { invoice: InvoiceDetail }) {
  const { t } = useTranslation();
  const { isOperator } = useMe();
  const { id, number, tenant_id, content, credit_notes } = invoice;
  const search = { tab: "invoices" } as const;
  return (
    <>
      <PageHeader
        title={t("invoice.of", { number })}
        description={t(
          content.lines.some(({ first_line }) => first_line)
            ? "invoice.about"
            : "invoice.aboutUnopened",
        )}
        back={{
          label: t("invoice.title"),
          render: (props) =>
            isOperator ? (
              <Link to="/tenants/$id/bill" params={{ id: tenant_id }} search={search} {...props} />
            ) : (
              <Link to="/billing" search={search} {...props} />
            ),
        }}
        actions={
          <Files
            of={`/v1/invoices/${id}`}
            formats={INVOICE_FORMATS}
            labelOf={(format) => t("invoice.download", { number, format })}
          />
        }
      />
      <Stack gap="lg">
        <Panel title={t("field.details")}>
          <Said content={content} />
        </Panel>
        <InvoiceLines content={content} />
        <Panel title={t("invoice.sums")} flush>
          <Sums content={content} />
        </Panel>
        <Panel title={t("invoice.notes")} flush>
          <Notes invoice={invoice} notes={credit_notes} />
        </Panel>
      </Stack>
    </>
  );
}

function Said({ content }: { content: InvoiceContent }) {
  const { t } = useTranslation();
  const { issuer, party } = content;
  return (
    <Facts
      facts={[
        [t("invoice.column.month"), `${content.month} (${content.timezone})`],
        [
          t("invoice.period"),
          <>
            <Instant at={content.period_from} /> {"\u2013"} <Instant at={content.period_to} />
          </>,
        ],
        [t("invoice.column.issued"), <Instant at={content.issued_at} />],
        [t("invoice.from"), <Who name={issuer.name} of={issuer} />],
        [t("invoice.to"), <Who name={party.name} of={party} />],
        [t("tenant.currency"), content.currency],
      ]}
    />
  );
}

interface WhoProps {
  name: string;
  of: { address?: string; tax_id?: string };
}

/** With address and tax id, where they are known. */
function Who({ name, of: { address, tax_id } }: WhoProps) {
  const { t } = useTranslation();
  return (
    <>
      {name || <Nothing />}
      {address && (
        <Text span display="block" size="xs" c="dimmed" style={{ whiteSpace: "pre-line" }}>
          {address}
        </Text>
      )}
      {tax_id && (
        <Text span display="block" size="xs" c="dimmed">
          {t("invoice.taxId", { id: tax_id })}
        </Text>
      )}
    </>
  );
}

const isZero = (amount: string) => !isPositive(amount) && !isNegative(amount);

/** The lines' tax by its rate, the lowest first. */
function taxesOf({ lines }: InvoiceContent): [rate: string, tax: string][] {
  const taxes = new Map<string, string>();
  for (const { tax, tax_rate = "0" } of lines) {
    if (!isZero(tax)) taxes.set(tax_rate, sum(taxes.get(tax_rate) ?? "0", tax));
  }
  return [...taxes].sort(([a], [b]) => Number(a) - Number(b));
}

/** In the order of the printed form: the lines to the millionth, then what is to be paid. */
function Sums({ content }: { content: InvoiceContent }) {
  const { t } = useTranslation();
  const { sums, currency, digits } = content;
  const rows: [name: string, value: string, digits: number, strong?: boolean][] = [
    [t("bill.subtotal"), sums.lines_net, LEDGER_DIGITS],
    ...taxesOf(content).map(([rate, tax]): [string, string, number] => [
      isZero(rate) ? t("explain.tax") : t("invoice.taxAt", { rate: percent(rate) }),
      tax,
      LEDGER_DIGITS,
    ]),
  ];
  if (!isZero(sums.rounding)) rows.push([t("invoice.rounding"), sums.rounding, LEDGER_DIGITS]);
  rows.push([t("invoice.column.total"), sums.total, digits, true]);
  if (!isZero(sums.tax)) {
    rows.push([t("invoice.ofItNet"), sums.net, digits], [t("invoice.ofItTax"), sums.tax, digits]);
  }
  return (
    <>
      <Table aria-label={t("invoice.sums")}>
        <Table.Tbody>
          {rows.map(([name, value, shown, strong = false]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row" fw={strong ? 680 : 400}>
                {name}
              </Table.Th>
              <Table.Td ta="right">
                <Amount
                  value={value}
                  currency={currency}
                  digits={shown}
                  fw={strong ? 680 : undefined}
                />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed" px="md" py="sm">
        {t("invoice.exact")}
      </Text>
    </>
  );
}

interface NotesProps {
  invoice: InvoiceDetail;
  notes: readonly CreditNote[];
}

function Notes({ invoice: { currency, digits }, notes }: NotesProps) {
  const { t } = useTranslation();
  const amount = (value: string) => (
    <Amount value={value} currency={currency} digits={digits} size="sm" />
  );
  const columns: Column<CreditNote>[] = [
    {
      id: "number",
      header: t("invoice.column.number"),
      isTitle: true,
      cell: ({ number }) => (
        <Text span fw={600} size="sm">
          {number}
        </Text>
      ),
    },
    {
      id: "issued",
      header: t("invoice.column.issued"),
      cell: ({ issued_at }) => <Instant at={issued_at} />,
    },
    { id: "reason", header: t("invoice.reason"), isLong: true, cell: ({ reason }) => reason },
    { id: "net", header: t("explain.net"), align: "right", cell: ({ net }) => amount(net) },
    { id: "tax", header: t("explain.tax"), align: "right", cell: ({ tax }) => amount(tax) },
    {
      id: "total",
      header: t("invoice.column.total"),
      align: "right",
      cell: ({ total }) => amount(total),
    },
    {
      id: "files",
      header: t("invoice.column.files"),
      cell: ({ id, number }) => (
        <Files
          of={`/v1/credit-notes/${id}`}
          formats={NOTE_FORMATS}
          labelOf={(format) => t("invoice.downloadNote", { number, format })}
        />
      ),
    },
  ];
  return (
    <DataTable
      label={t("invoice.notes")}
      columns={columns}
      rows={notes}
      rowId={({ id }) => id}
      empty={
        <Text size="sm" c="dimmed" px="md" pb="md">
          {t("invoice.noNotes")}
        </Text>
      }
    />
  );
}

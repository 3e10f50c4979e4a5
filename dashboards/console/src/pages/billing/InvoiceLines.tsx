// What an invoice charges, line by line: its own month first, then earlier ones that came late.
import { ActionIcon, Badge, Group, Table, Text } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { monthsQuery } from "../../api/queries";
import type { InvoiceContent, InvoiceLine } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Dialog } from "../../components/FormDialog";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { useNarrow } from "../../components/useNarrow";
import { Instant, Nothing } from "../../components/When";
import { LEDGER_DIGITS, sum } from "../../format/money";
import { pricedFor } from "../../format/priced";
import { ofInvoice, type Joining } from "./joined";
import { DIALOG_WIDTH, LineDialog } from "./LineDialog";
import { invoicedPrice, invoicedQuantity } from "./words";

/** An invoice may have many thousands. */
const LINES_AT_ONCE = 200;

/** With the place in the document, which is all that tells two of them apart. */
type Placed = InvoiceLine & { place: number };

interface Opened {
  line: InvoiceLine;
  joining: Joining;
}

export function InvoiceLines({ content }: { content: InvoiceContent }) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState<Opened | null>(null);
  const open = (line: InvoiceLine) => {
    const joining = ofInvoice(line);
    if (joining) setOpened({ line, joining });
  };
  return (
    <>
      {sectionsOf(content).map(([month, lines]) => (
        <Section
          key={month}
          title={t(month === content.month ? "invoice.use" : "invoice.late", { month })}
          lines={lines}
          currency={content.currency}
          onOpen={open}
        />
      ))}
      <Dialog
        title={t("explain.title")}
        opened={opened !== null}
        onClose={() => setOpened(null)}
        size={DIALOG_WIDTH}
      >
        {opened && <OpenedLine content={content} {...opened} />}
      </Dialog>
    </>
  );
}

/** The lines stand in order of their months, of which the invoice's own is the last. */
function sectionsOf({ lines }: InvoiceContent): [month: string, lines: Placed[]][] {
  const sections = new Map<string, Placed[]>();
  lines.forEach((line, place) => {
    const section = sections.get(line.month);
    if (section) section.push({ ...line, place });
    else sections.set(line.month, [{ ...line, place }]);
  });
  return [...sections].reverse();
}

interface SectionProps {
  title: string;
  lines: readonly Placed[];
  currency: string;
  onOpen: (line: InvoiceLine) => void;
}

function Section({ title, lines, currency, onOpen }: SectionProps) {
  const { t } = useTranslation();
  const columns = useColumns(currency, onOpen);
  const narrow = useNarrow();
  const subtotal = (
    <Amount
      value={lines.map(({ net }) => net).reduce(sum, "0")}
      currency={currency}
      digits={LEDGER_DIGITS}
      fw={680}
    />
  );
  return (
    <Panel title={title} flush>
      {/* Cards have no foot. */}
      {narrow && (
        <Group px="md" pb="xs" gap="xs">
          <Text size="sm">{t("bill.subtotal")}</Text>
          {subtotal}
        </Group>
      )}
      <DataTable
        label={title}
        columns={columns}
        rows={lines}
        rowId={({ place }) => String(place)}
        empty={null}
        atOnce={LINES_AT_ONCE}
        foot={
          <Table.Tr>
            <Table.Th colSpan={columns.length - 1} ta="right" scope="row">
              {t("bill.subtotal")}
            </Table.Th>
            <Table.Td ta="right">{subtotal}</Table.Td>
          </Table.Tr>
        }
      />
    </Panel>
  );
}

function useColumns(currency: string, onOpen: (line: InvoiceLine) => void): Column<Placed>[] {
  const { t, i18n } = useTranslation();
  return [
    {
      id: "what",
      header: t("bill.column.what"),
      isTitle: true,
      cell: (line) => <What line={line} onOpen={onOpen} />,
    },
    { id: "from", header: t("bill.column.from"), cell: ({ from }) => <Instant at={from} /> },
    { id: "to", header: t("bill.column.to"), cell: ({ to }) => <Instant at={to} /> },
    {
      id: "quantity",
      header: t("bill.column.quantity"),
      align: "right",
      cell: (line) => invoicedQuantity(line, i18n.language) ?? <Nothing />,
    },
    {
      id: "per",
      header: t("invoice.column.per"),
      cell: ({ component, unit = 1, kind }) =>
        kind === "minimum" ? <Nothing /> : pricedFor({ component, unit }, t),
    },
    {
      id: "price",
      header: t("bill.column.unitPrice"),
      align: "right",
      cell: (line) => invoicedPrice(line, t),
    },
    {
      id: "net",
      header: t("explain.net"),
      align: "right",
      cell: ({ net }) => <Amount value={net} currency={currency} digits={LEDGER_DIGITS} size="sm" />,
    },
  ];
}

function What({ line, onOpen }: { line: InvoiceLine; onOpen: (line: InvoiceLine) => void }) {
  const { t } = useTranslation();
  return (
    <Text span size="sm">
      {line.what}
      {line.first_line && (
        <>
          {"\u00a0"}
          <ActionIcon
            className="no-print"
            variant="subtle"
            size="sm"
            aria-label={t("explain.open", { what: line.what })}
            onClick={() => onOpen(line)}
          >
            <IconInfoCircle size={15} aria-hidden />
          </ActionIcon>
        </>
      )}
      {line.adjustment && (
        <Badge size="sm" color="gray" ml={6}>
          {t("bill.adjustment")}
        </Badge>
      )}
    </Text>
  );
}

/** Before every charge. */
const EVER = new Date(0).toISOString();

/**
 * An invoice has what was charged up to its closing: of its own month all, of an earlier one what came
 * since the closing before.
 */
function OpenedLine({ content, line, joining }: Opened & { content: InvoiceContent }) {
  const { month, issued_at: to, currency, party } = content;
  const isLate = line.month !== month;
  const months = useQuery({ ...monthsQuery(party.tenant_id), enabled: isLate });
  const dialog = (from: string) => (
    <LineDialog
      tenantId={party.tenant_id}
      currency={currency}
      charged={{ from, to }}
      line={joining}
    />
  );
  if (!isLate) return dialog(EVER);
  return (
    <QueryView query={months} lines={4}>
      {(closed) => dialog(closed.find((before) => before.month < month)?.closed_at ?? EVER)}
    </QueryView>
  );
}

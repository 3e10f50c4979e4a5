// What is paid for in a period, line by line: on the screen, on paper, and as CSV.
import { ActionIcon, Alert, Badge, Button, Group, Stack, Table, Text, TextInput } from "@mantine/core";
import { IconDownload, IconFilter, IconInfoCircle, IconPrinter, IconReceiptOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { billQuery } from "../../api/queries";
import type { Bill, BillLine } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Dialog } from "../../components/FormDialog";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { useNarrow } from "../../components/useNarrow";
import { Instant } from "../../components/When";
import { formatAmount, isPositive, LEDGER_DIGITS } from "../../format/money";
import { fromLocalInput, toLocalInput } from "../../format/time";
import { ofBill } from "./joined";
import { DIALOG_WIDTH, LineDialog } from "./LineDialog";
import { PRESETS, presetPeriod, toPeriod, type Period, type PeriodSearch } from "./period";
import { quantityOf, unitPriceOf } from "./words";

interface Props {
  tenantId: string;
  search: PeriodSearch;
  onPeriod: (period: Period) => void;
}

export function BillView({ tenantId, search, onPeriod }: Props) {
  const { t } = useTranslation();
  // The end of an open period is the instant of looking, or each render would be another bill.
  const [now] = useState(() => new Date());
  const period = toPeriod(search, now);
  const from = period.from.toISOString();
  const to = period.to.toISOString();
  const query = useQuery(billQuery(tenantId, from, to));
  const csv = `/v1/tenants/${tenantId}/bill.csv?${new URLSearchParams({ from, to }).toString()}`;
  return (
    <Stack gap="lg">
      <PeriodPicker key={from + to} period={period} onPeriod={onPeriod} />
      <Panel
        title={t("bill.title")}
        flush
        aside={
          <Group gap="xs" className="no-print">
            <Button
              component="a"
              href={csv}
              download
              size="xs"
              variant="default"
              leftSection={<IconDownload size={15} aria-hidden />}
            >
              {t("bill.csv")}
            </Button>
            <Button
              size="xs"
              variant="default"
              leftSection={<IconPrinter size={15} aria-hidden />}
              onClick={() => window.print()}
            >
              {t("bill.print")}
            </Button>
          </Group>
        }
      >
        <QueryView query={query} lines={6}>
          {(bill) => <BillTable bill={bill} />}
        </QueryView>
      </Panel>
    </Stack>
  );
}

export function PeriodPicker({ period, onPeriod }: { period: Period; onPeriod: (p: Period) => void }) {
  const { t } = useTranslation();
  const [from, setFrom] = useState(toLocalInput(period.from));
  const [to, setTo] = useState(toLocalInput(period.to));
  const chosen = { from: fromLocalInput(from), to: fromLocalInput(to) };
  const backwards = chosen.from !== null && chosen.to !== null && chosen.from >= chosen.to;
  const choose = () => {
    if (chosen.from && chosen.to && !backwards) onPeriod({ from: chosen.from, to: chosen.to });
  };
  return (
    <Stack gap="sm" className="no-print">
      <Group gap="xs" role="group" aria-label={t("bill.preset.label")}>
        {PRESETS.map((preset) => (
          <Button
            key={preset}
            size="xs"
            variant="default"
            onClick={() => onPeriod(presetPeriod(preset, new Date()))}
          >
            {t(`bill.preset.${preset}`)}
          </Button>
        ))}
      </Group>
      <Group align="flex-end" gap="sm">
        <TextInput
          type="datetime-local"
          step={1}
          label={t("bill.from")}
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          type="datetime-local"
          step={1}
          label={t("bill.to")}
          value={to}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button
          variant="light"
          leftSection={<IconFilter size={16} aria-hidden />}
          disabled={!chosen.from || !chosen.to || backwards}
          onClick={choose}
        >
          {t("bill.show")}
        </Button>
      </Group>
      {backwards && <Alert color="yellow">{t("bill.backwards")}</Alert>}
    </Stack>
  );
}

export function BillTable({ bill }: { bill: Bill }) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState<BillLine | null>(null);
  const { currency, lines, subtotal } = bill;
  const columns = useLineColumns(currency, setOpened);
  const narrow = useNarrow();
  return (
    <>
      <Group px="md" pb="sm" gap="xs">
        <Text size="sm" fw={600}>
          {bill.tenant_name}
        </Text>
        <Text size="sm" c="dimmed" component="div">
          <Instant at={bill.from} /> {"\u2013"} <Instant at={bill.to} />
        </Text>
        {/* Cards have no foot. */}
        {narrow && (
          <Text size="sm" component="div" w="100%">
            {t("bill.subtotal")}{" "}
            <Amount value={subtotal} currency={currency} digits={LEDGER_DIGITS} fw={680} />
          </Text>
        )}
      </Group>
      {lines.length === 0 ? (
        <Empty icon={IconReceiptOff} title={t("bill.empty")} hint={t("bill.emptyHint")} />
      ) : (
        <DataTable
          label={t("bill.title")}
          columns={columns}
          rows={lines}
          rowId={({ first_line }) => first_line}
          empty={null}
          foot={
            <Table.Tr>
              <Table.Th colSpan={5} ta="right" scope="row">
                {t("bill.subtotal")}
              </Table.Th>
              <Table.Td ta="right">
                <Amount value={subtotal} currency={currency} digits={LEDGER_DIGITS} fw={680} />
              </Table.Td>
            </Table.Tr>
          }
        />
      )}
      {isPositive(bill.accrued) && (
        <Text size="xs" c="dimmed" px="md" py="sm">
          {t("bill.accrued", { amount: formatAmount(bill.accrued, LEDGER_DIGITS), currency })}
        </Text>
      )}
      <Dialog
        title={t("explain.title")}
        opened={opened !== null}
        onClose={() => setOpened(null)}
        size={DIALOG_WIDTH}
      >
        {opened && (
          <LineDialog
            tenantId={bill.tenant_id}
            currency={currency}
            charged={bill}
            line={ofBill(opened)}
          />
        )}
      </Dialog>
    </>
  );
}

function useLineColumns(currency: string, open: (line: BillLine) => void): Column<BillLine>[] {
  const { t, i18n } = useTranslation();
  return [
    {
      id: "what",
      header: t("bill.column.what"),
      isTitle: true,
      cell: (line) => (
        <Text span size="sm">
          {line.what}
          {"\u00a0"}
          <ActionIcon
            className="no-print"
            variant="subtle"
            size="sm"
            aria-label={t("explain.open", { what: line.what })}
            onClick={() => open(line)}
          >
            <IconInfoCircle size={15} aria-hidden />
          </ActionIcon>
          {line.adjustment && (
            <Badge size="sm" color="gray" ml={6}>
              {t("bill.adjustment")}
            </Badge>
          )}
        </Text>
      ),
    },
    { id: "from", header: t("bill.column.from"), cell: ({ from }) => <Instant at={from} /> },
    { id: "to", header: t("bill.column.to"), cell: ({ to }) => <Instant at={to} /> },
    {
      id: "quantity",
      header: t("bill.column.quantity"),
      align: "right",
      cell: (line) => <Figure>{quantityOf(line, i18n.language)}</Figure>,
    },
    {
      id: "price",
      header: t("bill.column.unitPrice"),
      align: "right",
      cell: (line) => <Figure>{unitPriceOf(line, currency, t)}</Figure>,
    },
    {
      id: "amount",
      header: t("bill.column.amount"),
      align: "right",
      cell: ({ amount }) => (
        <Amount value={amount} currency={currency} digits={LEDGER_DIGITS} size="sm" />
      ),
    },
  ];
}

/** A figure with its unit is never cut between the two. */
function Figure({ children }: { children: string }) {
  return <span style={{ whiteSpace: "nowrap" }}>{children}</span>;
}

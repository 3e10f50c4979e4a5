// What is paid for in a period, line by line: on the screen, on paper, and as CSV.
import { ActionIcon, Alert, Badge, Button, Group, Stack, Table, Text, TextInput } from "@mantine/core";
import { IconDownload, IconFilter, IconInfoCircle, IconPrinter, IconReceiptOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { billQuery } from "../../api/queries";
import type { Bill, BillLine } from "../../api/types";
import { Amount } from "../../components/Amount";
import { Empty } from "../../components/Empty";
import { Dialog } from "../../components/FormDialog";
import { HeadRow } from "../../components/HeadRow";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { Instant } from "../../components/When";
import { formatAmount, formatPrice, isPositive, LEDGER_DIGITS } from "../../format/money";
import { formatNumber } from "../../format/quantity";
import { fromLocalInput, toLocalInput } from "../../format/time";
import { LineDialog } from "./LineDialog";
import { PRESETS, presetPeriod, toPeriod, type Period, type PeriodSearch } from "./period";

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
  return (
    <>
      <Group px="md" pb="sm" gap="xs">
        <Text size="sm" fw={600}>
          {bill.tenant_name}
        </Text>
        <Text size="sm" c="dimmed" component="div">
          <Instant at={bill.from} /> {"\u2013"} <Instant at={bill.to} />
        </Text>
        {/* On a phone the last column is out of sight. */}
        <Text size="sm" component="div" w="100%" hiddenFrom="sm" className="no-print">
          {t("bill.subtotal")}{" "}
          <Amount value={subtotal} currency={currency} digits={LEDGER_DIGITS} fw={680} />
        </Text>
      </Group>
      {lines.length === 0 ? (
        <Empty icon={IconReceiptOff} title={t("bill.empty")} hint={t("bill.emptyHint")} />
      ) : (
        <Table.ScrollContainer minWidth={720} type="native">
          <Table aria-label={t("bill.title")}>
            <Table.Thead>
              <HeadRow
                heads={[
                  t("bill.column.what"),
                  t("bill.column.from"),
                  t("bill.column.to"),
                  { figures: t("bill.column.quantity") },
                  { figures: t("bill.column.unitPrice") },
                  { figures: t("bill.column.amount") },
                ]}
              />
            </Table.Thead>
            <Table.Tbody>
              {lines.map((line, i) => (
                <Line
                  key={`${i} ${line.resource_id} ${line.meter}`}
                  {...{ line, currency }}
                  onOpen={() => setOpened(line)}
                />
              ))}
            </Table.Tbody>
            <Table.Tfoot className="total">
              <Table.Tr>
                <Table.Th colSpan={5} ta="right" scope="row">
                  {t("bill.subtotal")}
                </Table.Th>
                <Table.Td ta="right">
                  <Amount value={subtotal} currency={currency} digits={LEDGER_DIGITS} fw={680} />
                </Table.Td>
              </Table.Tr>
            </Table.Tfoot>
          </Table>
        </Table.ScrollContainer>
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
        size="xl"
      >
        {opened && <LineDialog tenantId={bill.tenant_id} line={opened} currency={currency} />}
      </Dialog>
    </>
  );
}

interface LineProps {
  line: BillLine;
  currency: string;
  onOpen: () => void;
}

function Line({ line, currency, onOpen }: LineProps) {
  const { t, i18n } = useTranslation();
  return (
    <Table.Tr>
      <Table.Td>
        {line.what}
        <ActionIcon
          className="no-print"
          variant="subtle"
          size="sm"
          ml={4}
          aria-label={t("explain.open", { what: line.what })}
          onClick={onOpen}
        >
          <IconInfoCircle size={15} aria-hidden />
        </ActionIcon>
        {line.adjustment && (
          <Badge size="sm" color="gray" ml={6}>
            {t("bill.adjustment")}
          </Badge>
        )}
      </Table.Td>
      <Table.Td>
        <Instant at={line.from} />
      </Table.Td>
      <Table.Td>
        <Instant at={line.to} />
      </Table.Td>
      <Table.Td ta="right">{formatNumber(line.quantity, i18n.language)}</Table.Td>
      <Table.Td ta="right" style={{ whiteSpace: "nowrap" }}>
        {t("bill.perHour", { price: formatPrice(line.unit_price), currency })}
      </Table.Td>
      <Table.Td ta="right">
        <Amount value={line.amount} currency={currency} digits={LEDGER_DIGITS} size="sm" />
      </Table.Td>
    </Table.Tr>
  );
}

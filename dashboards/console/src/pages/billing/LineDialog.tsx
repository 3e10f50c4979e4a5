// Why a line of the bill, or of an invoice, is what it is: its rated lines, and each computed again from what made it.
import { Anchor, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { linesQuery } from "../../api/queries";
import type { RatedLine } from "../../api/types";
import { Amount } from "../../components/Amount";
import { HeadRow } from "../../components/HeadRow";
import { QueryView } from "../../components/QueryView";
import { Instant } from "../../components/When";
import { formatAmount, LEDGER_DIGITS, sum } from "../../format/money";
import { formatPercent } from "../../format/quantity";
import { Explained } from "./Explained";
import { joinedBy, type Charged, type Joining } from "./joined";
import { quantityOf } from "./words";

interface Props {
  tenantId: string;
  currency: string;
  charged: Charged;
  line: Joining;
}

export function LineDialog({ tenantId, currency, charged, line }: Props) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState<string | null>(null);
  const { resource_id, component, from, to } = line;
  const query = useInfiniteQuery(
    // What is of no one resource is found among all of its component.
    linesQuery(tenantId, { resource_id, component, from, to }),
  );
  return (
    <QueryView query={query} lines={4}>
      {({ pages }) => {
        const listed = pages.flatMap(({ items }) => items);
        const joined = joinedBy(line, listed, charged);
        const id = opened ?? (joined.length > 1 ? null : line.first_line);
        const whole = joined.at(-1)?.to === line.to;
        return (
          <Stack gap="md">
            <Group justify="space-between" gap="xs">
              <Text fw={600} style={{ overflowWrap: "anywhere" }}>
                {line.what}
              </Text>
              <Amount value={line.amount} currency={currency} digits={LEDGER_DIGITS} fw={600} />
            </Group>
            {joined.length > 0 && (
              <RatedLines {...{ line, joined, whole, currency }} opened={id} onOpen={setOpened} />
            )}
            {!whole && query.hasNextPage && (
              <Button
                variant="subtle"
                size="compact-md"
                onClick={() => void query.fetchNextPage()}
                loading={query.isFetchingNextPage}
              >
                {t("explain.moreLines")}
              </Button>
            )}
            {id !== null && <Explained id={id} />}
          </Stack>
        );
      }}
    </QueryView>
  );
}

interface LinesProps {
  line: Joining;
  joined: readonly RatedLine[];
  /** Or there are more. */
  whole: boolean;
  currency: string;
  opened: string | null;
  onOpen: (id: string) => void;
}

/** Rated lines have eight columns. */
export const DIALOG_WIDTH = "60rem";
const HEIGHT_MAX_PX = 260;

const part = (value: string) => formatAmount(value, LEDGER_DIGITS);

function RatedLines(props: LinesProps) {
  const { line, joined, whole, currency } = props;
  const { t } = useTranslation();
  const counted = line.per === "unit";
  return (
    <Table.ScrollContainer minWidth={800} maxHeight={HEIGHT_MAX_PX} type="native">
      <Table aria-label={t("explain.lines")}>
        <Table.Thead>
          <HeadRow
            heads={[
              t("explain.id"),
              t("bill.column.from"),
              t("bill.column.to"),
              t("explain.quality"),
              ...(counted ? [{ figures: t("bill.column.quantity") }] : []),
              { figures: t("explain.net") },
              { figures: t("explain.tax") },
              { figures: t("bill.column.amount") },
            ]}
          />
        </Table.Thead>
        <Table.Tbody>
          {joined.map((rated) => (
            <RatedRow key={rated.id} rated={rated} {...props} />
          ))}
        </Table.Tbody>
        {joined.length > 1 && (
          <Table.Tfoot className="total">
            <Table.Tr>
              <Table.Th colSpan={counted ? 5 : 4} ta="right" scope="row">
                {whole ? t("explain.sum") : t("explain.first", { shown: joined.length })}
              </Table.Th>
              <Table.Td ta="right">{part(total(joined.map(({ net }) => net)))}</Table.Td>
              <Table.Td ta="right">{part(total(joined.map(({ tax }) => tax)))}</Table.Td>
              <Table.Td ta="right">
                <Sum value={total(joined.flatMap(({ net, tax }) => [net, tax]))} currency={currency} />
              </Table.Td>
            </Table.Tr>
          </Table.Tfoot>
        )}
      </Table>
    </Table.ScrollContainer>
  );
}

function Sum(props: { value: string; currency: string }) {
  return <Amount {...props} digits={LEDGER_DIGITS} size="sm" />;
}

function RatedRow({ rated, line, currency, opened, onOpen }: LinesProps & { rated: RatedLine }) {
  const { i18n } = useTranslation();
  return (
    <Table.Tr>
      <Table.Td>
        <Anchor
          component="button"
          type="button"
          size="sm"
          aria-pressed={rated.id === opened}
          onClick={() => onOpen(rated.id)}
        >
          {rated.id.split(".").slice(1).join(".")}
        </Anchor>
      </Table.Td>
      <Table.Td style={{ whiteSpace: "nowrap" }}>
        <Instant at={rated.from} />
      </Table.Td>
      <Table.Td style={{ whiteSpace: "nowrap" }}>
        <Instant at={rated.to} />
      </Table.Td>
      <Table.Td>
        <Quality of={rated} />
      </Table.Td>
      {line.per === "unit" && (
        <Table.Td ta="right" style={{ whiteSpace: "nowrap" }}>
          {quantityOf({ per: line.per, quantity: rated.quantity }, i18n.language)}
        </Table.Td>
      )}
      <Table.Td ta="right">{part(rated.net)}</Table.Td>
      <Table.Td ta="right">{part(rated.tax)}</Table.Td>
      <Table.Td ta="right">
        <Sum value={sum(rated.net, rated.tax)} currency={currency} />
      </Table.Td>
    </Table.Tr>
  );
}

const total = (amounts: readonly string[]) => amounts.reduce(sum, "0");

const QUALITIES = ["observed", "estimated", "corrected"] as const;
const WHOLE_PPM = 1_000_000;

/** Of what was not seen all the time, how much was. */
function Quality({ of: { quality, coverage_ppm } }: { of: RatedLine }) {
  const { t, i18n } = useTranslation();
  const known = QUALITIES.find((name) => name === quality) ?? "observed";
  return (
    <>
      {t(`explain.qualityOf.${known}`)}
      {coverage_ppm < WHOLE_PPM && (
        <Text span size="xs" c="dimmed" display="block">
          {t("explain.covered", { share: formatPercent(coverage_ppm / WHOLE_PPM, i18n.language) })}
        </Text>
      )}
    </>
  );
}

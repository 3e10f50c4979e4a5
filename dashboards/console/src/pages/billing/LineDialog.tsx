// Why a line of the bill is what it is: its rated lines, and each computed again from what made it.
import { Anchor, Badge, Code, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { explanationQuery, linesQuery } from "../../api/queries";
import type { BillLine, Explanation, RatedLine } from "../../api/types";
import { Amount } from "../../components/Amount";
import { Facts } from "../../components/Facts";
import { HeadRow } from "../../components/HeadRow";
import { QueryView } from "../../components/QueryView";
import { Instant } from "../../components/When";
import { LEDGER_DIGITS } from "../../format/money";

interface Props {
  tenantId: string;
  line: BillLine;
  currency: string;
}

export function LineDialog({ tenantId, line, currency }: Props) {
  const [opened, setOpened] = useState<string | null>(null);
  const query = useQuery(
    linesQuery(tenantId, { resource_id: line.resource_id, from: line.from, to: line.to }),
  );
  return (
    <QueryView query={query} lines={4}>
      {({ items }) => {
        const own = items.filter((rated) => isPart(rated, line));
        const id = opened ?? (own.length === 1 ? own[0]?.id : null);
        return (
          <Stack gap="md">
            <RatedLines lines={own} currency={currency} opened={id ?? null} onOpen={setOpened} />
            {id && <Explained id={id} />}
          </Stack>
        );
      }}
    </QueryView>
  );
}

/** A line of the bill joins what is alike and adjoins. */
export function isPart(rated: RatedLine, line: BillLine): boolean {
  return (
    rated.meter === line.meter &&
    rated.unit_price === line.unit_price &&
    rated.quantity === line.quantity &&
    (rated.kind === "adjustment") === line.adjustment &&
    rated.from >= line.from &&
    rated.to <= line.to
  );
}

interface LinesProps {
  lines: readonly RatedLine[];
  currency: string;
  opened: string | null;
  onOpen: (id: string) => void;
}

function RatedLines({ lines, currency, opened, onOpen }: LinesProps) {
  const { t } = useTranslation();
  return (
    <Table.ScrollContainer minWidth={480} maxHeight={260} type="native">
      <Table aria-label={t("explain.lines")}>
        <Table.Thead>
          <HeadRow
            heads={[
              t("bill.column.from"),
              t("bill.column.to"),
              t("explain.quality"),
              { figures: t("bill.column.amount") },
              t("explain.id"),
            ]}
          />
        </Table.Thead>
        <Table.Tbody>
          {lines.map((line) => (
            <Table.Tr key={line.id}>
              <Table.Td>
                <Instant at={line.from} />
              </Table.Td>
              <Table.Td>
                <Instant at={line.to} />
              </Table.Td>
              <Table.Td>{t(`explain.qualityOf.${quality(line.quality)}`)}</Table.Td>
              <Table.Td ta="right">
                <Amount value={line.net} currency={currency} digits={LEDGER_DIGITS} size="sm" />
              </Table.Td>
              <Table.Td>
                <Anchor
                  component="button"
                  type="button"
                  size="sm"
                  aria-pressed={line.id === opened}
                  onClick={() => onOpen(line.id)}
                >
                  {line.id.split(".").slice(1).join(".")}
                </Anchor>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

const QUALITIES = ["observed", "estimated", "corrected"] as const;
const quality = (text: string) => QUALITIES.find((known) => known === text) ?? "observed";

function Explained({ id }: { id: string }) {
  const query = useQuery(explanationQuery(id));
  return <QueryView query={query}>{(explanation) => <Opened of={explanation} />}</QueryView>;
}

function Opened({ of }: { of: Explanation }) {
  const { t } = useTranslation();
  const { price, steps, usage, readings } = of;
  return (
    <Stack gap="md">
      <Group gap="xs">
        <Badge color={of.equal ? "teal" : "red"}>
          {t(of.equal ? "explain.equal" : "explain.differs")}
        </Badge>
        {of.pending && <Badge color="yellow">{t("explain.pending")}</Badge>}
        {of.more && <Badge color="gray">{t("explain.more")}</Badge>}
        <Code>{`opshawk billing explain ${of.line.id}`}</Code>
      </Group>
      <Facts
        facts={[
          [t("explain.price"), `${price.book}, ${price.number}: ${price.rate.id}`],
          [t("explain.formula"), price.formula],
          [t("explain.posting"), <Instant at={of.charge.at} />],
        ]}
      />
      <Table aria-label={t("explain.steps")}>
        <Table.Tbody>
          {steps.map((step) => (
            <Table.Tr key={step.step}>
              <Table.Td style={{ verticalAlign: "top" }}>
                <Text size="sm">{step.says}</Text>
                <Text size="sm" fw={600}>
                  {step.recomputed}
                </Text>
                {!step.equal && (
                  <Text size="sm" c="var(--mantine-color-error)">
                    {t("explain.posted", { value: step.posted })}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {usage.facts.length > 0 && (
        <Table aria-label={t("explain.facts")}>
          <Table.Thead>
            <HeadRow heads={[t("explain.facts"), t("explain.told"), t("explain.counts")]} />
          </Table.Thead>
          <Table.Tbody>
            {usage.facts.map((fact) => (
              <Table.Tr key={fact.id}>
                <Table.Td>
                  {fact.state} <Code>{fact.id}</Code>
                </Table.Td>
                <Table.Td>
                  <Instant at={fact.at} />
                </Table.Td>
                <Table.Td>
                  {fact.counted_from ? <Instant at={fact.counted_from} /> : t("common.none")}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {usage.next_facts != null && (
        <Text size="sm" c="dimmed">
          {t("explain.moreFacts", { shown: usage.facts.length })}{" "}
          <Code>{`opshawk billing explain ${of.line.id} --facts-after ${usage.next_facts}`}</Code>
        </Text>
      )}
      {readings.length > 0 && (
        <Table aria-label={t("explain.readings")}>
          <Table.Tbody>
            {readings.map((reading) => (
              <Table.Tr key={`${reading.port} ${reading.at} ${reading.epoch}`}>
                <Table.Td>
                  <Instant at={reading.at} />
                </Table.Td>
                <Table.Td>{reading.port}</Table.Td>
                <Table.Td ta="right">{reading.value}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}

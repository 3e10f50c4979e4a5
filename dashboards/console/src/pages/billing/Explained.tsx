// One rated line, computed again: its price, each step, and the facts and readings behind it.
import { Badge, Button, Code, Group, Stack, Table, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { explanationQuery } from "../../api/queries";
import type { Explanation } from "../../api/types";
import { Facts } from "../../components/Facts";
import { HeadRow } from "../../components/HeadRow";
import { QueryView } from "../../components/QueryView";
import { Instant, Nothing } from "../../components/When";
import { formatNumber } from "../../format/quantity";

export function Explained({ id }: { id: string }) {
  const { t } = useTranslation();
  const query = useInfiniteQuery(explanationQuery(id));
  return (
    <QueryView query={query}>
      {({ pages }) => {
        const [first] = pages;
        if (!first) return null;
        return (
          <Stack gap="md">
            <Verdict of={first} />
            <Steps steps={first.steps} />
            <Told facts={pages.flatMap(({ usage }) => usage.facts)} />
            {query.hasNextPage && (
              <Button
                variant="subtle"
                size="compact-md"
                onClick={() => void query.fetchNextPage()}
                loading={query.isFetchingNextPage}
              >
                {t("explain.moreFacts")}
              </Button>
            )}
            <Counted of={first} />
          </Stack>
        );
      }}
    </QueryView>
  );
}

function Verdict({ of: { line, equal, pending, more, price, charge } }: { of: Explanation }) {
  const { t } = useTranslation();
  return (
    <>
      <Group gap="xs">
        <Badge color={equal ? "teal" : "red"}>
          {t(equal ? "explain.equal" : "explain.differs")}
        </Badge>
        {pending && <Badge color="yellow">{t("explain.pending")}</Badge>}
        {more && <Badge color="gray">{t("explain.more")}</Badge>}
        <Code>{`opshawk billing explain ${line.id}`}</Code>
      </Group>
      <Facts
        facts={[
          [t("explain.price"), `${price.book}, ${price.number}: ${price.rate.id}`],
          [t("explain.formula"), price.formula],
          [t("explain.posting"), <Instant at={charge.at} />],
        ]}
      />
    </>
  );
}

const STEPS = ["usage", "measure", "so_far", "amount", "charge"] as const;

function Steps({ steps }: Pick<Explanation, "steps">) {
  const { t } = useTranslation();
  const title = (step: string) => {
    const known = STEPS.find((name) => name === step);
    return known ? t(`explain.step.${known}`) : step;
  };
  return (
    <Table aria-label={t("explain.steps")}>
      <Table.Tbody>
        {steps.map(({ step, says, posted, recomputed, equal }) => (
          <Table.Tr key={step}>
            <Table.Td>
              <Text size="xs" c="dimmed" fw={600}>
                {title(step)}
              </Text>
              <Text size="sm" style={{ overflowWrap: "anywhere" }}>{says}</Text>
              <Text size="sm" fw={600}>
                {recomputed}
              </Text>
              {!equal && (
                <Text size="sm" c="var(--mantine-color-error)">
                  {t("explain.posted", { value: posted })}
                </Text>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Told({ facts }: Pick<Explanation["usage"], "facts">) {
  const { t } = useTranslation();
  if (facts.length === 0) return null;
  return (
    <Table.ScrollContainer minWidth={480} type="native">
      <Table aria-label={t("explain.facts")}>
        <Table.Thead>
          <HeadRow heads={[t("explain.facts"), t("explain.told"), t("explain.counts")]} />
        </Table.Thead>
        <Table.Tbody>
          {facts.map((fact) => (
            <Table.Tr key={fact.id}>
              <Table.Td>
                {fact.state} <Code>{fact.id}</Code>
              </Table.Td>
              <Table.Td>
                <Instant at={fact.at} />
              </Table.Td>
              <Table.Td>
                {fact.counted_from ? <Instant at={fact.counted_from} /> : <Nothing />}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** What was read of the counters, and what was counted between the readings. */
function Counted({ of: { readings, counted } }: { of: Explanation }) {
  const { t, i18n } = useTranslation();
  const number = (value: number) => formatNumber(value, i18n.language);
  return (
    <>
      {readings.length > 0 && (
        <Table.ScrollContainer minWidth={480} type="native">
          <Table aria-label={t("explain.readings")}>
            <Table.Thead>
              <HeadRow
                heads={[t("explain.readAt"), t("explain.port"), { figures: t("explain.counter") }]}
              />
            </Table.Thead>
            <Table.Tbody>
              {readings.map(({ port, at, epoch, value }) => (
                <Table.Tr key={`${port} ${at} ${epoch}`}>
                  <Table.Td>
                    <Instant at={at} />
                  </Table.Td>
                  <Table.Td>{port || <Nothing />}</Table.Td>
                  <Table.Td ta="right">{number(value)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {counted.length > 0 && (
        <Table.ScrollContainer minWidth={480} type="native">
          <Table aria-label={t("explain.counted")}>
            <Table.Thead>
              <HeadRow
                heads={[
                  t("bill.column.from"),
                  t("bill.column.to"),
                  t("explain.port"),
                  { figures: t("explain.counted") },
                ]}
              />
            </Table.Thead>
            <Table.Tbody>
              {counted.map(({ port, from, to, quantity }) => (
                <Table.Tr key={`${port} ${from} ${to}`}>
                  <Table.Td>
                    <Instant at={from} />
                  </Table.Td>
                  <Table.Td>
                    <Instant at={to} />
                  </Table.Td>
                  <Table.Td>{port || <Nothing />}</Table.Td>
                  <Table.Td ta="right">{number(quantity)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </>
  );
}

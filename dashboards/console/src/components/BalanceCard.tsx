import { Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { balanceQuery } from "../api/queries";
import type { Balance } from "../api/types";
import { isNegative, isPositive } from "../format/money";
import { formatDuration } from "../format/time";
import { Amount } from "./Amount";
import { Panel } from "./Panel";
import { QueryView } from "./QueryView";
import { StatusBadge } from "./StatusBadge";
import { useNow } from "./useNow";
import { Instant } from "./When";

const TICK_MS = 1_000;

export function BalanceCard({ tenantId, aside }: { tenantId: string; aside?: ReactNode }) {
  const { t } = useTranslation();
  const balance = useQuery(balanceQuery(tenantId));
  return (
    <Panel title={t("balance.title")} aside={aside}>
      <QueryView query={balance}>{(data) => <BalanceFigures balance={data} />}</QueryView>
    </Panel>
  );
}

export function BalanceFigures({ balance }: { balance: Balance }) {
  const { t } = useTranslation();
  return (
    <Stack gap="md">
      <Group justify="space-between" align="center">
        <Amount
          value={balance.balance_display}
          currency={balance.currency}
          fz={30}
          fw={680}
          lh={1.2}
          aria-label={t("balance.now", {
            amount: balance.balance_display,
            currency: balance.currency,
          })}
        />
        <StatusBadge kind="standing" value={balance.standing} size="lg" />
      </Group>
      <RunsOut balance={balance} />
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <Figure name={t("balance.burn")}>
          <Amount value={balance.burn_per_hour} currency={balance.currency} />
        </Figure>
        <Figure name={t("balance.accrued")}>
          <Amount value={balance.accrued} currency={balance.currency} />
        </Figure>
        <Figure name={t("balance.standingSince")}>
          <Instant at={balance.standing_since} />
        </Figure>
      </SimpleGrid>
    </Stack>
  );
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <Text size="xs" c="dimmed" fw={550}>
        {name}
      </Text>
      <Text component="div" size="sm" mt={2}>
        {children}
      </Text>
    </div>
  );
}

/** When the money is gone, if nothing changes. */
export function RunsOut({ balance }: { balance: Balance }) {
  const { t, i18n } = useTranslation();
  const now = useNow(TICK_MS);
  const { runs_out_at, burn_per_hour } = balance;
  if (isNegative(balance.balance)) return <Text size="sm">{t("balance.runOut.gone")}</Text>;
  if (!runs_out_at) {
    const key = isPositive(burn_per_hour) ? "balance.runOut.far" : "balance.runOut.never";
    return <Text size="sm">{t(key)}</Text>;
  }
  const left = Date.parse(runs_out_at) - now;
  if (left <= 0) return <Text size="sm">{t("balance.runOut.gone")}</Text>;
  return (
    <Text size="sm" component="div">
      {t("balance.runOut.in", { within: formatDuration(left, i18n.language) })}{" "}
      <Text span c="dimmed" size="sm">
        (<Instant at={runs_out_at} />)
      </Text>
    </Text>
  );
}

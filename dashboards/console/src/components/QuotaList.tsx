// "8/10 instances": what is used of what is allowed, in words and as a bar.
import { Group, Progress, SimpleGrid, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { QuotaItem } from "../api/types";
import { formatMib, formatNumber } from "../format/quantity";

/** From here on, the bar warns. */
const NEARLY_FULL = 0.8;

function color(used: number, limit: number): string {
  if (used >= limit) return "red";
  return used >= limit * NEARLY_FULL ? "yellow" : "hawk";
}

export function QuotaBar({ item: { resource, used, limit } }: { item: QuotaItem }) {
  const { t, i18n } = useTranslation();
  const show = (value: number) =>
    resource === "memory_mib"
      ? formatMib(value, i18n.language)
      : formatNumber(value, i18n.language);
  const text = t(`quota.used.${resource}`, { used: show(used), limit: show(limit) });
  return (
    <div>
      <Group justify="space-between" mb={4} wrap="nowrap">
        <Text size="sm" className="figures">
          {text}
        </Text>
        {used >= limit && (
          <Text size="xs" c="var(--mantine-color-error)" fw={550}>
            {t("quota.full")}
          </Text>
        )}
      </Group>
      <Progress
        value={limit === 0 ? 100 : Math.min(100, (used / limit) * 100)}
        color={limit === 0 ? "gray" : color(used, limit)}
        aria-label={text}
        radius="xl"
      />
    </div>
  );
}

export function QuotaList({ items }: { items: QuotaItem[] }) {
  const { t } = useTranslation();
  if (items.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t("quota.none")}
      </Text>
    );
  }
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="lg" verticalSpacing="md">
      {items.map((item) => (
        <QuotaBar key={item.resource} item={item} />
      ))}
    </SimpleGrid>
  );
}

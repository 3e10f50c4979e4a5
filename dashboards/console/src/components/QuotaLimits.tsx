// Limits by kind: as fields of a form, and as lines of a table.
import { NumberInput, SimpleGrid, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { QuotaLimit, QuotaResource } from "../api/types";
import { formatNumber } from "../format/quantity";

/** As a number field has them: text while it is empty. */
export type LimitValues = Partial<Record<QuotaResource, number | string>>;

export const toValues = (limits: readonly QuotaLimit[]): LimitValues =>
  Object.fromEntries(limits.map(({ resource, limit }) => [resource, limit]));

/** Those that differ from what was there; an emptied field says nothing. */
export const changed = (before: readonly QuotaLimit[], values: LimitValues): QuotaLimit[] =>
  before.flatMap(({ resource, limit }) => {
    const value = values[resource];
    return typeof value === "number" && value !== limit ? [{ resource, limit: value }] : [];
  });

interface FieldsProps {
  resources: readonly QuotaResource[];
  inputProps: (resource: QuotaResource) => object;
}

export function LimitFields({ resources, inputProps }: FieldsProps) {
  const { t } = useTranslation();
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md" verticalSpacing="sm">
      {resources.map((resource) => (
        <NumberInput
          key={resource}
          label={t(`quota.limit.${resource}`)}
          min={0}
          allowDecimal={false}
          allowNegative={false}
          thousandSeparator=","
          {...inputProps(resource)}
        />
      ))}
    </SimpleGrid>
  );
}

export function LimitLines({ limits }: { limits: readonly QuotaLimit[] }) {
  const { t, i18n } = useTranslation();
  return (
    <Stack gap={2}>
      {limits.map(({ resource, limit }) => (
        <Text key={resource} size="sm" className="figures">
          {t("quota.item", {
            name: t(`quota.limit.${resource}`),
            limit: formatNumber(limit, i18n.language),
          })}
        </Text>
      ))}
    </Stack>
  );
}

// What a past period would have cost each tenant under a draft.
import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { useSimulatePrices } from "../../api/actions";
import type { PriceSimulation } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Panel } from "../../components/Panel";
import { Problem } from "../../components/Problem";
import { useTenantName } from "../../components/useNames";
import { LEDGER_DIGITS } from "../../format/money";

export function SimulatePanel({ draftId }: { draftId: string }) {
  const { t } = useTranslation();
  const simulate = useSimulatePrices();
  const form = useForm({
    initialValues: { from: "", until: "" },
    validate: { from: (value) => (value === "" ? t("price.simulate.fromMissing") : null) },
  });
  const submit = form.onSubmit(({ from, until }) =>
    simulate.mutate({
      draft_id: draftId,
      from: new Date(from).toISOString(),
      until: (until === "" ? new Date() : new Date(until)).toISOString(),
    }),
  );
  return (
    <Panel title={t("price.simulate.title")}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          {t("price.simulate.about")}
        </Text>
        <form onSubmit={submit} noValidate>
          <Group align="flex-end" gap="sm">
            <TextInput
              type="datetime-local"
              label={t("price.simulate.from")}
              {...form.getInputProps("from")}
            />
            <TextInput
              type="datetime-local"
              label={t("price.simulate.until")}
              {...form.getInputProps("until")}
            />
            <Button type="submit" variant="default" loading={simulate.isPending}>
              {t("price.simulate.run")}
            </Button>
          </Group>
        </form>
        <Problem error={simulate.error} />
        {simulate.data && <Outcome found={simulate.data} />}
      </Stack>
    </Panel>
  );
}

type Simulated = PriceSimulation["tenants"][number];

function Outcome({ found }: { found: PriceSimulation }) {
  const { t } = useTranslation();
  const tenantName = useTenantName();
  const { currency } = found;
  const amount = (value: string) => (
    <Amount value={value} currency={currency} digits={LEDGER_DIGITS} size="sm" />
  );
  const columns: Column<Simulated>[] = [
    {
      id: "tenant",
      header: t("field.tenant"),
      isTitle: true,
      sort: ({ tenant_id }) => tenantName(tenant_id),
      cell: ({ tenant_id }) => tenantName(tenant_id),
    },
    {
      id: "charged",
      header: t("price.simulate.charged"),
      align: "right",
      cell: ({ charged }) => amount(charged),
    },
    {
      id: "simulated",
      header: t("price.simulate.simulated"),
      align: "right",
      cell: ({ simulated }) => amount(simulated),
    },
    {
      id: "difference",
      header: t("price.simulate.difference"),
      align: "right",
      cell: ({ difference }) => amount(difference),
    },
  ];
  return (
    <Stack gap="xs">
      <DataTable
        label={t("price.simulate.title")}
        columns={columns}
        rows={found.tenants}
        rowId={({ tenant_id }) => tenant_id}
        empty={<Text size="sm">{t("price.simulate.nobody")}</Text>}
      />
      <Group justify="flex-end" gap="xs">
        <Text size="sm">{t("price.simulate.total")}</Text>
        {amount(found.difference)}
      </Group>
    </Stack>
  );
}

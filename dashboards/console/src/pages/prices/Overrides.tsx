// A tenant's own prices, before those of its book.
import { Button, Checkbox, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus, IconTags } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy } from "react";
import { useTranslation } from "react-i18next";
import { useCreatePriceOverride, useEndPriceOverride } from "../../api/actions";
import { flavorsQuery, priceOverridesQuery } from "../../api/queries";
import type { PriceOverride } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { CodeField } from "../../components/editor/CodeField";
import { Empty } from "../../components/Empty";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { answered, showAtField } from "../../components/formErrors";
import { notifyDone } from "../../components/notify";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { ReasonField } from "../../components/ReasonField";
import { useNow } from "../../components/useNow";
import { Instant, Nothing } from "../../components/When";
import { fromText } from "./document";
import { RateTable } from "./RateTable";

const Editor = lazy(() => import("../../components/editor/YamlEditor"));
const REFRESH_MS = 60_000;

const EXAMPLE = `{
  "rates": [
    { "id": "deal", "component": "instance.compute", "price": "0.12" }
  ]
}`;

export function OverridesPanel({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation();
  const query = useQuery(priceOverridesQuery(tenantId));
  const [adding, { open, close }] = useDisclosure();
  return (
    <Panel
      title={t("price.override.title")}
      aside={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus size={15} aria-hidden />}
          onClick={open}
        >
          {t("price.override.add")}
        </Button>
      }
      flush
    >
      <QueryView query={query} lines={2}>
        {(overrides) => <OverrideTable tenantId={tenantId} overrides={overrides} />}
      </QueryView>
      <Dialog title={t("price.override.add")} opened={adding} onClose={close} size="lg">
        <AddForm tenantId={tenantId} onClose={close} />
      </Dialog>
    </Panel>
  );
}

interface TableProps {
  tenantId: string;
  overrides: readonly PriceOverride[];
}

function OverrideTable({ tenantId, overrides }: TableProps) {
  const { t } = useTranslation();
  const now = useNow(REFRESH_MS);
  const columns: Column<PriceOverride>[] = [
    {
      id: "number",
      header: t("price.override.one"),
      isTitle: true,
      cell: ({ number }) => t("price.override.number", { number }),
    },
    {
      id: "valid",
      header: t("price.override.valid"),
      cell: ({ from, to }) => (
        <Stack gap={0}>
          <Instant at={from} />
          {to ? <Instant at={to} /> : <Text size="sm">{t("price.override.forGood")}</Text>}
        </Stack>
      ),
    },
    {
      id: "reason",
      header: t("price.override.reason"),
      cell: ({ reason }) =>
        reason ? (
          <Text size="sm" maw={280} style={{ overflowWrap: "anywhere" }}>
            {reason}
          </Text>
        ) : (
          <Nothing />
        ),
    },
    {
      id: "actions",
      header: t("field.actions"),
      isActions: true,
      cell: (given) => <Actions tenantId={tenantId} given={given} now={now} />,
    },
  ];
  return (
    <DataTable
      label={t("price.override.title")}
      columns={columns}
      rows={overrides.toReversed()}
      rowId={({ number }) => String(number)}
      empty={
        <Empty
          icon={IconTags}
          title={t("price.override.empty")}
          hint={t("price.override.emptyHint")}
        />
      }
    />
  );
}

function Actions({ tenantId, given, now }: { tenantId: string; given: PriceOverride; now: number }) {
  const { t } = useTranslation();
  const [looking, look] = useDisclosure();
  const [ending, end] = useDisclosure();
  const { number, rates, to } = given;
  const isOver = to !== null && to !== undefined && new Date(to).getTime() <= now;
  const named = t("price.override.number", { number });
  return (
    <Button.Group style={{ justifyContent: "flex-end" }}>
      <Button
        size="xs"
        variant="default"
        onClick={look.open}
        aria-label={t("price.override.showNamed", { number })}
      >
        {t("price.version.show")}
      </Button>
      {!isOver && (
        <Button
          size="xs"
          variant="default"
          onClick={end.open}
          aria-label={t("price.override.endNamed", { number })}
        >
          {t("price.override.end")}
        </Button>
      )}
      <Dialog title={named} opened={looking} onClose={look.close} size="xl">
        <RateTable label={named} rates={rates} />
      </Dialog>
      <Dialog
        title={t("price.override.endNamed", { number })}
        opened={ending}
        onClose={end.close}
      >
        <EndForm tenantId={tenantId} number={number} onClose={end.close} />
      </Dialog>
    </Button.Group>
  );
}

/** What the form has as local time, as an instant; nothing where it is left empty. */
const instant = (local: string) => (local === "" ? undefined : new Date(local).toISOString());

function AddForm({ tenantId, onClose }: { tenantId: string; onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreatePriceOverride(tenantId);
  const flavors = useQuery(flavorsQuery);
  const known = flavors.data ?? [];
  const form = useForm({
    initialValues: { rates: EXAMPLE, from: "", to: "", reason: "", correction: false },
    validate: {
      rates: (value) => (fromText(value, known) ? null : t("price.draft.jsonWrong")),
      reason: (value) => (value.trim() === "" ? t("price.override.reasonMissing") : null),
    },
  });
  const submit = form.onSubmit(({ rates, from, to, reason, correction }) => {
    const document = fromText(rates, known);
    if (!document) return;
    create.mutate(
      {
        rates: document.rates,
        tax: document.tax,
        from: instant(from),
        to: instant(to),
        reason: reason.trim(),
        correction,
      },
      {
        onSuccess: ({ number }) => {
          notifyDone(t("price.override.added", { number }));
          onClose();
        },
        onError: (error) => showAtField(form, error),
      },
    );
  });
  return (
    <DialogForm
      submit={t("price.override.add")}
      onSubmit={submit}
      onCancel={onClose}
      pending={create.isPending}
      error={create.error ?? flavors.error}
    >
      <CodeField
        label={t("price.rates")}
        description={t("price.override.ratesHint")}
        withAsterisk
        error={form.errors.rates}
      >
        {(ids) => (
          <Editor
            {...ids}
            value={form.values.rates}
            onChange={(rates) => form.setFieldValue("rates", rates)}
          />
        )}
      </CodeField>
      <TextInput
        type="datetime-local"
        step={1}
        label={t("price.override.from")}
        description={t("price.override.fromHint")}
        {...form.getInputProps("from")}
      />
      <TextInput
        type="datetime-local"
        step={1}
        label={t("price.override.to")}
        description={t("price.override.toHint")}
        {...form.getInputProps("to")}
      />
      <Checkbox
        label={t("price.override.correction")}
        description={t("price.override.correctionHint")}
        {...form.getInputProps("correction", { type: "checkbox" })}
      />
      <ReasonField label={t("price.override.reason")} {...form.getInputProps("reason")} />
    </DialogForm>
  );
}

interface EndProps {
  tenantId: string;
  number: number;
  onClose: () => void;
}

function EndForm({ tenantId, number, onClose }: EndProps) {
  const { t } = useTranslation();
  const end = useEndPriceOverride(tenantId, number);
  const form = useForm({
    initialValues: { at: "", reason: "" },
    validate: {
      reason: (value) => (value.trim() === "" ? t("price.override.reasonMissing") : null),
    },
  });
  const submit = form.onSubmit(({ at, reason }) =>
    end.mutate(
      { at: instant(at), reason: reason.trim() },
      answered(form, onClose, t("price.override.ended", { number })),
    ),
  );
  return (
    <DialogForm
      submit={t("price.override.end")}
      onSubmit={submit}
      onCancel={onClose}
      pending={end.isPending}
      error={end.error}
      danger
    >
      <Text size="sm">{t("price.override.endConsequence")}</Text>
      <TextInput
        type="datetime-local"
        step={1}
        label={t("price.override.to")}
        description={t("price.override.endHint")}
        {...form.getInputProps("at")}
      />
      <ReasonField label={t("price.override.reason")} {...form.getInputProps("reason")} />
    </DialogForm>
  );
}

import { Text, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { useAskQuota } from "../../api/actions";
import type { QuotaItem } from "../../api/types";
import { DialogForm } from "../../components/FormDialog";
import { answered } from "../../components/formErrors";
import { changed, LimitFields, toValues } from "../../components/QuotaLimits";

interface Props {
  items: readonly QuotaItem[];
  onClose: () => void;
}

/** A tenant asks for higher limits. */
export function AskForm({ items, onClose }: Props) {
  const { t } = useTranslation();
  const ask = useAskQuota();
  const form = useForm({
    initialValues: { limits: toValues(items), reason: "", nothing: "" },
    validate: {
      reason: (value) => (value.trim() === "" ? t("quota.ask.reasonMissing") : null),
      nothing: (_, { limits }) =>
        changed(items, limits).length === 0 ? t("quota.ask.nothing") : null,
    },
  });
  const submit = form.onSubmit(({ limits, reason }) =>
    ask.mutate(
      { items: changed(items, limits), reason: reason.trim() },
      answered(form, onClose, t("quota.ask.done")),
    ),
  );
  return (
    <DialogForm
      submit={t("quota.ask.submit")}
      onSubmit={submit}
      onCancel={onClose}
      pending={ask.isPending}
      error={ask.error}
    >
      <Text size="sm" c="dimmed">
        {t("quota.ask.hint")}
      </Text>
      <LimitFields
        resources={items.map(({ resource }) => resource)}
        inputProps={(resource) => ({
          ...form.getInputProps(`limits.${resource}`),
          // No less than it is.
          min: items.find((item) => item.resource === resource)?.limit,
        })}
      />
      {form.errors.nothing && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          {form.errors.nothing}
        </Text>
      )}
      <Textarea
        label={t("quota.ask.reason")}
        description={t("quota.ask.reasonHint")}
        withAsterisk
        autosize
        minRows={2}
        maxRows={8}
        {...form.getInputProps("reason")}
      />
    </DialogForm>
  );
}

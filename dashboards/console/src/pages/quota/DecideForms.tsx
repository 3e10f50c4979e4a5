// An operator's two answers to a request.
import { Text, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { useApproveQuota, useRefuseQuota } from "../../api/actions";
import type { QuotaRequest } from "../../api/types";
import { DialogForm } from "../../components/FormDialog";
import { answered } from "../../components/formErrors";
import { changed, LimitFields, LimitLines, toValues } from "../../components/QuotaLimits";

interface Props {
  request: QuotaRequest;
  onClose: () => void;
}

export function ApproveForm({ request: { id, items, reason }, onClose }: Props) {
  const { t } = useTranslation();
  const approve = useApproveQuota(id);
  const form = useForm({ initialValues: { limits: toValues(items), answer: "" } });
  const submit = form.onSubmit(({ limits, answer }) =>
    approve.mutate(
      { items: changed(items, limits), answer: answer.trim() || undefined },
      answered(form, onClose, t("quota.approve.done")),
    ),
  );
  return (
    <DialogForm
      submit={t("quota.approve.open")}
      onSubmit={submit}
      onCancel={onClose}
      pending={approve.isPending}
      error={approve.error}
    >
      <Reason text={reason} />
      <Text size="sm" c="dimmed">
        {t("quota.approve.hint")}
      </Text>
      <LimitFields
        resources={items.map(({ resource }) => resource)}
        inputProps={(resource) => form.getInputProps(`limits.${resource}`)}
      />
      <Textarea
        label={t("quota.approve.answer")}
        description={t("quota.approve.answerHint")}
        autosize
        maxRows={8}
        {...form.getInputProps("answer")}
      />
    </DialogForm>
  );
}

export function RefuseForm({ request: { id, items, reason }, onClose }: Props) {
  const { t } = useTranslation();
  const refuse = useRefuseQuota(id);
  const form = useForm({
    initialValues: { answer: "" },
    validate: {
      answer: (value) => (value.trim() === "" ? t("quota.refuse.answerMissing") : null),
    },
  });
  const submit = form.onSubmit(({ answer }) =>
    refuse.mutate(
      { answer: answer.trim() },
      answered(form, onClose, t("quota.refuse.done")),
    ),
  );
  return (
    <DialogForm
      submit={t("quota.refuse.open")}
      onSubmit={submit}
      onCancel={onClose}
      pending={refuse.isPending}
      error={refuse.error}
      danger
    >
      <LimitLines limits={items} />
      <Reason text={reason} />
      <Textarea
        label={t("quota.refuse.answer")}
        description={t("quota.refuse.answerHint")}
        withAsterisk
        data-autofocus
        autosize
        maxRows={8}
        {...form.getInputProps("answer")}
      />
    </DialogForm>
  );
}

/** As it was written, with its lines. */
function Reason({ text }: { text: string }) {
  const { t } = useTranslation();
  return (
    <div>
      <Text size="xs" c="dimmed">
        {t("quota.request.reason")}
      </Text>
      <Text size="sm" style={{ whiteSpace: "pre-line", overflowWrap: "anywhere" }}>
        {text}
      </Text>
    </div>
  );
}

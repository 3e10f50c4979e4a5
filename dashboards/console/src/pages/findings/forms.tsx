// An operator's decisions, each for good and with a reason.
import { SegmentedControl, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useTranslation } from "react-i18next";
import { useAnswerGap, useResolveFinding, useRuleOnFact } from "../../api/actions";
import type { BillingFinding, UsageGap } from "../../api/types";
import { DialogForm } from "../../components/FormDialog";
import { answered } from "../../components/formErrors";
import { ReasonField } from "../../components/ReasonField";
import { fromLocalInput, toLocalInput } from "../../format/time";

export function ResolveForm({ finding, onClose }: { finding: BillingFinding; onClose: () => void }) {
  const { t } = useTranslation();
  const resolve = useResolveFinding(finding.id);
  const form = useForm({
    initialValues: { reason: "" },
    validate: { reason: (text) => (text.trim() === "" ? t("finding.reasonMissing") : null) },
  });
  const submit = form.onSubmit(({ reason }) =>
    resolve.mutate(
      { reason: reason.trim() },
      answered(form, onClose, t("finding.resolve.done")),
    ),
  );
  return (
    <DialogForm
      submit={t("finding.resolve.open")}
      onSubmit={submit}
      onCancel={onClose}
      pending={resolve.isPending}
      error={resolve.error}
    >
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {finding.detail}
      </Text>
      <Text size="sm" c="dimmed">
        {t("finding.resolve.hint")}
      </Text>
      <ReasonField label={t("finding.reason")} {...form.getInputProps("reason")} />
    </DialogForm>
  );
}

export function RuleForm({ fact, onClose }: { fact: string; onClose: () => void }) {
  const { t } = useTranslation();
  const rule = useRuleOnFact();
  const form = useForm({
    initialValues: { fact, ruling: "take" as "take" | "drop", at: "", reason: "" },
    validate: {
      fact: (text) => (text.trim() === "" ? t("finding.rule.factMissing") : null),
      reason: (text) => (text.trim() === "" ? t("finding.reasonMissing") : null),
    },
  });
  const { ruling } = form.values;
  const submit = form.onSubmit(({ fact: id, at, reason }) => {
    const instant = ruling === "take" ? fromLocalInput(at) : null;
    rule.mutate(
      { id: id.trim(), ruling, at: instant?.toISOString(), reason: reason.trim() },
      answered(form, onClose, t("finding.rule.done")),
    );
  });
  return (
    <DialogForm
      submit={t("finding.rule.open")}
      onSubmit={submit}
      onCancel={onClose}
      pending={rule.isPending}
      error={rule.error}
      danger={ruling === "drop"}
    >
      <Text size="sm" c="dimmed">
        {t("finding.rule.hint")}
      </Text>
      <TextInput label={t("finding.rule.fact")} withAsterisk {...form.getInputProps("fact")} />
      <SegmentedControl
        aria-label={t("finding.ruling.ruling")}
        data={[
          { value: "take", label: t("finding.verdict.take") },
          { value: "drop", label: t("finding.verdict.drop") },
        ]}
        {...form.getInputProps("ruling")}
      />
      {ruling === "take" && (
        <TextInput
          type="datetime-local"
          step={1}
          label={t("finding.rule.at")}
          description={t("finding.rule.atHint")}
          {...form.getInputProps("at")}
        />
      )}
      <ReasonField label={t("finding.reason")} {...form.getInputProps("reason")} />
    </DialogForm>
  );
}

export function AnswerForm({ gap, onClose }: { gap: UsageGap; onClose: () => void }) {
  const { t } = useTranslation();
  const answer = useAnswerGap(gap.id);
  const form = useForm({
    initialValues: { state: gap.state, changed_at: toLocalInput(new Date(gap.to)), reason: "" },
    validate: {
      state: (text) => (text.trim() === "" ? t("finding.answer.stateMissing") : null),
      changed_at: (text) => (fromLocalInput(text) ? null : t("finding.answer.changedMissing")),
      reason: (text) => (text.trim() === "" ? t("finding.reasonMissing") : null),
    },
  });
  const submit = form.onSubmit(({ state, changed_at, reason }) =>
    answer.mutate(
      {
        state: state.trim(),
        changed_at: within(gap, fromLocalInput(changed_at)),
        reason: reason.trim(),
      },
      answered(form, onClose, t("finding.answer.done")),
    ),
  );
  return (
    <DialogForm
      submit={t("finding.answer.open")}
      onSubmit={submit}
      onCancel={onClose}
      pending={answer.isPending}
      error={answer.error}
    >
      <Text size="sm" c="dimmed">
        {t("finding.answer.hint")}
      </Text>
      <TextInput
        type="datetime-local"
        step={1}
        label={t("finding.answer.changed")}
        withAsterisk
        {...form.getInputProps("changed_at")}
      />
      <TextInput label={t("finding.answer.state")} withAsterisk {...form.getInputProps("state")} />
      <ReasonField label={t("finding.reason")} {...form.getInputProps("reason")} />
    </DialogForm>
  );
}

/** The field knows whole seconds; an end of the gap that it shows is that end to the millisecond. */
export function within({ from, to }: Pick<UsageGap, "from" | "to">, chosen: Date | null): string {
  if (!chosen) return to;
  const seconds = (at: string) => Math.floor(new Date(at).getTime() / 1000);
  const second = Math.floor(chosen.getTime() / 1000);
  if (second === seconds(to)) return to;
  if (second === seconds(from)) return from;
  return chosen.toISOString();
}

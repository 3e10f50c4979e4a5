// An instance's labels on its page, and the dialog that changes them.
import { Badge, Button, Group, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { usePatchInstance } from "../../api/actions";
import type { Instance } from "../../api/types";
import { answered } from "../../components/formErrors";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { Nothing } from "../../components/When";
import { labelChange, labelsText, parseLabels } from "./labels";

export function LabelsFact({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const [editing, setEditing] = useState(false);
  const close = () => setEditing(false);
  const { name, labels } = instance;
  const all = Object.entries(labels);
  return (
    <Group gap={6}>
      {all.length === 0 && <Nothing />}
      {all.map(([key, value]) => (
        <Badge key={key} variant="default" tt="none" radius="sm">
          {`${key}=${value}`}
        </Badge>
      ))}
      {instance.wanted !== "absent" && (
        <Button
          variant="subtle"
          size="compact-xs"
          aria-label={t("instance.labels.title", { name })}
          onClick={() => setEditing(true)}
        >
          {t("action.edit")}
        </Button>
      )}
      <Dialog title={t("instance.labels.title", { name })} opened={editing} onClose={close}>
        <LabelsForm instance={instance} onClose={close} />
      </Dialog>
    </Group>
  );
}

function LabelsForm({ instance, onClose }: { instance: Instance; onClose: () => void }) {
  const { t } = useTranslation();
  const { id, name } = instance;
  // As they were when the dialog opened: the difference is what its user changed.
  const [before] = useState(instance.labels);
  const patch = usePatchInstance(id);
  const form = useForm({
    initialValues: { labels: labelsText(before) },
    validate: { labels: (text) => (parseLabels(text) ? null : t("instance.labels.wrong")) },
  });
  const submit = form.onSubmit(({ labels }) =>
    patch.mutate(
      { labels: labelChange(before, parseLabels(labels) ?? before) },
      answered(form, onClose, t("instance.labels.done", { name })),
    ),
  );
  return (
    <DialogForm
      submit={t("action.save")}
      onSubmit={submit}
      onCancel={onClose}
      pending={patch.isPending}
      error={patch.error}
    >
      <Textarea
        label={t("instance.labels.field")}
        description={t("instance.labels.hint")}
        autosize
        minRows={3}
        maxRows={16}
        spellCheck={false}
        data-autofocus
        {...form.getInputProps("labels")}
      />
    </DialogForm>
  );
}

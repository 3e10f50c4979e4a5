// An instance's flavor on its page, and the dialog that makes it another one.
import { Button, Group, Select, Text, Tooltip } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useResizeInstance } from "../../api/actions";
import type { Instance } from "../../api/types";
import { answered } from "../../components/formErrors";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { useFlavorName } from "../../components/useNames";
import { useFlavorOptions, useFlavorText } from "./flavors";

export function FlavorFact({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const [resizing, setResizing] = useState(false);
  const close = () => setResizing(false);
  const flavorText = useFlavorText();
  const flavorName = useFlavorName();
  const { name, flavor_id, resize_flavor_id } = instance;
  return (
    <Group gap={6}>
      {flavorText({ ...instance, name: flavorName(flavor_id) })}
      {resize_flavor_id && (
        <Text size="xs" c="dimmed">
          {t("instance.resize.becoming", { flavor: flavorName(resize_flavor_id) })}
        </Text>
      )}
      {instance.wanted !== "absent" && (
        <ResizeButton instance={instance} onClick={() => setResizing(true)} />
      )}
      <Dialog title={t("instance.resize.title", { name })} opened={resizing} onClose={close}>
        <ResizeForm instance={instance} onClose={close} />
      </Dialog>
    </Group>
  );
}

/** What must be otherwise before it can be resized. */
function obstacleOf({ resize_flavor_id, locked, state, power }: Instance) {
  if (resize_flavor_id) return "resizing";
  if (locked) return "locked";
  return state === "stopped" && power === "stopped" ? null : "power";
}

function ResizeButton({ instance, onClick }: { instance: Instance; onClick: () => void }) {
  const { t } = useTranslation();
  const obstacle = obstacleOf(instance);
  return (
    <Tooltip
      label={obstacle && t(`instance.resize.obstacle.${obstacle}`)}
      disabled={!obstacle}
      events={{ hover: true, focus: true, touch: true }}
    >
      <Button
        variant="subtle"
        size="compact-xs"
        aria-label={t("instance.resize.title", { name: instance.name })}
        // Not `disabled`: such a button is not pointed at or focused, and could not say why.
        aria-disabled={obstacle !== null}
        data-disabled={obstacle !== null || undefined}
        onClick={obstacle ? undefined : onClick}
      >
        {t("instance.resize.verb")}
      </Button>
    </Tooltip>
  );
}

function ResizeForm({ instance, onClose }: { instance: Instance; onClose: () => void }) {
  const { t } = useTranslation();
  const { id, name, flavor_id, disk_gib } = instance;
  const flavors = useFlavorOptions(
    (flavor) => flavor.id !== flavor_id && flavor.disk_gib >= disk_gib,
  );
  const resize = useResizeInstance(id);
  const form = useForm({
    initialValues: { flavor_id: "" },
    validate: { flavor_id: (value) => (value ? null : t("instance.create.flavorMissing")) },
  });
  const submit = form.onSubmit((body) =>
    resize.mutate(body, answered(form, onClose, t("instance.resize.done", { name }))),
  );
  return (
    <DialogForm
      submit={t("instance.resize.verb")}
      onSubmit={submit}
      onCancel={onClose}
      pending={resize.isPending}
      error={resize.error ?? flavors.error}
    >
      <Select
        label={t("instance.resize.field")}
        description={t("instance.resize.hint")}
        withAsterisk
        searchable
        allowDeselect={false}
        data={flavors.options}
        nothingFoundMessage={t("common.nothingFound")}
        {...form.getInputProps("flavor_id")}
      />
    </DialogForm>
  );
}

import { Select, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useCreateInstance } from "../../api/actions";
import { imagesQuery, tenantsQuery } from "../../api/queries";
import { showAtField } from "../../components/formErrors";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { notifyDone } from "../../components/notify";
import { useMe } from "../../shell/me";
import { useFlavorOptions } from "./flavors";
import { parseLabels } from "./labels";

/** As OpenSSH writes a public key: its kind, the key, and perhaps a comment. */
const SSH_KEY =
  /^(ssh-(rsa|ed25519)|ecdsa-sha2-nistp\d+|sk-\S+@openssh\.com) [A-Za-z0-9+/]+=*( .*)?$/;

export function CreateInstanceDialog({
  opened,
  onClose,
}: {
  opened: boolean;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  return (
    <Dialog title={t("instance.create.title")} opened={opened} onClose={onClose} size="lg">
      <CreateInstanceForm onClose={onClose} />
    </Dialog>
  );
}

function useChoices() {
  const { isOperator } = useMe();
  const flavors = useFlavorOptions();
  const images = useQuery(imagesQuery);
  const tenants = useQuery({ ...tenantsQuery, enabled: isOperator });
  return {
    error: flavors.error ?? images.error ?? tenants.error,
    flavors: flavors.options,
    images:
      images.data
        ?.filter(({ state }) => state === "active")
        .map(({ id, name }) => ({ value: id, label: name })) ?? [],
    tenants: tenants.data?.map(({ id, name }) => ({ value: id, label: name })) ?? [],
  };
}

export function CreateInstanceForm({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const { isOperator } = useMe();
  const choices = useChoices();
  const create = useCreateInstance();
  const form = useForm({
    initialValues: {
      name: "",
      tenant_id: "",
      flavor_id: "",
      image_id: "",
      ssh_key: "",
      user_data: "",
      labels: "",
    },
    validate: {
      name: (value) => (value.trim() === "" ? t("instance.create.nameMissing") : null),
      tenant_id: (value) => (isOperator && !value ? t("instance.create.tenantMissing") : null),
      flavor_id: (value) => (value ? null : t("instance.create.flavorMissing")),
      image_id: (value) => (value ? null : t("instance.create.imageMissing")),
      ssh_key: (value) =>
        value.trim() === "" || SSH_KEY.test(value.trim()) ? null : t("instance.create.sshKeyWrong"),
      labels: (text) => (parseLabels(text) ? null : t("instance.labels.wrong")),
    },
  });
  const submit = form.onSubmit((values) =>
    create.mutate(
      {
        name: values.name.trim(),
        flavor_id: values.flavor_id,
        image_id: values.image_id,
        ssh_key: values.ssh_key.trim() || undefined,
        user_data: values.user_data.trim() ? values.user_data : undefined,
        labels: values.labels.trim() ? (parseLabels(values.labels) ?? undefined) : undefined,
        tenant_id: isOperator ? values.tenant_id : undefined,
      },
      {
        onSuccess: (operation) => {
          notifyDone(t("instance.create.done", { name: operation.target_name }));
          onClose();
        },
        onError: (error) => showAtField(form, error),
      },
    ),
  );
  return (
    <DialogForm
      submit={t("action.create")}
      onSubmit={submit}
      onCancel={onClose}
      pending={create.isPending}
      error={create.error ?? choices.error}
    >
      <TextInput
        label={t("field.name")}
        withAsterisk
        data-autofocus
        {...form.getInputProps("name")}
      />
      {isOperator && (
        <Select
          label={t("field.tenant")}
          withAsterisk
          searchable
          allowDeselect={false}
          data={choices.tenants}
          nothingFoundMessage={t("common.nothingFound")}
          {...form.getInputProps("tenant_id")}
        />
      )}
      <Select
        label={t("field.flavor")}
        withAsterisk
        searchable
        allowDeselect={false}
        data={choices.flavors}
        nothingFoundMessage={t("common.nothingFound")}
        {...form.getInputProps("flavor_id")}
      />
      <Select
        label={t("field.image")}
        withAsterisk
        searchable
        allowDeselect={false}
        data={choices.images}
        nothingFoundMessage={t("common.nothingFound")}
        {...form.getInputProps("image_id")}
      />
      <Textarea
        label={t("field.sshKey")}
        description={t("instance.create.sshKeyHint")}
        autosize
        minRows={2}
        maxRows={4}
        spellCheck={false}
        {...form.getInputProps("ssh_key")}
      />
      <Textarea
        label={t("field.userData")}
        description={t("instance.create.userDataHint")}
        autosize
        minRows={2}
        maxRows={8}
        spellCheck={false}
        {...form.getInputProps("user_data")}
      />
      <Textarea
        label={t("instance.labels.field")}
        description={t("instance.labels.hint")}
        autosize
        minRows={2}
        maxRows={8}
        spellCheck={false}
        {...form.getInputProps("labels")}
      />
    </DialogForm>
  );
}

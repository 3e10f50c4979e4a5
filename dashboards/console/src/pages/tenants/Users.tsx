import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconUserPlus, IconUsers } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useCreateUser } from "../../api/actions";
import { usersQuery } from "../../api/queries";
import type { Tenant, User } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { showAtField } from "../../components/formErrors";
import { notifyDone } from "../../components/notify";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { TokenOnce } from "../../components/TokenOnce";
import { When } from "../../components/When";

export function TenantUsers({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation();
  const [adding, { open, close }] = useDisclosure();
  const query = useQuery(usersQuery);
  const columns: Column<User>[] = [
    {
      id: "login",
      header: t("user.login"),
      isTitle: true,
      sort: ({ login }) => login,
      cell: ({ login }) => login,
    },
    {
      id: "created",
      header: t("field.created"),
      sort: ({ created_at }) => created_at,
      cell: ({ created_at }) => <When at={created_at} />,
    },
    {
      id: "password",
      header: t("login.password"),
      cell: ({ has_password }) => t(has_password ? "user.passwordSet" : "user.passwordMissing"),
    },
  ];
  return (
    <Panel
      title={t("user.title")}
      flush
      aside={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconUserPlus size={15} aria-hidden />}
          onClick={open}
        >
          {t("user.create.open")}
        </Button>
      }
    >
      <QueryView query={query}>
        {(users) => (
          <DataTable
            label={t("user.title")}
            columns={columns}
            rows={users.filter(({ tenant_id }) => tenant_id === tenant.id)}
            rowId={({ id }) => id}
            empty={<Empty icon={IconUsers} title={t("user.empty")} hint={t("user.emptyHint")} />}
          />
        )}
      </QueryView>
      <Dialog title={t("user.create.title", { name: tenant.name })} opened={adding} onClose={close}>
        <CreateUserForm tenantId={tenant.id} onClose={close} />
      </Dialog>
    </Panel>
  );
}

function CreateUserForm({ tenantId, onClose }: { tenantId: string; onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateUser();
  const form = useForm({
    initialValues: { login: "", password: "" },
    validate: { login: (value) => (value.trim() === "" ? t("login.loginMissing") : null) },
  });
  if (create.data?.setup_url) {
    return (
      <TokenOnce
        title={t("user.create.link", { login: create.data.login })}
        hint={t("user.create.linkHint")}
        secret={create.data.setup_url}
        onClose={onClose}
      />
    );
  }
  const submit = form.onSubmit(({ login, password }) =>
    create.mutate(
      {
        login: login.trim(),
        role: "member",
        tenant_id: tenantId,
        password: password === "" ? undefined : password,
      },
      {
        onSuccess: (created) => {
          notifyDone(t("user.create.done", { login: created.login }));
          if (!created.setup_url) onClose();
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
      error={create.error}
    >
      <TextInput
        label={t("login.login")}
        description={t("user.create.loginHint")}
        withAsterisk
        data-autofocus
        autoComplete="off"
        {...form.getInputProps("login")}
      />
      <PasswordInput
        label={t("login.password")}
        description={t("user.create.passwordHint")}
        autoComplete="new-password"
        visibilityToggleButtonProps={{ "aria-label": t("login.showPassword") }}
        {...form.getInputProps("password")}
      />
    </DialogForm>
  );
}

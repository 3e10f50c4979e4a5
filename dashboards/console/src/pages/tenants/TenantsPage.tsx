import { Button, Select, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconBuildingCommunity, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useCreateTenant } from "../../api/actions";
import { priceBooksQuery, tenantsQuery } from "../../api/queries";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { showAtField } from "../../components/formErrors";
import { notifyDone } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { Empty } from "../../components/Empty";
import { TenantTable } from "./TenantTable";

export function TenantsPage() {
  const { t } = useTranslation();
  const [adding, { open, close }] = useDisclosure();
  const query = useQuery(tenantsQuery);
  return (
    <>
      <PageHeader
        title={t("nav.tenants")}
        description={t("tenant.about")}
        actions={
          <Button leftSection={<IconPlus size={17} aria-hidden />} onClick={open}>
            {t("tenant.create.open")}
          </Button>
        }
      />
      <Panel flush>
        <QueryView query={query} lines={5}>
          {(tenants) => (
            <TenantTable
              tenants={tenants}
              empty={
                <Empty
                  icon={IconBuildingCommunity}
                  title={t("tenant.empty")}
                  hint={t("tenant.emptyHint")}
                />
              }
            />
          )}
        </QueryView>
      </Panel>
      <Dialog title={t("tenant.create.title")} opened={adding} onClose={close}>
        <CreateTenantForm onClose={close} />
      </Dialog>
    </>
  );
}

function CreateTenantForm({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateTenant();
  const books = useQuery(priceBooksQuery);
  const form = useForm({
    initialValues: { name: "", currency: "CNY", price_book_id: null as string | null },
    validate: {
      name: (value) => (value.trim() === "" ? t("form.nameMissing") : null),
      currency: (value) => (/^[A-Z]{3}$/.test(value) ? null : t("tenant.create.currencyWrong")),
    },
  });
  const submit = form.onSubmit((values) =>
    create.mutate(
      {
        name: values.name.trim(),
        currency: values.currency,
        price_book_id: values.price_book_id ?? undefined,
      },
      {
        onSuccess: ({ name }) => {
          notifyDone(t("tenant.create.done", { name }));
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
      error={create.error ?? books.error}
    >
      <TextInput
        label={t("field.name")}
        withAsterisk
        data-autofocus
        {...form.getInputProps("name")}
      />
      <TextInput
        label={t("tenant.currency")}
        description={t("tenant.create.currencyHint")}
        withAsterisk
        {...form.getInputProps("currency")}
      />
      <Select
        label={t("tenant.priceBook")}
        description={t("tenant.create.priceBookHint")}
        clearable
        data={books.data?.map(({ id, name, currency }) => ({
          value: id,
          label: `${name} (${currency})`,
        }))}
        {...form.getInputProps("price_book_id")}
      />
    </DialogForm>
  );
}

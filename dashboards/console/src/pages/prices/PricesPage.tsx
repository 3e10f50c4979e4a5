import { Button, Select, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus, IconTags } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useCreatePriceBook } from "../../api/actions";
import { priceBooksQuery, tenantsQuery } from "../../api/queries";
import type { PriceBook } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { showAtField } from "../../components/formErrors";
import { TextLink } from "../../components/links";
import { notifyDone } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { useNow } from "../../components/useNow";
import { useTenantName } from "../../components/useNames";
import { Instant, Nothing } from "../../components/When";
import { inForce } from "./versions";

const REFRESH_MS = 60_000;

export function PricesPage() {
  const { t } = useTranslation();
  const [adding, { open, close }] = useDisclosure();
  const query = useQuery(priceBooksQuery);
  return (
    <>
      <PageHeader
        title={t("nav.prices")}
        description={t("price.about")}
        actions={
          <Button leftSection={<IconPlus size={17} aria-hidden />} onClick={open}>
            {t("price.book.create")}
          </Button>
        }
      />
      <Panel flush>
        <QueryView query={query} lines={5}>
          {(books) => <BookTable books={books} />}
        </QueryView>
      </Panel>
      <Dialog title={t("price.book.createTitle")} opened={adding} onClose={close}>
        <CreateBookForm onClose={close} />
      </Dialog>
    </>
  );
}

function BookTable({ books }: { books: readonly PriceBook[] }) {
  const { t } = useTranslation();
  const tenantName = useTenantName();
  const now = useNow(REFRESH_MS);
  const columns: Column<PriceBook>[] = [
    {
      id: "name",
      header: t("field.name"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: ({ id, name }) => (
        <TextLink to="/prices/$id" params={{ id }} fw={600} size="sm">
          {name}
        </TextLink>
      ),
    },
    {
      id: "currency",
      header: t("tenant.currency"),
      sort: ({ currency }) => currency,
      cell: ({ currency }) => currency,
    },
    {
      id: "owner",
      header: t("price.book.owner"),
      cell: ({ tenant_id }) =>
        tenant_id ? tenantName(tenant_id) : <Text size="sm">{t("price.book.anybody")}</Text>,
    },
    {
      id: "version",
      header: t("price.version.inForce"),
      cell: ({ versions }) => {
        const version = inForce(versions, now);
        return version ? t("price.version.number", { number: version.number }) : <Nothing />;
      },
    },
    {
      id: "since",
      header: t("price.version.since"),
      cell: ({ versions }) => <Instant at={inForce(versions, now)?.effective_at} />,
    },
  ];
  return (
    <DataTable
      label={t("nav.prices")}
      columns={columns}
      rows={books}
      rowId={({ id }) => id}
      empty={<Empty icon={IconTags} title={t("price.empty")} hint={t("price.emptyHint")} />}
    />
  );
}

function CreateBookForm({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreatePriceBook();
  const tenants = useQuery(tenantsQuery);
  const form = useForm({
    initialValues: { name: "", currency: "CNY", tenant_id: null as string | null },
    validate: {
      name: (value) => (value.trim() === "" ? t("form.nameMissing") : null),
      currency: (value) => (/^[A-Z]{3}$/.test(value) ? null : t("tenant.create.currencyWrong")),
    },
  });
  const submit = form.onSubmit(({ name, currency, tenant_id }) =>
    create.mutate(
      { name: name.trim(), currency, tenant_id: tenant_id ?? undefined },
      {
        onSuccess: (book) => {
          notifyDone(t("price.book.created", { name: book.name }));
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
      error={create.error ?? tenants.error}
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
        label={t("price.book.owner")}
        description={t("price.book.ownerHint")}
        clearable
        searchable
        nothingFoundMessage={t("common.nothingFound")}
        data={tenants.data?.map(({ id, name }) => ({ value: id, label: name }))}
        {...form.getInputProps("tenant_id")}
      />
    </DialogForm>
  );
}

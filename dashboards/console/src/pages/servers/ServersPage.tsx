import { Button, PasswordInput, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus, IconServerBolt } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useCreateServer } from "../../api/actions";
import { serversQuery } from "../../api/queries";
import type { Server } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { showAtField } from "../../components/formErrors";
import { TextLink } from "../../components/links";
import { notifyDone } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { StatusBadge } from "../../components/StatusBadge";
import { Nothing, When } from "../../components/When";
import { manufacturerOf, worstState } from "./sensors";

export function ServersPage() {
  const { t } = useTranslation();
  const [adding, { open, close }] = useDisclosure();
  const query = useQuery(serversQuery);
  const columns = useServerColumns();
  return (
    <>
      <PageHeader
        title={t("nav.servers")}
        description={t("server.about")}
        actions={
          <Button leftSection={<IconPlus size={17} aria-hidden />} onClick={open}>
            {t("server.create.open")}
          </Button>
        }
      />
      <Panel flush>
        <QueryView query={query} lines={5}>
          {(servers) => (
            <DataTable
              label={t("nav.servers")}
              columns={columns}
              rows={servers}
              rowId={({ id }) => id}
              empty={
                <Empty
                  icon={IconServerBolt}
                  title={t("server.empty")}
                  hint={t("server.emptyHint")}
                />
              }
            />
          )}
        </QueryView>
      </Panel>
      <Dialog title={t("server.create.title")} opened={adding} onClose={close}>
        <CreateServerForm onClose={close} />
      </Dialog>
    </>
  );
}

function useServerColumns(): Column<Server>[] {
  const { t } = useTranslation();
  return [
    {
      id: "name",
      header: t("field.name"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: ({ id, name }) => (
        <TextLink to="/servers/$id" params={{ id }} fw={600} size="sm">
          {name}
        </TextLink>
      ),
    },
    {
      id: "power",
      header: t("server.power"),
      sort: ({ power }) => power,
      cell: ({ power, reason }) => (
        <>
          <StatusBadge kind="power" value={power} />
          {reason && (
            <Text size="xs" c="dimmed" maw={320}>
              {reason}
            </Text>
          )}
        </>
      ),
    },
    {
      id: "sensors",
      header: t("server.sensors"),
      cell: ({ sensors }) => {
        const worst = worstState(sensors);
        return worst === null ? <Nothing /> : <StatusBadge kind="sensor" value={worst} />;
      },
    },
    {
      id: "device",
      header: t("server.device"),
      cell: ({ device }) => {
        const maker = manufacturerOf(device);
        return maker ? (
          t("server.madeBy", { maker, product: device?.product_id ?? "" })
        ) : (
          <Nothing />
        );
      },
    },
    {
      id: "bmc",
      header: t("server.bmc"),
      sort: ({ bmc_address }) => bmc_address,
      cell: ({ bmc_address }) => (
        <Text size="sm" ff="monospace">
          {bmc_address}
        </Text>
      ),
    },
    {
      id: "observed",
      header: t("server.observed"),
      sort: ({ observed_at }) => observed_at ?? "",
      cell: ({ observed_at }) => <When at={observed_at} />,
    },
  ];
}

function CreateServerForm({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateServer();
  const form = useForm({
    initialValues: { name: "", bmc_address: "", bmc_user: "", bmc_password: "" },
    validate: {
      name: (value) => (value.trim() === "" ? t("form.nameMissing") : null),
      bmc_address: (value) => (value.trim() === "" ? t("server.create.addressMissing") : null),
      bmc_user: (value) => (value === "" ? t("server.create.userMissing") : null),
    },
  });
  const submit = form.onSubmit((values) =>
    create.mutate(
      { ...values, name: values.name.trim(), bmc_address: values.bmc_address.trim() },
      {
        onSuccess: ({ name }) => {
          notifyDone(t("server.create.done", { name }));
          onClose();
        },
        onError: (error) => showAtField(form, error),
      },
    ),
  );
  return (
    <DialogForm
      submit={t("action.register")}
      onSubmit={submit}
      onCancel={onClose}
      pending={create.isPending}
      error={create.error}
    >
      <TextInput
        label={t("field.name")}
        withAsterisk
        data-autofocus
        {...form.getInputProps("name")}
      />
      <TextInput
        label={t("server.create.address")}
        description={t("server.create.addressHint")}
        withAsterisk
        spellCheck={false}
        {...form.getInputProps("bmc_address")}
      />
      <TextInput
        label={t("server.create.user")}
        withAsterisk
        autoComplete="off"
        spellCheck={false}
        {...form.getInputProps("bmc_user")}
      />
      <PasswordInput
        label={t("server.create.password")}
        autoComplete="new-password"
        visibilityToggleButtonProps={{ "aria-label": t("login.showPassword") }}
        {...form.getInputProps("bmc_password")}
      />
    </DialogForm>
  );
}

import { Button, Progress, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus, IconServer2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useCreateHost } from "../../api/actions";
import { hostsQuery } from "../../api/queries";
import type { Host } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { showAtField } from "../../components/formErrors";
import { TextLink } from "../../components/links";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { StatusBadge } from "../../components/StatusBadge";
import { TokenOnce } from "../../components/TokenOnce";
import { When } from "../../components/When";
import { formatMib } from "../../format/quantity";

export function HostsPage() {
  const { t } = useTranslation();
  const [adding, { open, close }] = useDisclosure();
  const query = useQuery(hostsQuery);
  const columns = useHostColumns();
  return (
    <>
      <PageHeader
        title={t("nav.hosts")}
        description={t("host.about")}
        actions={
          <Button leftSection={<IconPlus size={17} aria-hidden />} onClick={open}>
            {t("host.create.open")}
          </Button>
        }
      />
      <Panel flush>
        <QueryView query={query} lines={5}>
          {(hosts) => (
            <DataTable
              label={t("nav.hosts")}
              columns={columns}
              rows={hosts}
              rowId={({ id }) => id}
              empty={
                <Empty icon={IconServer2} title={t("host.empty")} hint={t("host.emptyHint")} />
              }
            />
          )}
        </QueryView>
      </Panel>
      <Dialog title={t("host.create.title")} opened={adding} onClose={close}>
        <CreateHostForm onClose={close} />
      </Dialog>
    </>
  );
}

function useHostColumns(): Column<Host>[] {
  const { t } = useTranslation();
  return [
    {
      id: "name",
      header: t("field.name"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: ({ id, name }) => (
        <TextLink to="/hosts/$id" params={{ id }} fw={600} size="sm">
          {name}
        </TextLink>
      ),
    },
    {
      id: "status",
      header: t("field.state"),
      sort: ({ status }) => status,
      cell: (host) => (
        <Stack gap={2} align="flex-start">
          <StatusBadge kind="host" value={host.status} />
          {host.state === "disabled" && <StatusBadge kind="host_state" value="disabled" />}
          {host.reason && (
            <Text size="xs" c="dimmed" maw={320}>
              {host.reason}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      id: "cpu",
      header: t("host.vcpus"),
      cell: ({ vcpus_placed, cpus, cpu_ratio_pct }) => (
        <Taken used={vcpus_placed} of={Math.floor((cpus * cpu_ratio_pct) / 100)} show={String} />
      ),
    },
    {
      id: "memory",
      header: t("host.memory"),
      cell: (host) => <TakenMemory host={host} />,
    },
    { id: "hypervisor", header: t("host.hypervisor"), cell: (host) => <Hypervisor host={host} /> },
    {
      id: "reported",
      header: t("host.lastReport"),
      sort: ({ last_report_at }) => last_report_at ?? "",
      cell: ({ last_report_at }) => <When at={last_report_at} />,
    },
  ];
}

export function TakenMemory({ host }: { host: Host }) {
  const { i18n } = useTranslation();
  const { memory_mib_placed, memory_mib, memory_ratio_pct } = host;
  return (
    <Taken
      used={memory_mib_placed}
      of={Math.floor((memory_mib * memory_ratio_pct) / 100)}
      show={(mib) => formatMib(mib, i18n.language)}
    />
  );
}

/** What is placed of what the host may carry. */
export function Taken({
  used,
  of,
  show,
}: {
  used: number;
  of: number;
  show: (n: number) => string;
}) {
  const { t } = useTranslation();
  const text = t("common.of", { used: show(used), total: show(of) });
  return (
    <div style={{ minWidth: 110 }}>
      <Text size="sm" className="figures">
        {text}
      </Text>
      <Progress size="sm" mt={3} value={of === 0 ? 0 : (used / of) * 100} aria-label={text} />
    </div>
  );
}

/** KVM or emulation, and by what. */
export function Hypervisor({ host }: { host: Host }) {
  const { t } = useTranslation();
  const kind =
    host.domain_type === "kvm"
      ? t("host.kvm")
      : host.domain_type === "qemu"
        ? t("host.tcg")
        : t("common.unknown");
  return (
    <Text size="sm" component="div">
      {kind}
      {host.hypervisor_version && (
        <Text span size="xs" c="dimmed" ml={6}>
          {host.hypervisor_version}
        </Text>
      )}
    </Text>
  );
}

function CreateHostForm({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateHost();
  const form = useForm({
    initialValues: { name: "" },
    validate: { name: (value) => (value.trim() === "" ? t("form.nameMissing") : null) },
  });
  if (create.data) {
    return (
      <TokenOnce
        title={t("host.create.token")}
        hint={t("host.create.tokenHint")}
        secret={create.data.token}
        onClose={onClose}
      />
    );
  }
  const submit = form.onSubmit(({ name }) =>
    create.mutate({ name: name.trim() }, { onError: (error) => showAtField(form, error) }),
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
        description={t("host.create.nameHint")}
        withAsterisk
        data-autofocus
        {...form.getInputProps("name")}
      />
    </DialogForm>
  );
}

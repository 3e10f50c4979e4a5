// Requests for a higher quota, with what whoever looks can do about them.
import { Button, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAdjustmentsUp } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useWithdrawQuota } from "../../api/actions";
import type { QuotaRequest } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Dialog } from "../../components/FormDialog";
import { TextLink } from "../../components/links";
import { notifyDone, notifyProblem } from "../../components/notify";
import { LimitLines } from "../../components/QuotaLimits";
import { StatusBadge } from "../../components/StatusBadge";
import { useConfirm } from "../../components/useConfirm";
import { useTenantName } from "../../components/useNames";
import { Nothing, When } from "../../components/When";
import { useMe } from "../../shell/me";
import { ApproveForm, RefuseForm } from "./DecideForms";

interface Props {
  label: string;
  requests: readonly QuotaRequest[];
  /** Of many tenants: each is named. */
  ofAll?: boolean;
}

export function RequestTable({ label, requests, ofAll = false }: Props) {
  const { t } = useTranslation();
  const tenantName = useTenantName();
  const answerColumns = useAnswerColumns();
  const tenant: Column<QuotaRequest> = {
    id: "tenant",
    header: t("field.tenant"),
    isTitle: true,
    cell: ({ tenant_id }) => (
      <TextLink to="/tenants/$id" params={{ id: tenant_id }} fw={600} size="sm">
        {tenantName(tenant_id)}
      </TextLink>
    ),
  };
  const columns: Column<QuotaRequest>[] = [
    ...(ofAll ? [tenant] : []),
    {
      id: "asked",
      header: t("quota.request.asked"),
      isTitle: !ofAll,
      cell: ({ items }) => <LimitLines limits={items} />,
    },
    {
      id: "state",
      header: t("field.state"),
      cell: ({ state }) => <StatusBadge kind="quota_request" value={state} />,
    },
    {
      id: "reason",
      header: t("quota.request.reason"),
      cell: ({ reason }) => <Words text={reason} />,
    },
    ...(ofAll ? [] : answerColumns),
    {
      id: "created",
      header: t("field.created"),
      cell: ({ created_at }) => <When at={created_at} />,
    },
    {
      id: "actions",
      header: t("field.actions"),
      isActions: true,
      cell: (request) => <Actions request={request} />,
    },
  ];
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={requests}
      rowId={({ id }) => id}
      empty={
        <Empty
          icon={IconAdjustmentsUp}
          title={t("quota.request.empty")}
          hint={t("quota.request.emptyHint")}
        />
      }
    />
  );
}

function useAnswerColumns(): Column<QuotaRequest>[] {
  const { t } = useTranslation();
  return [
    {
      id: "granted",
      header: t("quota.request.granted"),
      cell: ({ granted }) => (granted ? <LimitLines limits={granted} /> : <Nothing />),
    },
    {
      id: "answer",
      header: t("quota.request.answer"),
      cell: ({ answer }) => (answer ? <Words text={answer} /> : <Nothing />),
    },
  ];
}

function Words({ text }: { text: string }) {
  return (
    <Text size="sm" maw={320} style={{ whiteSpace: "pre-line", overflowWrap: "anywhere" }}>
      {text}
    </Text>
  );
}

function Actions({ request }: { request: QuotaRequest }) {
  const { isOperator } = useMe();
  if (request.state !== "pending") return null;
  return isOperator ? <Decide request={request} /> : <Withdraw request={request} />;
}

function Decide({ request }: { request: QuotaRequest }) {
  const { t } = useTranslation();
  const name = useTenantName()(request.tenant_id);
  const [approving, approve] = useDisclosure();
  const [refusing, refuse] = useDisclosure();
  const approveNamed = t("quota.approve.named", { name });
  const refuseNamed = t("quota.refuse.named", { name });
  return (
    <Group gap="xs" justify="flex-end">
      <Button size="xs" onClick={approve.open} aria-label={approveNamed}>
        {t("quota.approve.open")}
      </Button>
      <Button size="xs" variant="default" onClick={refuse.open} aria-label={refuseNamed}>
        {t("quota.refuse.open")}
      </Button>
      <Dialog title={approveNamed} opened={approving} onClose={approve.close}>
        <ApproveForm request={request} onClose={approve.close} />
      </Dialog>
      <Dialog title={refuseNamed} opened={refusing} onClose={refuse.close}>
        <RefuseForm request={request} onClose={refuse.close} />
      </Dialog>
    </Group>
  );
}

function Withdraw({ request }: { request: QuotaRequest }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const withdraw = useWithdrawQuota();
  const ask = () =>
    confirm({
      title: t("quota.withdraw.title"),
      consequence: t("quota.withdraw.consequence"),
      confirm: t("quota.withdraw.open"),
      onConfirm: () =>
        withdraw.mutate(request.id, {
          onSuccess: () => notifyDone(t("quota.withdraw.done")),
          onError: notifyProblem,
        }),
    });
  return (
    <Group justify="flex-end">
      <Button size="xs" variant="default" loading={withdraw.isPending} onClick={ask}>
        {t("quota.withdraw.open")}
      </Button>
    </Group>
  );
}

// A tenant's packages: when each is renewed and for how much, and when it ends.
import { Button, Code, Group, Stack, Text } from "@mantine/core";
import { IconPackage } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useCancelPackage } from "../../api/actions";
import type { Package } from "../../api/types";
import { Amount } from "../../components/Amount";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { notifyDone, notifyProblem } from "../../components/notify";
import { StatusBadge } from "../../components/StatusBadge";
import { useConfirm } from "../../components/useConfirm";
import { useNow } from "../../components/useNow";
import { Instant, Nothing } from "../../components/When";
import { LEDGER_DIGITS } from "../../format/money";
import { formatInstant } from "../../format/time";

const REFRESH_MS = 60_000;
/** As the server says that somebody cancelled it; any other reason is told in words. */
const CANCELLED = "cancelled";

/** It is renewed, ends with the month that is paid, or has ended. */
export function stateOf({ ends_at }: Package, nowMs: number): "active" | "ending" | "ended" {
  if (!ends_at) return "active";
  return Date.parse(ends_at) > nowMs ? "ending" : "ended";
}

interface Props {
  tenantId: string;
  currency: string;
  packages: readonly Package[];
}

export function PackageTable({ tenantId, currency, packages }: Props) {
  const { t } = useTranslation();
  const now = useNow(REFRESH_MS);
  const columns: Column<Package>[] = [
    {
      id: "name",
      header: t("package.one"),
      isTitle: true,
      sort: ({ name }) => name,
      cell: ({ name, rate }) => (
        <Group gap={6}>
          <Text span fw={600} size="sm" style={{ overflowWrap: "anywhere" }}>
            {name}
          </Text>
          {name !== rate && <Code>{rate}</Code>}
        </Group>
      ),
    },
    {
      id: "state",
      header: t("field.state"),
      cell: (one) => <StatusBadge kind="package" value={stateOf(one, now)} />,
    },
    {
      id: "ordered",
      header: t("package.column.ordered"),
      sort: ({ ordered_at }) => ordered_at,
      cell: ({ ordered_at }) => <Instant at={ordered_at} />,
    },
    {
      id: "renews",
      header: t("package.column.renews"),
      sort: ({ renews_at }) => renews_at ?? "",
      cell: ({ renews_at }) => <Instant at={renews_at} />,
    },
    {
      id: "price",
      header: t("package.column.price"),
      align: "right",
      cell: ({ price }) =>
        price ? (
          <Amount value={price} currency={currency} digits={LEDGER_DIGITS} size="sm" />
        ) : (
          <Nothing />
        ),
    },
    {
      id: "ends",
      header: t("package.column.ends"),
      cell: ({ ends_at, reason }) => (
        <Stack gap={0}>
          <Instant at={ends_at} />
          {reason !== "" && reason !== CANCELLED && (
            <Text size="xs" c="dimmed" maw={240} style={{ overflowWrap: "anywhere" }}>
              {t("package.unpriced")}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      id: "actions",
      header: t("field.actions"),
      isActions: true,
      cell: (one) => stateOf(one, now) === "active" && <Cancel tenantId={tenantId} one={one} />,
    },
  ];
  return (
    <DataTable
      label={t("package.title")}
      columns={columns}
      rows={packages.toReversed()}
      rowId={({ id }) => id}
      empty={<Empty icon={IconPackage} title={t("package.empty")} hint={t("package.emptyHint")} />}
    />
  );
}

function Cancel({ tenantId, one }: { tenantId: string; one: Package }) {
  const { t, i18n } = useTranslation();
  const confirm = useConfirm();
  const cancel = useCancelPackage(tenantId);
  const { id, name } = one;
  const until = one.renews_at ? formatInstant(one.renews_at, i18n.language) : "";
  const ask = () =>
    confirm({
      title: t("package.cancel.title", { name }),
      consequence: t("package.cancel.consequence", { until }),
      confirm: t("package.cancel.confirm"),
      danger: true,
      onConfirm: () =>
        cancel.mutate(id, {
          onSuccess: () => notifyDone(t("package.cancel.done", { name })),
          onError: notifyProblem,
        }),
    });
  return (
    <Group justify="flex-end">
      <Button
        size="xs"
        variant="default"
        loading={cancel.isPending}
        aria-label={t("package.cancel.named", { name })}
        onClick={ask}
      >
        {t("package.cancel.open")}
      </Button>
    </Group>
  );
}

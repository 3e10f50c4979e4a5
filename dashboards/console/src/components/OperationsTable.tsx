// Who asked for what, how it went, and how long it took.
import { Group, Progress, Stack, Text } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { operationsQuery } from "../api/queries";
import type { Operation } from "../api/types";
import en from "../i18n/en.json";
import { DataTable, type Column } from "./DataTable";
import { Empty } from "./Empty";
import { TextLink } from "./links";
import { QueryView } from "./QueryView";
import { StatusBadge } from "./StatusBadge";
import { Duration, When } from "./When";

interface Props {
  label: string;
  /** Of one instance or server only. */
  targetId?: string;
  /** Only the newest; the rest is on the operations page. */
  newest?: number;
}

export function OperationsTable({ label, targetId, newest }: Props) {
  const { t } = useTranslation();
  const query = useInfiniteQuery(operationsQuery(targetId));
  const columns = useOperationColumns(targetId === undefined);
  return (
    <QueryView query={query} lines={5}>
      {({ pages }) => (
        <DataTable
          label={label}
          columns={columns}
          rows={pages.flatMap((page) => page.items).slice(0, newest)}
          rowId={(operation) => operation.id}
          more={
            newest === undefined
              ? {
                  hasMore: query.hasNextPage,
                  loading: query.isFetchingNextPage,
                  load: () => void query.fetchNextPage(),
                }
              : undefined
          }
          empty={
            <Empty
              icon={IconHistory}
              title={t("operations.empty")}
              hint={t("operations.emptyHint")}
            />
          }
        />
      )}
    </QueryView>
  );
}

function useOperationColumns(withTarget: boolean): Column<Operation>[] {
  const { t } = useTranslation();
  const columns: Column<Operation>[] = [
    {
      id: "kind",
      header: t("operations.column.kind"),
      isTitle: true,
      cell: (operation) => <OperationName kind={operation.kind} />,
    },
    {
      id: "target",
      header: t("operations.column.target"),
      cell: (operation) => <Target operation={operation} />,
    },
    {
      id: "result",
      header: t("operations.column.result"),
      cell: (operation) => <Result operation={operation} />,
    },
    {
      id: "actor",
      header: t("operations.column.actor"),
      // Which of the operators it was, or which host, is not told to members.
      cell: ({ actor }) => actor.name || t("operations.byOperator"),
    },
    {
      id: "started",
      header: t("operations.column.started"),
      cell: (operation) => <When at={operation.started_at} />,
    },
    {
      id: "duration",
      header: t("operations.column.duration"),
      align: "right",
      cell: (operation) => <Duration ms={operation.duration_ms} />,
    },
  ];
  return withTarget ? columns : columns.filter(({ id }) => id !== "target");
}

/** A kind that this console does not know yet is shown as the server names it. */
export function OperationName({ kind }: { kind: string }) {
  const { t } = useTranslation();
  const key = kind.replace(/[.-]/g, "_");
  if (!Object.hasOwn(en.operations.kind, key)) return kind;
  return t(`operations.kind.${key as keyof typeof en.operations.kind}`);
}

function Target({ operation }: { operation: Operation }) {
  const { target_kind, target_id, target_name } = operation;
  const name = target_name || target_id.slice(0, 8);
  if (target_kind === "instance") {
    return (
      <TextLink to="/instances/$id" params={{ id: target_id }} size="sm">
        {name}
      </TextLink>
    );
  }
  if (target_kind === "server") {
    return (
      <TextLink to="/servers/$id" params={{ id: target_id }} size="sm">
        {name}
      </TextLink>
    );
  }
  return <Text size="sm">{name}</Text>;
}

function Result({ operation }: { operation: Operation }) {
  const { t } = useTranslation();
  const step = operation.steps.findLast(({ finished_at }) => !finished_at);
  const running = operation.state === "running";
  return (
    <Stack gap={4} align="flex-start">
      <Group gap="xs">
        <StatusBadge kind="operation" value={operation.state} />
        {running && step && (
          <Text size="xs" c="dimmed">
            {step.name}
          </Text>
        )}
      </Group>
      {running && (
        <Progress
          value={operation.progress_pct}
          w={120}
          size="sm"
          aria-label={t("operations.progress", { percent: operation.progress_pct })}
        />
      )}
      {operation.error && (
        <Text size="xs" c="var(--mantine-color-error)" maw={360}>
          {operation.error}
        </Text>
      )}
    </Stack>
  );
}

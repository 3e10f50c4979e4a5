// What was told to people, and whether it reached them.
import { Group, Stack, Text, Tooltip } from "@mantine/core";
import { IconMail, IconMailFast, IconWebhook } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { noticesQuery } from "../../api/queries";
import type { Notice } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { QueryView } from "../../components/QueryView";
import { StatusBadge } from "../../components/StatusBadge";
import { Nothing, When } from "../../components/When";

export function NoticeTable() {
  const { t } = useTranslation();
  const query = useInfiniteQuery(noticesQuery);
  const columns: Column<Notice>[] = [
    {
      id: "subject",
      header: t("notice.subject"),
      isTitle: true,
      cell: ({ subject, body }) => (
        <Stack gap={2}>
          <Text size="sm" fw={600}>
            {subject}
          </Text>
          <Text size="xs" c="dimmed" lineClamp={2} maw={520} style={{ whiteSpace: "pre-line" }}>
            {body}
          </Text>
        </Stack>
      ),
    },
    { id: "deliveries", header: t("notice.deliveries"), cell: (n) => <Deliveries notice={n} /> },
    {
      id: "created",
      header: t("notice.created"),
      cell: ({ created_at }) => <When at={created_at} />,
    },
  ];
  return (
    <QueryView query={query} lines={5}>
      {({ pages }) => (
        <DataTable
          label={t("notice.title")}
          columns={columns}
          rows={pages.flatMap((page) => page.items)}
          rowId={({ id }) => id}
          more={{
            hasMore: query.hasNextPage,
            loading: query.isFetchingNextPage,
            load: () => void query.fetchNextPage(),
          }}
          empty={
            <Empty icon={IconMailFast} title={t("notice.empty")} hint={t("notice.emptyHint")} />
          }
        />
      )}
    </QueryView>
  );
}

function Deliveries({ notice: { deliveries } }: { notice: Notice }) {
  const { t } = useTranslation();
  if (deliveries.length === 0) return <Nothing />;
  return (
    <Stack gap={4}>
      {deliveries.map(({ id, channel, target, state, attempts, last_error }) => (
        <Group key={id} gap={6}>
          {channel === "mail" ? (
            <IconMail size={15} aria-hidden />
          ) : (
            <IconWebhook size={15} aria-hidden />
          )}
          <Tooltip label={t("notice.attempts", { count: attempts })}>
            <Text size="xs" style={{ overflowWrap: "anywhere" }}>
              {target ?? channel}
            </Text>
          </Tooltip>
          <StatusBadge kind="delivery" value={state} size="sm" hint={last_error} />
        </Group>
      ))}
    </Stack>
  );
}

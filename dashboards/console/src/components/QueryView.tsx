// A query's three faces: waiting, wrong, there. What was there stays while it is read again.
import { Skeleton, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "./Problem";

interface Query<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

interface Props<T> {
  query: Query<T>;
  children: (data: T) => ReactNode;
  /** Lines of the placeholder. */
  lines?: number;
}

export function QueryView<T>({ query, children, lines = 3 }: Props<T>) {
  const { t } = useTranslation();
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <Stack gap="sm" role="status" aria-label={t("common.loading")}>
      {Array.from({ length: lines }, (_, i) => (
        <Skeleton key={i} height={18} width={`${100 - i * 12}%`} radius="sm" />
      ))}
    </Stack>
  );
}

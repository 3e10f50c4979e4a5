// What went wrong, what exactly, and the way out.
import { Alert, Button, Stack, Text } from "@mantine/core";
import { IconAlertOctagon, IconBulb, IconRefresh } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { toApiError } from "../api/problem";
import en from "../i18n/en.json";

const KINDS: Record<string, string> = en.problem.kind;

export function Problem({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  if (!error) return null;
  const { kind, detail, remedy } = toApiError(error);
  const known = (Object.hasOwn(KINDS, kind) ? kind : "unknown") as keyof typeof en.problem.kind;
  const unreachable = kind === "unreachable";
  return (
    <Alert
      role="alert"
      color="red"
      variant="light"
      icon={<IconAlertOctagon size={20} />}
      title={t(`problem.kind.${known}`)}
    >
      <Stack gap={6} align="flex-start">
        {detail && !unreachable && <Text size="sm">{detail}</Text>}
        {(remedy ?? unreachable) && (
          <Text size="sm" fw={550} style={{ display: "flex", gap: 6 }}>
            <IconBulb size={18} aria-hidden style={{ flex: "none", marginTop: 1 }} />
            <span>{unreachable ? t("problem.unreachableRemedy") : remedy}</span>
          </Text>
        )}
        {onRetry && (
          <Button
            size="compact-sm"
            variant="default"
            mt={4}
            leftSection={<IconRefresh size={14} />}
            onClick={onRetry}
          >
            {t("action.retry")}
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

// Answers to what was asked for outside of a form.
import { Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertOctagon, IconCheck } from "@tabler/icons-react";
import type { ApiError } from "../api/problem";
import i18n from "../i18n";
import en from "../i18n/en.json";

/** Long enough to read what is wrong and what to do. */
const PROBLEM_CLOSES_MS = 15_000;

export function notifyDone(message: string) {
  notifications.show({
    message,
    color: "teal",
    icon: <IconCheck size={18} />,
    closeButtonProps: { "aria-label": i18n.t("action.close") },
  });
}

export function notifyProblem({ kind, detail, remedy }: ApiError) {
  const known = Object.hasOwn(en.problem.kind, kind) ? kind : "unknown";
  const unreachable = kind === "unreachable";
  notifications.show({
    role: "alert",
    color: "red",
    icon: <IconAlertOctagon size={18} />,
    autoClose: PROBLEM_CLOSES_MS,
    closeButtonProps: { "aria-label": i18n.t("action.close") },
    title: i18n.t(`problem.kind.${known as "unknown"}`),
    message: (
      <Stack gap={2}>
        <Text size="sm">{unreachable ? i18n.t("problem.unreachableRemedy") : detail}</Text>
        {remedy && (
          <Text size="sm" fw={550}>
            {remedy}
          </Text>
        )}
      </Stack>
    ),
  });
}

import { Group, Text } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Instance } from "../../api/types";
import { StatusBadge } from "../../components/StatusBadge";

type Going = "starting" | "stopping" | "pausing" | "deleting";

const GOING: Record<Instance["power"], Going> = {
  running: "starting",
  stopped: "stopping",
  paused: "pausing",
  absent: "deleting",
};

/** Where it is going, while it is not there yet. */
export function goingTo({ power, state }: Instance): Going | null {
  if (power === state || state === "failed" || state === "building") return null;
  // What was never made is being made; what can't be seen is going nowhere we know of.
  if ((state === "pending" || state === "unknown") && power !== "absent") return null;
  return GOING[power];
}

export function InstanceStatus({ instance, size }: { instance: Instance; size?: "md" | "lg" }) {
  const { t } = useTranslation();
  const going = goingTo(instance);
  const { step, progress_pct } = instance;
  const progress = progress_pct === null || progress_pct === undefined ? "" : ` ${progress_pct}%`;
  return (
    <Group gap={6}>
      <StatusBadge kind="instance" value={instance.state} hint={instance.error} size={size} />
      {going && (
        <Text size="xs" c="dimmed">
          {t(`instance.going.${going}`)}
        </Text>
      )}
      {step && (
        <Text size="xs" c="dimmed">
          {step}
          {progress}
        </Text>
      )}
      {instance.locked && (
        <Text size="xs" c="dimmed" style={{ display: "inline-flex", alignItems: "center", gap: 3 }}>
          <IconLock size={13} aria-hidden />
          {t("instance.locked")}
        </Text>
      )}
      {instance.hold !== "none" && (
        <Text size="xs" c="var(--mantine-color-error)">
          {t(`instance.hold.${instance.hold}`)}
        </Text>
      )}
    </Group>
  );
}

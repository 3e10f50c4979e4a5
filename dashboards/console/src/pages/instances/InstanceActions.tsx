import { ActionIcon, Button, Group, Tooltip } from "@mantine/core";
import {
  IconLock,
  IconLockOpen,
  IconPlayerPlay,
  IconPlayerStop,
  IconTrash,
} from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { InstanceVerb } from "../../api/actions";
import type { Instance } from "../../api/types";
import { useMe } from "../../shell/me";
import { useInstanceVerbs } from "./useInstanceVerbs";

const ICONS = {
  start: IconPlayerPlay,
  stop: IconPlayerStop,
  lock: IconLock,
  unlock: IconLockOpen,
  delete: IconTrash,
};

const ROW_VERBS: readonly InstanceVerb[] = ["start", "stop", "delete"];

/** Small buttons for a row; each is named with the instance it acts on. */
export function InstanceRowActions({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { isOperator } = useMe();
  const verbOf = useInstanceVerbs(instance);
  return (
    <Group gap={2} wrap="nowrap" justify="flex-end">
      {ROW_VERBS.map((name) => {
        const verb = verbOf(name, isOperator);
        const Mark = ICONS[name];
        return (
          <Tooltip key={name} label={verb.label}>
            <ActionIcon
              variant="subtle"
              color={name === "delete" ? "red" : "gray"}
              aria-label={t("instance.verbNamed", { verb: verb.label, name: instance.name })}
              disabled={verb.disabled}
              loading={verb.pending}
              onClick={verb.run}
            >
              <Mark size={17} stroke={1.7} />
            </ActionIcon>
          </Tooltip>
        );
      })}
    </Group>
  );
}

/** Buttons for the head of the instance's own page. */
export function InstanceHeadActions({
  instance,
  onDeleted,
}: {
  instance: Instance;
  onDeleted: () => void;
}) {
  const { isOperator } = useMe();
  const verbOf = useInstanceVerbs(instance, onDeleted);
  const lock: InstanceVerb = instance.locked ? "unlock" : "lock";
  const verbs = isOperator ? (["start", "stop", lock, "delete"] as const) : ROW_VERBS;
  return verbs.map((name) => {
    const verb = verbOf(name, isOperator);
    const Mark = ICONS[name];
    return (
      <Button
        key={name}
        variant={name === "delete" ? "light" : "default"}
        color={name === "delete" ? "red" : undefined}
        leftSection={<Mark size={16} aria-hidden />}
        disabled={verb.disabled}
        loading={verb.pending}
        onClick={verb.run}
      >
        {verb.label}
      </Button>
    );
  });
}

// A state is an icon and a word; the colour only repeats them.
import { Badge, Tooltip } from "@mantine/core";
import {
  IconAlertTriangle,
  IconBan,
  IconBell,
  IconBellRinging,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconClockHour4,
  IconHelpCircle,
  IconLoader2,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
  IconPower,
  IconReplace,
  IconTrash,
  type Icon,
} from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type en from "../i18n/en.json";

export type StatusKind = keyof typeof en.status;
type Look = readonly [color: string, icon: Icon];

const OK: Look = ["teal", IconCircleCheck];
const BUSY: Look = ["blue", IconLoader2];
const WARNING: Look = ["yellow", IconAlertTriangle];
const BAD: Look = ["red", IconCircleX];
const QUIET: Look = ["gray", IconCircleDashed];
const UNKNOWN: Look = ["orange", IconHelpCircle];

const LOOKS: { [K in StatusKind]: Record<keyof (typeof en.status)[K], Look> } = {
  instance: {
    pending: ["blue", IconClockHour4],
    building: BUSY,
    running: ["teal", IconPlayerPlay],
    paused: ["yellow", IconPlayerPause],
    stopped: ["gray", IconPlayerStop],
    absent: ["gray", IconTrash],
    failed: BAD,
    unknown: UNKNOWN,
  },
  host: { ok: OK, unknown: UNKNOWN },
  host_state: { enabled: OK, disabled: ["gray", IconBan] },
  power: { on: ["teal", IconPower], off: ["gray", IconPower], unknown: UNKNOWN },
  sensor: { nominal: OK, warning: WARNING, critical: BAD, unknown: UNKNOWN },
  operation: {
    running: BUSY,
    succeeded: OK,
    failed: BAD,
    superseded: ["gray", IconReplace],
  },
  alert: { firing: ["red", IconBellRinging], pending: ["yellow", IconBell], resolved: OK },
  standing: {
    active: OK,
    warned: WARNING,
    overdue: ["orange", IconAlertTriangle],
    suspended: ["red", IconPlayerPause],
    stopped: ["red", IconPlayerStop],
    reclaim_pending: ["red", IconTrash],
    reclaimed: ["gray", IconTrash],
  },
  delivery: { pending: BUSY, delivered: OK, failed: BAD },
  quota_request: {
    pending: ["blue", IconClockHour4],
    approved: OK,
    refused: BAD,
    withdrawn: ["gray", IconBan],
  },
  package: { active: OK, ending: ["yellow", IconClockHour4], ended: QUIET },
  price_draft: { unchecked: QUIET, errors: BAD, warnings: WARNING, sound: OK },
  price_version: { upcoming: ["blue", IconClockHour4], in_force: OK, past: QUIET },
  reconciler: { running: BUSY, ok: OK, failing: BAD, waiting: QUIET },
};

/** The look of a state, none where this console does not know it yet. */
function lookOf(kind: StatusKind, value: string): Look | undefined {
  const looks: Record<string, Look> = LOOKS[kind];
  return Object.hasOwn(looks, value) ? looks[value] : undefined;
}

interface Props {
  kind: StatusKind;
  value: string;
  /** Why, where there is a reason. */
  hint?: string | null;
  size?: "sm" | "md" | "lg";
}

export function StatusBadge({ kind, value, hint, size = "md" }: Props) {
  const { t } = useTranslation();
  const look = lookOf(kind, value);
  const [color, Mark] = look ?? UNKNOWN;
  const key = `status.${kind}.${value}` as "status.host.ok";
  // What this console does not know yet is shown as the server names it.
  const text = look ? t(key) : value;
  const badge = (
    <Badge
      color={color}
      size={size}
      // The word is never cut, however narrow the column.
      miw="max-content"
      data-status={value}
      leftSection={
        <Mark
          size={13}
          stroke={2}
          aria-hidden
          className={Mark === IconLoader2 ? "spin" : undefined}
        />
      }
    >
      {text}
    </Badge>
  );
  return hint ? (
    <Tooltip label={hint} multiline maw={320}>
      {badge}
    </Tooltip>
  ) : (
    badge
  );
}
